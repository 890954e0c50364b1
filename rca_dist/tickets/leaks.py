"""Leakage checks on prepared tickets, as plain sentences with numbers."""

from collections.abc import Sequence

LEAST_ANSWER_CHARACTERS = 30


def answer_in_prompt_share(prompts: Sequence[str], answers: Sequence[str]) -> float:
    """Share of tickets whose answer (30 characters or more) stands word for word inside the prompt."""
    if not answers:
        return 0.0
    hits = sum(
        len(answer) >= LEAST_ANSWER_CHARACTERS and _plain(answer) in _plain(prompt)
        for prompt, answer in zip(prompts, answers, strict=True)
    )
    return hits / len(answers)


def repeated_test_answer_share(answers: Sequence[str], sides: Sequence[str]) -> float:
    """Share of test tickets whose answer stands word for word as an answer in train."""
    train = {_plain(answer) for answer, side in zip(answers, sides, strict=True) if side == "train"}
    tests = [_plain(answer) in train for answer, side in zip(answers, sides, strict=True) if side == "test"]
    return sum(tests) / len(tests) if tests else 0.0


def leak_warnings(in_prompt: float, repeated: float) -> list[str]:
    """Sentences for shares worth a warning: any answer inside its prompt, over 5 % of test answers known from train."""
    warnings = []
    if in_prompt:
        warnings.append(
            f"{_percent(in_prompt)} of tickets hold their answer word for word inside the prompt: the model can "
            "copy it. "
            "Name prompt columns written before the fix with --data.columns.prompt=NAME[,NAME]."
        )
    if repeated > 0.05:
        warnings.append(f"{_percent(repeated)} of test answers stand word for word in train: scores measure memory as well.")
    return warnings


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
