"""The pipeline from text columns to the prepared frame and its facts: map, clean, select, redact, group, split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rca_dist.errors import UserError
from rca_dist.tickets.clean import Cleaner
from rca_dist.tickets.columns import map_columns
from rca_dist.tickets.dates import date_notes, parse_dates, time_split_problem
from rca_dist.tickets.describing import facts as facts_of
from rca_dist.tickets.describing.before import raw_samples
from rca_dist.tickets.groups import Groups, near_duplicate_groups
from rca_dist.tickets.language import detect_language
from rca_dist.tickets.reading.raw_table import RawTable
from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.redaction.names import name_finder
from rca_dist.tickets.rows_to_tickets import Shaping, Tickets, clean_and_select, raw_texts
from rca_dist.tickets.selection import require_tickets
from rca_dist.tickets.split import Split, make_split
from rca_dist.tickets.splitting.findings import find_warnings

if TYPE_CHECKING:
    import pandas

NOT_REDACTED = (
    "REDACTION IS OFF (data.redact=false): personal data and secrets of the export are in prompts, answers and the cache."
)


def assemble(raw: RawTable, shaping: Shaping) -> tuple["pandas.DataFrame", dict[str, Any]]:
    """Prepared frame (see `TicketTable`) and facts of a table as read, whose columns are used up.

    Raises UserError where it gives no usable tickets or split; for a description (`for_training` false) any number of
    tickets will do, and what stands against a split is said in `facts["split"]["problem"]`.
    """
    mapped = map_columns(raw.columns, shaping.columns, shaping.group_columns, split_needed=shaping.kind == "file")
    mapped.notes[:0] = raw.notes
    cleaner, redactor, dropped = Cleaner(shaping.repair_mojibake), _redactor(shaping), Counter(raw.dropped)
    dates = parse_dates(raw.columns[mapped.created_at], *shaping.order(mapped)) if mapped.created_at else None
    if dates and mapped.created_at:
        mapped.notes += date_notes(dates, mapped.created_at, raw.place)
    undated = time_split_problem(dates, mapped.created_at, raw.place) if shaping.kind == "time" else ""
    if undated and shaping.for_training:
        raise UserError(undated)
    column_facts = facts_of.columns(raw, mapped)
    tickets = clean_and_select(
        raw, mapped, dates, cleaner, dropped,
        # Where no split by time is possible, no row is left out for it.
        replace(shaping, kind="group") if undated else shaping,
    )  # fmt: skip
    read = raw.rows + raw.dropped.total()
    if shaping.for_training:
        require_tickets(len(tickets.ids), read, dropped, raw.name, " + ".join(mapped.answers))
    seen_raw = raw_texts(raw, mapped, tickets.rows)
    languages = [detect_language(prompt) for prompt in tickets.prompts]
    if shaping.redact:
        _redact(tickets, languages, redactor)
    before = raw_samples(tickets.ids, tickets.prompts, tickets.answers, seen_raw, redactor=_redactor(shaping))
    raw.columns.clear()
    groups = near_duplicate_groups(tickets.ids, [tickets.prompts, tickets.answers], shaping.similarity, tickets.groups)
    split = _split(tickets, groups, shaping, undated)
    facts = {
        **facts_of.source(raw),
        "columns": column_facts,
        "rows": {"in": read, "kept": len(tickets.ids), "dropped": dict(dropped.most_common())},
        "cleaned": {rule: count for rule, count in cleaner.counts.most_common() if count},
        "redaction": facts_of.redaction(redactor, shaping),
        "dates": facts_of.dates(dates, mapped),
        "languages": dict(Counter(languages).most_common()),
        "duplicates": facts_of.duplicates(groups, shaping.similarity),
        "split": split.facts,
        "raw_samples": before,
    }
    found, warnings = find_warnings(_columns(tickets, languages), split) if tickets.ids else ({}, [])
    facts |= found
    facts["notes"] = mapped.notes
    facts["warnings"] = [*([] if shaping.redact else [NOT_REDACTED]), *mapped.warnings, *warnings]
    return _frame(tickets, languages, groups, split), facts


def _redactor(shaping: Shaping) -> Redactor:
    return Redactor(name_finder(shaping.names), shaping.own_domains)


def _redact(tickets: Tickets, languages: Sequence[str], redactor: Redactor) -> None:
    lists = [tickets.prompts, tickets.answers, *tickets.slices.values()]
    if "oracle_answer" in tickets.extra:
        lists.append(tickets.extra["oracle_answer"])
    for row, texts in enumerate(zip(*lists, strict=True)):
        redacted = redactor.redact_ticket(texts, language=languages[row], people=tickets.people[row])
        for column, text in zip(lists, redacted, strict=True):
            column[row] = text


def _split(tickets: Tickets, groups: Groups, shaping: Shaping, problem: str = "") -> Split:
    if problem:
        return Split(["train"] * len(tickets.ids), [-1] * len(tickets.ids), {"kind": shaping.kind, "problem": problem})
    try:
        return make_split(
            tickets.ids, groups.labels, kind=shaping.kind, test_size=shaping.test_size,
            validation_size=shaping.validation_size, seed=shaping.seed, folds=shaping.folds, fold=shaping.fold,
            dates=tickets.created, sides=tickets.sides, file_folds=tickets.file_folds,
        )  # fmt: skip
    except UserError as error:
        if shaping.for_training:
            raise
        return Split(["train"] * len(tickets.ids), [-1] * len(tickets.ids), {"kind": shaping.kind, "problem": str(error)})
    except ValueError:
        if shaping.for_training:
            raise
        problem = "no ticket is usable"
        return Split([], [], {"kind": shaping.kind, "problem": problem})


def _columns(tickets: Tickets, languages: list[str]) -> dict[str, Sequence[Any]]:
    return {
        "id": tickets.ids, "prompt": tickets.prompts, "answer": tickets.answers, "created_at": tickets.created,
        "language": languages, **{f"slice_{column}": cells for column, cells in tickets.slices.items()},
    }  # fmt: skip


def _frame(tickets: Tickets, languages: list[str], groups: Groups, split: Split) -> "pandas.DataFrame":
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
