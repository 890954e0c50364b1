"""What prepared tickets look like, as numbers for a page: lengths, repeated answers, timeline, slices, groups, samples."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rca_dist.tickets.cleaning.boilerplate import repeated_answers
from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.words import word_count

if TYPE_CHECKING:
    import pandas

TOKENS_PER_WORD = 1.3
"""Rough: tokenizers give 1.2 to 2 tokens for a word of a ticket, more in languages that they know little of."""
WORD_EDGES = (5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 640, 1280)
_GROUP_EDGES = ((1, 1), (2, 2), (3, 5), (6, 20), (21, 100), (101, None))
_MOST_VALUES, _LONGEST_VALUE, _LONGEST_TEXT = 8, 60, 1500
_UNITS = ((21, "day", "D"), (26 * 7, "week", "W"), (3660, "month", "M"))


def profile(
    frame: "pandas.DataFrame", raw_samples: Sequence[Mapping[str, Any]] = (), *, max_length: int | None = None
) -> dict[str, Any]:
    """Figures and samples of the prepared `frame` (columns as in `TicketTable`), all JSON-able; text in it is redacted.

    `raw_samples` come from `before.raw_samples`; their cleaned texts are looked up here by id. `max_length` (tokens) adds an
    approximate count of the tickets that it would cut. Works from one ticket on; without any, the lists are empty.
    """
    prompts, answers = frame["prompt"].tolist(), frame["answer"].tolist()
    prompt_words, answer_words = ([word_count(text) for text in texts] for texts in (prompts, answers))
    redactor = Redactor()
    found: dict[str, Any] = {
        "tickets": len(prompts),
        "lengths": {"prompt": lengths(prompts, prompt_words), "answer": lengths(answers, answer_words)},
        "repeated_answers": repeated(answers, redactor),
        "languages": [list(pair) for pair in _by_count(Counter(frame["language"].tolist()))],
        "timeline": timeline(frame["created_at"]) if "created_at" in frame.columns else None,
        "slices": {
            column.removeprefix("slice_"): _values(frame[column].tolist(), redactor)
            for column in frame.columns
            if column.startswith("slice_")
        },
        "groups": group_sizes(frame["group"].tolist()),
        "samples": _samples(frame, raw_samples, redactor),
    }
    if max_length is not None:
        found["cut"] = cut_by(prompt_words, answer_words, max_length)
    return found


def lengths(texts: Sequence[str], words: Sequence[int]) -> dict[str, Any]:
    """Percentiles (nearest rank) in words and characters, and a histogram of the words."""
    counts = [0] * (len(WORD_EDGES) + 1)
    for number in words:
        counts[next((place for place, edge in enumerate(WORD_EDGES) if number < edge), len(WORD_EDGES))] += 1
    lows = (0, *WORD_EDGES)
    labels = [f"{low}-{high - 1}" for low, high in zip(lows, WORD_EDGES, strict=False)] + [f"{WORD_EDGES[-1]}+"]
    return {
        "words": percentiles(words),
        "characters": percentiles([len(text) for text in texts]),
        "histogram": [[label, count] for label, count in zip(labels, counts, strict=True)],
    }


def percentiles(values: Sequence[int]) -> dict[str, int]:
    """p50, p90, p99 and max; empty without values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    ranks = {f"p{q}": ordered[math.ceil(q / 100 * len(ordered)) - 1] for q in (50, 90, 99)}
    return {**ranks, "max": ordered[-1]}


def repeated(answers: Sequence[str], redactor: Redactor, most: int = 10) -> list[dict[str, Any]]:
    """The answers given more than once, case and spaces aside, the most frequent first, with count and share."""
    return [
        {"text": _short(redactor, text, 300), "count": count, "share": round(count / len(answers), 4)}
        for text, count in repeated_answers(answers, most)
    ]


def timeline(created: "pandas.Series") -> dict[str, Any]:
    """Tickets per day, week, month or year, whichever gives a readable number of them; periods without any count 0."""
    import pandas

    known = created.dropna()
    if known.empty:
        return {"unit": None, "points": [], "undated": len(created)}
    moments = known.dt.tz_localize(None)
    days = (moments.max() - moments.min()).days
    unit, code = next(((unit, code) for limit, unit, code in _UNITS if days <= limit), ("year", "Y"))
    periods = moments.dt.to_period(code)
    counts = periods.value_counts()
    every = pandas.period_range(periods.min(), periods.max(), freq=code)
    points = [[str(period.start_time.date()) if code == "W" else str(period), int(counts.get(period, 0))] for period in every]
    ends = {"first": str(moments.min().date()), "last": str(moments.max().date())}
    return {"unit": unit, "points": points, "undated": len(created) - len(known), **ends}


def group_sizes(labels: Sequence[int]) -> dict[str, Any]:
    """How many near-duplicate groups there are of which size, and how many tickets they hold."""
    sizes = list(Counter(labels).values())
    rows = []
    for low, high in _GROUP_EDGES:
        inside = [size for size in sizes if low <= size and (high is None or size <= high)]
        name = f"{low}+" if high is None else str(low) if low == high else f"{low}-{high}"
        if inside:
            rows.append({"size": name, "groups": len(inside), "tickets": sum(inside)})
    together = sum(size for size in sizes if size > 1)
    share = round(together / len(labels), 4) if labels else 0.0
    return {"groups": len(sizes), "largest": max(sizes, default=0), "share_in_groups": share, "sizes": rows}


def cut_by(prompt_words: Sequence[int], answer_words: Sequence[int], max_length: int) -> dict[str, Any]:
    """About how many tickets (prompt and answer) have more tokens than `max_length`; see `TOKENS_PER_WORD`."""
    total = [TOKENS_PER_WORD * (prompt + answer) for prompt, answer in zip(prompt_words, answer_words, strict=True)]
    over = len([tokens for tokens in total if tokens > max_length])
    return {
        "max_length": max_length,
        "tickets": over,
        "share": round(over / len(total), 4) if total else 0.0,
        "tokens": percentiles([round(tokens) for tokens in total]),
        "approximate": f"{TOKENS_PER_WORD} tokens a word, without the text around the ticket",
    }


def _samples(frame: "pandas.DataFrame", raw: Sequence[Mapping[str, Any]], redactor: Redactor) -> list[dict[str, Any]]:
    wanted = {str(sample["id"]): sample for sample in raw}
    # Tables of before there were samples still show a few tickets, as they are now.
    chosen = frame[frame["id"].isin(list(wanted))] if wanted else frame.sort_values("id").head(3)
    texts = zip(chosen["id"], chosen["prompt"], chosen["answer"], strict=True)
    by_id = {identifier: (prompt, answer) for identifier, prompt, answer in texts}
    found = []
    for identifier in wanted or by_id:
        if identifier not in by_id:
            continue
        sample = wanted.get(identifier, {})
        after = redactor.redact_ticket(by_id[identifier])
        found.append({
            "id": identifier,
            "before": {part: str(sample[part]) for part in ("prompt", "answer") if part in sample},
            "after": {"prompt": _cut(after[0], _LONGEST_TEXT), "answer": _cut(after[1], _LONGEST_TEXT)},
        })  # fmt: skip
    return found


def _values(cells: Sequence[str], redactor: Redactor) -> dict[str, Any]:
    counts = Counter(str(cell) for cell in cells)
    top = _by_count(counts, _MOST_VALUES)
    values = [[_short(redactor, value, _LONGEST_VALUE), count] for value, count in top]
    return {"distinct": len(counts), "values": values, "others": len(cells) - sum(count for _, count in top)}


def _by_count(counts: Counter[str], most: int | None = None) -> list[tuple[str, int]]:
    """The largest first; equal ones by name, so that row order does not matter."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]


def _short(redactor: Redactor, text: str, length: int) -> str:
    return _cut(" ".join(redactor.redact_ticket([text])[0].split()), length)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length].rstrip()}\u2026"
