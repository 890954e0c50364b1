"""Where tokenizer and network must agree: an embedding for every id, what ends a text, what pads it, how long it may be."""

import json
import logging
from typing import Any

import torch

from rca_dist.errors import UserError

log = logging.getLogger(__name__)
# Tokens that somebody added to a tokenizer; more of them mean that it belongs to another model.
MAX_ADDED = 64
NO_LIMIT = 1 << 30
WINDOW_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "context_length")


def fit(model: Any, tokenizer: Any, name: str, *, frozen: bool, filled: bool) -> None:
    """Make sure that the network has an embedding for every id of its tokenizer. Alike in every process. In place.

    A few added tokens get rows, each the mean of the others'. Padding is never looked at, so a padding token alone gets none:
    the end of text takes its place. `frozen`: the embeddings are not trained, so a saved adapter would not fit its base any
    more. `filled`: the network holds its weights already.
    Raises: UserError when the two do not belong together, or with `frozen`.
    """
    rows = model.get_input_embeddings().num_embeddings
    excess = {number: text for text, number in tokenizer.get_vocab().items() if number >= rows}
    if not excess:
        return
    ends = eos_ids(model, tokenizer, name)
    if set(excess) == {tokenizer.pad_token_id} and ends[0] < rows:
        _pad_with(tokenizer, ends[0])
        return
    size = max(excess) + 1
    added = excess.keys() <= tokenizer.added_tokens_decoder.keys()
    if size - rows > MAX_ADDED or not added:
        raise UserError(
            f"model.name_or_path={name}: its tokenizer makes ids up to {size - 1} but the model has {rows} embeddings; "
            "the two do not belong together"
        )
    listed = ", ".join(repr(excess[number]) for number in sorted(excess)[:3]) + (", ..." if len(excess) > 3 else "")
    if frozen:
        raise UserError(
            f"model.name_or_path={name}: {len(excess)} added tokens of its tokenizer ({listed}) have no embeddings, and an "
            "adapter (lora.r) leaves those of its base model as they are on disk. Give the base model its rows once: "
            f"model.resize_token_embeddings({size}), then save model and tokenizer to a folder and name that; or train all "
            "weights with --lora.r=0"
        )
    _grow(model, rows, size, filled=filled)
    if filled:
        log.info("%s: %d added tokens (%s) get embeddings, at first the mean of all others", name, len(excess), listed)


def _grow(model: Any, rows: int, size: int, *, filled: bool) -> None:
    """Embeddings and head of `size` rows, new ones the mean of the old `rows`; the random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        # The library's own mean is a draw around it.
        model.resize_token_embeddings(size, mean_resizing=False)
    head = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight, getattr(head, "weight", None), getattr(head, "bias", None)]
    with torch.no_grad():
        # Tied tables are one tensor, and writing it twice changes nothing.
        for table in tables if filled else []:
            if table is not None:
                table[rows:] = table[:rows].float().mean(dim=0).to(table.dtype)


def _pad_with(tokenizer: Any, end: int) -> None:
    """Take a padding token out of `tokenizer`, so that it makes no id that the network lacks, and pad with id `end`."""
    lost, text = tokenizer.pad_token_id, tokenizer.convert_ids_to_tokens(end)
    if tokenizer.unk_token_id == lost:
        tokenizer.unk_token = text
    tokenizer.pad_token = text
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        rules = json.loads(backend.to_str())
        rules["added_tokens"] = [token for token in rules["added_tokens"] if token["id"] != lost]
        tokenizer._tokenizer = type(backend).from_str(json.dumps(rules))


def eos_ids(model: Any, tokenizer: Any, name: str) -> list[int]:
    """Every id that ends a text, by tokenizer, generation config and config; the tokenizer's first. Raises: UserError."""
    own = tokenizer.eos_token_id
    ids: list[int | None] = []
    for source in (getattr(model, "generation_config", None), model.config.get_text_config(decoder=True)):
        value = getattr(source, "eos_token_id", None)
        ids.extend(value if isinstance(value, list) else [value])
    if own is not None:
        # A config that was never told has its class's default, which may be an ordinary word of this tokenizer.
        ids = [own, *(i for i in ids if i in tokenizer.added_tokens_decoder)]
    found = list(dict.fromkeys(i for i in ids if i is not None))
    if not found:
        raise UserError(f"model.name_or_path={name}: its tokenizer has no end-of-text token, so no answer could ever end")
    return found


def window(model: Any, tokenizer: Any) -> int:
    """Tokens that the model can take, by its config and its tokenizer; `NO_LIMIT` where neither says.

    A LongRoPE model has two sets of frequencies and picks one by the longest row of a batch: beyond its original window the
    loss of a ticket would depend on what it is batched with, so that window counts.
    """
    config = model.config.get_text_config(decoder=True)
    known = [size for key in WINDOW_KEYS if isinstance(size := getattr(config, key, None), int) and size > 0]
    sizes = known[:1] or [NO_LIMIT]
    rope = getattr(config, "rope_parameters", None) or {}
    for part in (rope, *rope.values()):
        if isinstance(part, dict) and part.get("rope_type") == "longrope":
            sizes.append(int(part.get("original_max_position_embeddings") or sizes[0]))
    # Tokenizers without a limit of their own carry a huge number.
    named = getattr(tokenizer, "model_max_length", None)
    if named is not None and 0 < named < 1e6:
        sizes.append(int(named))
    return min(sizes)
