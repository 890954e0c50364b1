"""The pipeline from text columns to the prepared frame and its facts: map, clean, select, redact, group, split."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from rca_dist.errors import UserError
from rca_dist.tickets import leaks
from rca_dist.tickets.clean import Cleaner
from rca_dist.tickets.columns import ColumnMap, map_columns
from rca_dist.tickets.dates import ParsedDates, parse_dates
from rca_dist.tickets.groups import Groups, near_duplicate_groups
from rca_dist.tickets.language import detect_language
from rca_dist.tickets.read import RawTable
from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.selection import require_tickets, select_rows, unique_ids
from rca_dist.tickets.split import Split, make_split

if TYPE_CHECKING:
    import pandas

NOT_REDACTED = (
    "REDACTION IS OFF (data.redact=false): personal data and secrets of the export are in prompts, answers and the cache."
)


@dataclass
class _Tickets:
    ids: list[str]
    prompts: list[str]
    answers: list[str]
    created: list[dt.datetime | None]
    slices: dict[str, list[str]]
    groups: list[list[str]]
    sides: list[str]
    extra: dict[str, list[Any]]


def assemble(
    raw: RawTable,
    *,
    columns: dict[str, Any] | None,
    redact: bool,
    min_answer_words: int,
    kind: str,
    similarity: float,
    test_size: float,
    validation_size: float,
    seed: int,
    folds: int,
    fold: int,
    group_columns: Sequence[str],
) -> tuple["pandas.DataFrame", dict[str, Any]]:
    """Prepared frame (see `TicketTable`) and facts of a table as read. Raises UserError where it gives no usable
    split."""
    mapped = map_columns(raw.columns, columns, group_columns, split_needed=kind == "file")
    cleaner, redactor, dropped = Cleaner(), Redactor(), Counter(raw.dropped)
    dates = parse_dates(raw.columns[mapped.created_at]) if mapped.created_at else None
    _check_dates(kind, dates, mapped)
    tickets = _clean_and_select(raw, mapped, dates, cleaner, dropped, min_answer_words, kind)
    require_tickets(len(tickets.ids), raw.rows + raw.dropped.total(), dropped, raw.name, mapped.answer)
    if redact:
        _redact(tickets, redactor)
    groups = near_duplicate_groups(tickets.ids, [tickets.prompts, tickets.answers], similarity, tickets.groups)
    split = make_split(
        tickets.ids, groups.labels, kind=kind, test_size=test_size, validation_size=validation_size, seed=seed,
        folds=folds, fold=fold, dates=tickets.created, sides=tickets.sides,
    )  # fmt: skip
    languages = [detect_language(prompt) for prompt in tickets.prompts]
    facts = {
        "file": raw.name,
        "format": raw.format,
        "encoding": raw.encoding,
        "accented_words": raw.preview,
        "delimiter": raw.delimiter,
        "columns": _column_facts(raw, mapped),
        "rows": {
            "in": raw.rows + raw.dropped.total(),
            "kept": len(tickets.ids),
            "dropped": dict(dropped.most_common()),
        },
        "cleaned": {rule: count for rule, count in cleaner.counts.most_common() if count},
        "redaction": {"on": redact, "counts": dict(redactor.counts.most_common())},
        "dates": _date_facts(dates, mapped),
        "languages": dict(Counter(languages).most_common()),
        "duplicates": _duplicate_facts(groups, similarity),
        "split": split.facts,
    }
    in_prompt = leaks.answer_in_prompt_share(tickets.prompts, tickets.answers)
    repeated = leaks.repeated_test_answer_share(tickets.answers, split.sides)
    facts["leakage"] = {"answer_in_prompt": round(in_prompt, 4), "test_answer_in_train": round(repeated, 4)}
    facts["notes"] = mapped.notes
    facts["warnings"] = [
        *([] if redact else [NOT_REDACTED]),
        *mapped.warnings,
        *split.warnings,
        *leaks.leak_warnings(in_prompt, repeated),
    ]
    return _frame(tickets, languages, groups, split), facts


def _check_dates(kind: str, dates: ParsedDates | None, mapped: ColumnMap) -> None:
    if dates is not None and dates.order == "ambiguous":
        mapped.notes.append(f"dates in {mapped.created_at!r} can be read day first or month first; such cells are left empty.")
    if kind != "time":
        return
    flag = "--data.columns.created_at=NAME"
    if dates is None:
        raise UserError(
            f"split.kind=time needs a date column and none was found; name it with {flag}, or use split.kind=group."
        )
    if dates.order == "ambiguous":
        raise UserError(
            f"split.kind=time: dates in {mapped.created_at!r} can be read day first or month first (no value "
            "settles it, or "
            f"values contradict each other). Export ISO dates (2025-02-06), name another column with {flag}, or "
            "use split.kind=group."
        )
    found = sum(value is not None for value in dates.values)
    if found * 2 < len(dates.values):
        raise UserError(
            f"split.kind=time: only {found} of {len(dates.values)} values in {mapped.created_at!r} are dates; "
            f"name another column with {flag}, or use split.kind=group."
        )


def _clean_and_select(
    raw: RawTable, mapped: ColumnMap, dates: ParsedDates | None, cleaner: Cleaner, dropped: Counter[str],
    min_answer_words: int, kind: str,
) -> _Tickets:  # fmt: skip
    parts = [cleaner.column(raw.columns[column]) for column in mapped.prompt]
    prompts = ["\n".join(dict.fromkeys(cell for cell in cells if cell)) for cells in zip(*parts, strict=True)]
    answers = cleaner.column(raw.columns[mapped.answer])
    blank = [""] * raw.rows
    ids = [cell.strip() for cell in raw.columns[mapped.id]] if mapped.id else blank
    created = dates.values if dates else [None] * raw.rows
    newest = parse_dates(raw.columns[mapped.updated_at]).values if mapped.updated_at else created
    raw_rows = list(zip(*raw.columns.values(), strict=True))
    selection = select_rows(prompts, answers, ids, raw_rows, newest, min_answer_words)
    rows = selection.rows
    dropped.update(selection.dropped)
    if kind == "time":
        undated = sum(created[row] is None for row in rows)
        rows = [row for row in rows if created[row] is not None]
        dropped.update({"no date (time split)": undated} if undated else {})
    slices = {column: cleaner.column(raw.columns[column]) for column in mapped.slices}
    extra: dict[str, list[Any]] = {}
    if mapped.oracle_nll and mapped.oracle_answer:
        extra["oracle_nll"] = [float(raw.columns[mapped.oracle_nll][row] or "nan") for row in rows]
        extra["oracle_answer"] = [raw.columns[mapped.oracle_answer][row] for row in rows]
    return _Tickets(
        ids=unique_ids([ids[row] for row in rows], [f"{prompts[row]}\x1f{answers[row]}" for row in rows]),
        prompts=[prompts[row] for row in rows],
        answers=[answers[row] for row in rows],
        created=[created[row] for row in rows],
        slices={column: [cells[row] for row in rows] for column, cells in slices.items()},
        groups=[[raw.columns[column][row] for row in rows] for column in mapped.groups],
        sides=[(raw.columns[mapped.split] if mapped.split else blank)[row] for row in rows] if kind == "file" else [],
        extra=extra,
    )


def _redact(tickets: _Tickets, redactor: Redactor) -> None:
    lists = [tickets.prompts, tickets.answers, *tickets.slices.values()]
    if "oracle_answer" in tickets.extra:
        lists.append(tickets.extra["oracle_answer"])
    for row, texts in enumerate(zip(*lists, strict=True)):
        for column, text in zip(lists, redactor.redact_ticket(texts), strict=True):
            column[row] = text


def _frame(tickets: _Tickets, languages: list[str], groups: Groups, split: Split) -> "pandas.DataFrame":
    import pandas

    created = pandas.Series(pandas.to_datetime(tickets.created, utc=True)).astype("datetime64[us, UTC]")
    data = {
        "id": tickets.ids,
        "prompt": tickets.prompts,
        "answer": tickets.answers,
        "created_at": created,
        "language": languages,
        "group": groups.labels,
        "split": split.sides,
        "fold": split.folds,
        **tickets.extra,
        **{f"slice_{column}": cells for column, cells in tickets.slices.items()},
    }
    return pandas.DataFrame(data)


def _column_facts(raw: RawTable, mapped: ColumnMap) -> dict[str, Any]:
    """Role -> columns and two samples; the samples are redacted whatever `data.redact` says."""
    roles: dict[str, list[str]] = {"prompt": mapped.prompt, "answer": [mapped.answer]}
    for role, column in (
        ("id", mapped.id),
        ("created_at", mapped.created_at),
        ("updated_at", mapped.updated_at),
        ("split", mapped.split),
    ):
        roles[role] = [column] if column else []
    roles |= {"group": mapped.groups, "slices": mapped.slices}
    if mapped.oracle_nll and mapped.oracle_answer:
        roles["oracle"] = [mapped.oracle_nll, mapped.oracle_answer]
    redactor = Redactor()

    def samples(column: str) -> list[str]:
        filled = [cell for cell in raw.columns[column] if cell.strip()][:2]
        return [
            text if len(text) <= 80 else f"{text[:80]}..."
            for text in redactor.redact_ticket([" ".join(cell[:500].split()) for cell in filled])
        ]

    used = {column for found in roles.values() for column in found}
    facts: dict[str, Any] = {
        role: {"columns": found, "samples": {column: samples(column) for column in found}}
        for role, found in roles.items()
        if found
    }
    facts["not_used"] = [column for column in raw.columns if column not in used]
    return facts


def _date_facts(dates: ParsedDates | None, mapped: ColumnMap) -> dict[str, Any]:
    if dates is None:
        return {"column": None}
    known = [value for value in dates.values if value is not None]
    span = {"first": min(known).isoformat(), "last": max(known).isoformat()} if known else {}
    return {"column": mapped.created_at, "order": dates.order, "unreadable": dates.unreadable, **span}


def _duplicate_facts(groups: Groups, similarity: float) -> dict[str, Any]:
    sizes = groups.sizes()
    return {
        "similarity": similarity,
        "groups": len(sizes),
        "largest_group": max(sizes),
        "median_group": median(sizes),
        "share_in_groups": round(sum(size for size in sizes if size > 1) / sum(sizes), 4),
        "capped_buckets": groups.capped_buckets,
    }
