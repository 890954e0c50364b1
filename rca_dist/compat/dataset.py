"""`RCADataset` over a pandas table with the old columns."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rca_dist.compat.config import nearest, need_float, need_int
from rca_dist.errors import UserError
from rca_dist.tokens import encode
from rca_dist.tokens.collate import IGNORE

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

DESCRIPTION, RESOLUTION = "ticket_description", "ticket_resolution"
HEADER = "description du ticket itsm: "
FOOTER = "\nRéponse de l'équipe IT pour la résolution du ticket: "
OWNER = "RCADataset"


class RCADataset(encode.RCADataset):
    """Encoded tickets of one split.

    Old form: `RCADataset(df, 'train', tokenizer, block_size=1024, test_frac=0.2, test_cap=None, seed=None, indices=None)`, see
    `FrameDataset`. New form: `RCADataset.from_tickets(...)`, see `rca_dist.tokens.encode.RCADataset`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "RCADataset":
        old = (
            "df" in kwargs
            or "split" in kwargs
            or hasattr(next(iter(args), None), "iloc")
            or isinstance(next(iter(args[1:]), None), str)
        )
        return object.__new__(FrameDataset if old and cls is RCADataset else cls)


class FrameDataset(RCADataset):
    """Tickets of a pandas DataFrame with the columns `ticket_description` and `ticket_resolution`.

    Rows are chosen as the predecessor chose them: `indices`, else a permutation drawn from `seed`, its first `test_frac` (at
    most `test_cap` rows) for the test side. Items are `(x, y)`, both (block_size,) int64, right-padded, y -100 on prompt and
    padding (not shifted).

    Unlike there: prompt and answer are encoded apart, with BOS where the tokenizer puts one; a ticket that is too long loses
    text of its description before any of its answer, and never EOS (`truncations` counts); markers such as `<|end|>` in a
    ticket are text. Tickets are encoded once, as they are: nothing is redacted, nothing is written to disk.

    Attributes: `df`, `split`, `tokenizer`, `block_size`, `ixes` (N,) int64 rows of `df`, `prompt_description_addition`,
    `prompt_resolution_addition`; setting one of them encodes again.
    """

    def __init__(
        self,
        df: Any,
        split: str,
        tokenizer: Any,
        block_size: int = 1024,
        test_frac: float = 0.2,
        test_cap: int | None = None,
        seed: int | None = None,
        indices: Any = None,
    ) -> None:
        """Raises: UserError, saying what to write instead."""
        if split not in ("train", "test"):
            raise UserError(f"{OWNER}: split={split!r}; write 'train' or 'test'")
        _check_columns(df)
        if getattr(tokenizer, "eos_token_id", None) is None:
            raise UserError(
                f"{OWNER}: the tokenizer has no end-of-text token, so no answer could ever end; "
                "set tokenizer.eos_token to one of its tokens, or take the model's own tokenizer"
            )
        self.df = df.reset_index(drop=True)
        self.split = split
        self.tokenizer = tokenizer
        self.block_size = need_int({"block_size": block_size}, "block_size", 1, OWNER)
        self.ixes = _chosen(len(df), split, test_frac, test_cap, seed, indices)
        self.prompt_description_addition = HEADER
        self.prompt_resolution_addition = FOOTER
        self._encode()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        shapes = ("df", "tokenizer", "block_size", "ixes", "prompt_description_addition", "prompt_resolution_addition")
        if name in shapes and "encoded" in vars(self):
            self._encode()

    def __getitem__(self, n: int) -> "tuple[torch.Tensor, torch.Tensor]":  # type: ignore[override]
        import torch

        item = super().__getitem__(int(n))
        ids, labels = item["input_ids"], item["labels"]
        x = torch.full((self.block_size,), self.pad_id, dtype=torch.long)
        y = torch.full((self.block_size,), IGNORE, dtype=torch.long)
        x[: len(ids)], y[: len(ids)] = torch.from_numpy(ids), torch.from_numpy(labels)
        return x, y

    def get_length(self) -> int:
        """Number of tickets."""
        return len(self)

    def get_block_size(self) -> int:
        """Positions that predict a token: `block_size` less one."""
        return self.block_size - 1

    def texts(self) -> tuple[list[str], list[str]]:
        """Descriptions and resolutions of the split's tickets, in order. Raises: UserError where one is empty."""
        rows = self.df.iloc[self.ixes.tolist()]
        for column in (DESCRIPTION, RESOLUTION):
            empty = rows[column].isna() | (rows[column].astype(str).str.strip() == "")
            if empty.any():
                raise UserError(
                    f"{OWNER}: {int(empty.sum())} of {len(rows)} rows have no {column} (first: row {rows.index[empty][0]}); "
                    f"drop them first: df = df[df['{column}'].fillna('').str.strip() != '']"
                )
        return rows[DESCRIPTION].astype(str).tolist(), rows[RESOLUTION].astype(str).tolist()

    def for_evaluation(self, answer_room: int, context: int) -> encode.RCADataset:
        """The tickets as they are evaluated: no prompt depends on its own answer, answers may reach up to `context`."""
        return self._encoded(min(self.block_size, context), answer_room=answer_room, context=context)

    def _encode(self) -> None:
        found = self._encoded(self.block_size)
        super().__init__(found.encoded, found.ticket_ids, eos_id=found.eos_id, pad_id=found.pad_id)
        if any(self.truncations.values()):
            log.warning(
                "block_size=%d cut the text of %d descriptions and %d answers of the %s tickets",
                self.block_size, *self.truncations.values(), self.split,
            )  # fmt: skip

    def _encoded(self, max_length: int, **limits: Any) -> encode.RCADataset:
        prompts, answers = self.texts()
        eos_id, pad_id = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        template = self.prompt_description_addition + "{ticket}" + self.prompt_resolution_addition
        try:
            return encode.RCADataset.from_tickets(
                [f"row {n}" for n in self.ixes.tolist()], prompts, answers, self.tokenizer,
                eos_id=eos_id, pad_id=eos_id if pad_id is None else pad_id, template=template,
                max_length=max_length, **limits,
            )  # fmt: skip
        except UserError as error:
            raise UserError(f"{OWNER}: " + str(error).replace("train.max_length", "block_size")) from None


def _check_columns(df: Any) -> None:
    if not hasattr(df, "iloc") or not hasattr(df, "columns"):
        raise UserError(f"{OWNER}: df is a {type(df).__name__}; write df = pd.read_csv(path, sep=';') and pass that")
    columns = [str(column) for column in df.columns]
    missing = [name for name in (DESCRIPTION, RESOLUTION) if name not in columns]
    if not missing:
        return
    separator = next((mark for mark in ";\t|" if len(columns) == 1 and mark in columns[0]), None)
    if separator:
        advice = f"the file is separated by {separator!r}: write pd.read_csv(path, sep={separator!r})"
    else:
        guesses = [name + nearest(name, columns) for name in missing]
        advice = (
            f"no {' and no '.join(guesses)}. Rename yours: df = df.rename(columns={{'YOURS': '{missing[0]}'}}); "
            "or let `rca-dist data FILE` find the columns of the export"
        )
    raise UserError(f"{OWNER}: the columns are {', '.join(columns)}; {advice}")


def _chosen(total: int, split: str, test_frac: float, test_cap: int | None, seed: int | None, indices: Any) -> "torch.Tensor":
    """Rows of this split, (N,) int64. Raises: UserError."""
    import torch

    if indices is not None:
        return torch.from_numpy(_given(total, indices))
    if seed is None:
        raise UserError(
            f"{OWNER}: without a seed the train and test sides are drawn apart and share tickets; give both the same one: "
            f"{OWNER}(df, '{split}', tokenizer, seed=3407), or give indices="
        )
    share = need_float({"test_frac": test_frac}, "test_frac", 0.0, OWNER)
    if share >= 1:
        raise UserError(f"{OWNER}: test_frac={test_frac} leaves no ticket to train on; write a share such as 0.2")
    number = {"seed": seed}
    order = torch.randperm(total, generator=torch.Generator().manual_seed(need_int(number, "seed", 0, OWNER)))
    tested = int(total * share)
    if test_cap is not None:
        tested = min(tested, need_int({"test_cap": test_cap}, "test_cap", 0, OWNER))
    return order[:tested] if split == "test" else order[tested:]


def _given(total: int, indices: Sequence[int] | Any) -> np.ndarray:
    """`indices` as (N,) int64. Raises: UserError unless they are distinct rows of the table."""
    rows = np.asarray(indices.tolist() if hasattr(indices, "tolist") else list(indices))
    if rows.dtype == bool:
        raise UserError(f"{OWNER}: indices is a mask of True and False; write indices=numpy.flatnonzero(mask)")
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise UserError(f"{OWNER}: indices must be a flat list of row numbers, not {rows.dtype} of shape {rows.shape}")
    rows = rows.astype(np.int64)
    if len(outside := rows[(rows < 0) | (rows >= total)]):
        raise UserError(
            f"{OWNER}: indices has {outside[0]}, but rows are counted 0 to {total - 1}, whatever the table's own index"
        )
    values, counts = np.unique(rows, return_counts=True)
    if len(twice := values[counts > 1]):
        raise UserError(f"{OWNER}: indices has row {twice[0]} more than once; each ticket counts once: numpy.unique(indices)")
    return rows
