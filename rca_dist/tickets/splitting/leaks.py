"""Leakage checks on prepared tickets, as plain sentences with numbers."""

from collections.abc import Sequence

from rca_dist.tickets.splitting.shingles import tokens

LEAST_ANSWER_CHARACTERS = 30
RUN = 5
COPIED_SHARE = 0.6
_MOST_CHARACTERS = 20_000


def copied_share(prompt: str, answer: str) -> float:
    """Share of the answer's words that stand in the prompt in runs of five words or more, as in the answer.

    Looks at the first 20,000 characters of each; an answer of fewer words gives 0.
    """
    asked, told = tokens(prompt[:_MOST_CHARACTERS]), tokens(answer[:_MOST_CHARACTERS])
    if len(told) < RUN or len(asked) < RUN:
        return 0.0
    known = set(_runs(asked))
    covered = end = 0
    for place, run in enumerate(_runs(told)):
        if run in known:
            covered += place + RUN - max(end, place)
            end = place + RUN
    return covered / len(told)


def copied_answer_share(prompts: Sequence[str], answers: Sequence[str]) -> float:
    """Share of tickets in which at least 60 % of the answer's words stand in runs in the prompt."""
    hits = sum(copied_share(prompt, answer) >= COPIED_SHARE for prompt, answer in zip(prompts, answers, strict=True))
    return hits / len(answers) if answers else 0.0


def _runs(words: Sequence[str]) -> "zip[tuple[str, ...]]":
    return zip(*(words[place:] for place in range(RUN)), strict=False)


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
            f"{percent(in_prompt)} of tickets hold their answer word for word inside the prompt: the model can "
            "copy it. "
            "Name prompt columns written before the fix with --data.columns.prompt=NAME[,NAME]."
        )
    if repeated > 0.05:
        warnings.append(f"{percent(repeated)} of test answers stand word for word in train: scores measure memory as well.")
    return warnings


def percent(share: float) -> str:
    """A share as text: one decimal below 10 %."""
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
