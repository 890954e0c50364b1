"""Whether an old-form call's parts belong together: model and tickets, train and test side."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rca_dist.compat.adapter import HFModelAdapter
from rca_dist.compat.config import CfgNode
from rca_dist.compat.dataset import DESCRIPTION, RESOLUTION, FrameDataset
from rca_dist.errors import UserError
from rca_dist.tokens.encode import RCADataset

log = logging.getLogger(__name__)

SAMPLE = 3


def is_old(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a trainer or evaluator is called with a config first; a second argument that is an adapter means that too."""
    second = args[1] if len(args) > 1 else kwargs.get("model")
    first = args[0] if args else None
    return "config" in kwargs or isinstance(first, CfgNode) or isinstance(second, HFModelAdapter)


def check_pair(model: Any, tickets: Any, owner: str, argument: str) -> None:
    """Refuse a model or data set of another kind, another tokenizer's ids, tickets beyond the window. Raises: UserError."""
    if not isinstance(model, HFModelAdapter):
        raise UserError(
            f"{owner}: the model is a {type(model).__name__}; write model = HFModelAdapter(hf_model, model_type) and pass that"
            + (
                ", or for any other network the new form Trainer(model, step, data, max_steps=...)"
                if owner == "Trainer"
                else ""
            )
        )
    if not isinstance(tickets, RCADataset):
        raise UserError(
            f"{owner}: {argument} is a {type(tickets).__name__}; write {argument} = RCADataset(df, "
            f"'{argument.removesuffix('_dataset')}', tokenizer, seed=3407)"
        )
    if isinstance(tickets, FrameDataset):
        _check_tokenizer(model, tickets, owner, argument)
    longest = int(tickets.lengths.max()) if len(tickets) else 0
    if longest > model.max_length:
        raise UserError(
            f"{owner}: {argument} has tickets of {longest} tokens, but the model's window is {model.max_length}; "
            f"write RCADataset(..., block_size={model.max_length})"
        )
    # Padding is masked by length; a padding token of the data's tokenizer alone may have no embedding.
    tickets.pad_id = model.pad_id


def _check_tokenizer(model: HFModelAdapter, tickets: FrameDataset, owner: str, argument: str) -> None:
    ours, theirs = model.tokenizer, tickets.tokenizer
    if ours is theirs:
        return
    known, pad = ours.get_vocab(), theirs.pad_token
    strange = [token for token, number in theirs.get_vocab().items() if known.get(token) != number and token != pad]
    sample = [f"{a}\n{b}" for a, b in zip(*(texts[:SAMPLE] for texts in tickets.texts()), strict=True)]
    same = all(ours(text)["input_ids"] == theirs(text)["input_ids"] for text in sample)
    if strange or not same or ours.eos_token_id != theirs.eos_token_id:
        what = f" ({len(strange)} tokens differ, such as {strange[0]!r})" if strange else ""
        raise UserError(
            f"{owner}: {argument} was made with another tokenizer than the model's{what}; write "
            f"RCADataset(df, '{tickets.split}', model.tokenizer, ...)"
        )


def check_disjoint(train: FrameDataset, test: FrameDataset, owner: str, what: str = "train_dataset and test_dataset") -> None:
    """Refuse rows on both sides of one table; tell of equal texts in different rows. Raises: UserError."""
    columns = [DESCRIPTION, RESOLUTION]
    shared = set(train.ixes.tolist()) & set(test.ixes.tolist()) if train.df[columns].equals(test.df[columns]) else set()
    if shared:
        raise UserError(
            f"{owner}: {what} share {len(shared)} tickets (first: row {min(shared)}), so the score would be one of memory; "
            "make both with one seed, RCADataset(df, 'train', tokenizer, seed=3407) and RCADataset(df, 'test', tokenizer, "
            "seed=3407), or with indices that do not overlap"
        )
    seen = set(zip(*train.texts(), strict=True))
    if copies := sum(pair in seen for pair in zip(*test.texts(), strict=True)):
        log.warning(
            "%d of %d test tickets stand word for word among those trained on, which flatters the score; "
            "rca-dist train splits by groups of near-duplicates", copies, len(test),
        )  # fmt: skip
