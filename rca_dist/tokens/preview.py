"""Encoded examples as a person can check them: the whole text that a model sees, with what it learns marked."""

from typing import Any

import numpy as np

from rca_dist.tokens.encode import RCADataset

LEARNT, SEEN = "+ ", "  "


def preview(dataset: RCADataset, tokenizer: Any, *, colour: bool = False) -> str:
    """The shortest, the middle and the longest example. Lines that are learnt start with `+`, the others are only seen.

    Both are decoded from the ids themselves, control tokens included, so that this is what training gets, not what was meant.
    """
    order = np.argsort(dataset.lengths, kind="stable")
    chosen = list(dict.fromkeys([int(order[0]), int(order[len(order) // 2]), int(order[-1])])) if len(order) else []
    parts = []
    for n in chosen:
        prompt, answer = dataset.prompt_ids(n), dataset.answer_ids(n)
        cut = [name for name, flag in zip(("ticket text", "answer"), dataset.encoded.cut[n], strict=True) if flag]
        title = f"ticket {dataset.ticket_ids[n]}: {len(prompt) + len(answer)} tokens, {len(answer)} of them learnt"
        lines = [title + (f" ({' and '.join(cut)} cut)" if cut else "")]
        lines += _marked(tokenizer, prompt, SEEN, "")
        lines += _marked(tokenizer, answer, LEARNT, "32" if colour else "")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _marked(tokenizer: Any, ids: np.ndarray, mark: str, colour: str) -> list[str]:
    text = tokenizer.decode(ids.tolist(), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    lines = [f"{mark}{line}" for line in text.removesuffix("\n").split("\n")]
    return [f"\033[{colour}m{line}\033[0m" for line in lines] if colour else lines
