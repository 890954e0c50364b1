"""What to know about the tickets before training on them: leaks, languages, small classes, drift, as facts and sentences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rca_dist.tickets.cleaning.boilerplate import repeated_answers
from rca_dist.tickets.mapping.samples import shorten
from rca_dist.tickets.split import FEW_TEST_TICKETS, Split
from rca_dist.tickets.splitting import leaks
from rca_dist.tickets.splitting.drift import find_drift, stable_hash

FEW_TRAIN_TICKETS = 5
MOST_WARNINGS = 8
MOST_LOOKED_AT = 20_000
_LEAST_COPIED = 0.01
_LEAST_ANSWERS, _SAME_ANSWER = 10, 0.2
_FEW_TEXTS, _FEW_ANSWERS, _SHOWN_ANSWER = 5, 0.6, 120


def find_warnings(
    frame: Mapping[str, Sequence[Any]], split: Split, *, most: int = MOST_WARNINGS
) -> tuple[dict[str, Any], list[str]]:
    """(facts, sentences) about prepared tickets: at most `most` sentences, the most important first.

    `frame` has the columns `id`, `prompt`, `answer`, `created_at` (None where unknown), `language`, and any `slice_<name>`.
    The sentences include `split.warnings`. Copied answers are looked for in at most 20,000 tickets, drawn by the hash of their
    ids.
    """
    prompts, answers = list(frame["prompt"]), list(frame["answer"])
    whole = leaks.answer_in_prompt_share(prompts, answers)
    looked_at = sorted(range(len(answers)), key=lambda row: stable_hash(frame["id"][row]))[:MOST_LOOKED_AT]
    copied = leaks.copied_answer_share([prompts[row] for row in looked_at], [answers[row] for row in looked_at])
    repeated = leaks.repeated_test_answer_share(answers, split.sides)
    facts: dict[str, Any] = {
        "leakage": {
            "answer_in_prompt": round(whole, 4),
            "answer_copied_from_prompt": round(copied, 4),
            "test_answer_in_train": round(repeated, 4),
        }
    }
    slices = {name.removeprefix("slice_"): cells for name, cells in frame.items() if name.startswith("slice_")}
    languages = language_warnings(frame["language"], split.sides)
    facts["small_classes"], classes = small_classes(slices, split.sides)
    judge = split.facts.get("used") != "time"
    facts["drift"], drift = find_drift(frame["id"], prompts, answers, frame["created_at"], slices, advise_time_split=judge)
    same = repeated_warnings(answers)
    found = [
        *same,
        *copy_warnings(whole, copied),
        *split.warnings,
        *leaks.leak_warnings(0.0, repeated),
        *languages,
        *drift,
        *classes,
    ]
    return facts, found[:most]


def repeated_warnings(answers: Sequence[str]) -> list[str]:
    """One sentence when a fifth of the answers are one text, or most of them a few texts; the text is redacted and cut."""
    top = repeated_answers(answers, _FEW_TEXTS)
    if len(answers) < _LEAST_ANSWERS or not top:
        return []
    text, count = top[0]
    few = sum(number for _, number in top)
    if count >= _SAME_ANSWER * len(answers):
        told = f"{leaks.percent(count / len(answers))} of the answers are the same text ({count} of {len(answers)}: "
    elif few >= _FEW_ANSWERS * len(answers):
        told = f"{leaks.percent(few / len(answers))} of the answers are one of {len(top)} texts (most often, {count} times: "
    else:
        return []
    return [
        f"{told}{shorten(text, _SHOWN_ANSWER)!r}): the model learns to write that. If it is no solution, leave those "
        "rows out of the export, or name the column that says what was done with --data.columns.answer=NAME."
    ]


def copy_warnings(whole: float, copied: float) -> list[str]:
    """One sentence when answers stand in their prompts, whole or for the most part."""
    if copied < max(_LEAST_COPIED, whole):
        return leaks.leak_warnings(whole, 0.0)
    also = f" ({leaks.percent(whole)} word for word as a whole)" if whole else ""
    return [
        f"{leaks.percent(copied)} of tickets hold most of their answer inside the prompt{also}: the model can copy it. "
        "Name prompt columns written before the fix with --data.columns.prompt=NAME[,NAME]."
    ]


def language_warnings(languages: Sequence[str], sides: Sequence[str]) -> list[str]:
    """Sentences about several languages, ones unknown in train, and ones with too few test tickets to be scored."""
    counts = Counter(language for language in languages if language != "und")
    train = Counter(language for language, side in zip(languages, sides, strict=True) if side == "train")
    test = Counter(language for language, side in zip(languages, sides, strict=True) if side == "test")
    # One or two odd tickets are as often a misreading as a language.
    unknown = sorted(language for language, count in test.items() if language != "und" and count > 1 and not train[language])
    counts = Counter({language: count for language, count in counts.items() if count >= max(3, 0.01 * len(languages))})
    ordered = sorted(counts, key=lambda language: (-counts[language], language))
    warnings = []
    if unknown:
        warnings.append(
            f"test has tickets in {_and(unknown)} and train has none: scores on them say nothing about this training; "
            "split by group, or leave that language out."
        )
    if len(ordered) > 1:
        shares = ", ".join(f"{language} {100 * counts[language] / len(languages):.0f} %" for language in ordered[:5])
        few = [language for language in ordered if test[language] < FEW_TEST_TICKETS and language not in unknown]
        told = f"; fewer than {FEW_TEST_TICKETS} test tickets are in {_and(few)}, too few for a score of its own" if few else ""
        warnings.append(f"the tickets are in several languages ({shares}): read the scores by language{told}.")
    return warnings


def small_classes(slices: Mapping[str, Sequence[str]], sides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """(facts, sentences) about values of each slice that train has fewer than five tickets of, or none though test has some.

    A slice whose values mostly stand once (names, free text) is no class and is left out.
    """
    facts: dict[str, Any] = {}
    warnings = []
    for name, cells in slices.items():
        values = {cell for cell in cells if cell.strip()}
        if not 1 < len(values) <= len(cells) / 3:
            continue
        train = Counter(cell for cell, side in zip(cells, sides, strict=True) if side == "train")
        test = Counter(cell for cell, side in zip(cells, sides, strict=True) if side == "test")
        few = sorted(value for value in values if 0 < train[value] < FEW_TRAIN_TICKETS)
        none = sorted(value for value in values if not train[value] and test[value])
        facts[name] = {"values": len(values), "few_in_train": len(few), "only_in_test": len(none)}
        parts = (
            [f"{len(few)} of {len(values)} values have fewer than {FEW_TRAIN_TICKETS} training tickets ({_some(few)})"]
            if few
            else []
        )
        parts += [f"{len(none)} stand in test and never in train ({_some(none)})"] if none else []
        if parts:
            warnings.append(f"{name!r}: {' and '.join(parts)}: expect poor answers there; add tickets or join classes.")
    return facts, warnings


def _some(values: Sequence[str]) -> str:
    shown = ", ".join(repr(value[:30]) for value in values[:3])
    return shown + (", ..." if len(values) > 3 else "")


def _and(words: Sequence[str]) -> str:
    return " and ".join(words) if len(words) < 3 else ", ".join(words[:-1]) + f" and {words[-1]}"
