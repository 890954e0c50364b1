"""The facts of a prepared table as a page for a terminal: what `rca-dist data` prints, the important things first."""

import textwrap
from collections.abc import Mapping
from typing import Any

from rca_dist.tickets.describing.advice import advice_for
from rca_dist.tickets.mapping.shown_names import shown
from rca_dist.tickets.plural import counted

WIDTH = 110
_ANSWERS, _ANSWER = 5, 190
_ROLE_FLAGS = {"prompt": "NAME[,NAME]", "answer": "NAME"}
_SHOWN = ("prompt", "answer", "id", "created_at", "slices", "group", "split")
_ROLE_WORDS = {"prompt": "what the model reads", "answer": "what it learns to write"}
_TITLES = {
    "Warnings": "Warnings, the most important first",
    "Repeated": "Answers given most often. Are they real solutions? If not, leave such rows out of the export",
}


def describe(facts: Mapping[str, Any]) -> str:
    """A page of text from the facts of a `TicketTable`; parts that are missing are left out.

    `facts["profile"]` and `facts["flattery"]`, where given, add repeated answers, lengths, dates and the baseline.
    """
    rows, profile = facts["rows"], facts.get("profile") or {}
    parts = [
        [f"{facts['file']}: {counted(rows['in'], 'row')}, {counted(rows['kept'], 'usable ticket')}", *_source(facts)],
        _left_out(rows),
        _columns(facts.get("columns", {})),
        _changed(facts),
        _section(_TITLES["Warnings"], _listed(facts.get("warnings", []))),
        _section("Split", _split(facts)),
        _section(_TITLES["Repeated"], _repeated(profile.get("repeated_answers", []))),
        _section("Size and time", _size(facts, profile)),
        _section("How far plain copying gets", [_wrapped(line) for line in facts.get("flattery", {}).get("sentences", [])]),
        _section("Notes", _listed([*facts.get("notes", []), *facts.get("split", {}).get("notes", [])])),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _wrapped(text: str, indent: str = "  ", first: str | None = None) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _listed(sentences: list[str]) -> list[str]:
    return [_wrapped(sentence, "     ", f"  {number}. ") for number, sentence in enumerate(dict.fromkeys(sentences), 1)]


def _source(facts: Mapping[str, Any]) -> list[str]:
    lines = []
    if facts.get("encoding"):
        found = facts.get("accented_words", [])
        look = f" (do these words look right? {', '.join(found[:6])})" if found else ""
        lines.append(_wrapped(f"encoding {facts['encoding']}{look}"))
        if found:
            lines.append("  if not, name the encoding: --data.encoding=NAME")
    return lines


def _left_out(rows: Mapping[str, Any]) -> list[str]:
    dropped = rows.get("dropped", {})
    if not dropped:
        return []
    lines = [f"Left out: {counted(sum(dropped.values()), 'row')}"]
    width = len(str(max(dropped.values())))
    for reason, count in _largest_first(dropped):
        advice = advice_for(reason)
        text = f"{reason}: {advice}" if advice else reason
        lines.append(_wrapped(text, " " * (width + 4), f"  {count:>{width}}  "))
    return lines


def _columns(columns: Mapping[str, Any]) -> list[str]:
    lines = ["Columns (two values of each, cleaned and redacted)"]
    for role, entry in columns.items():
        if isinstance(entry, Mapping) and "columns" in entry:
            meaning = f" ({_ROLE_WORDS[role]})" if role in _ROLE_WORDS else ""
            lines.append(f"  {role}: {' + '.join(map(shown, entry['columns']))}{meaning}")
            for name, values in entry.get("samples", {}).items() if role in _SHOWN else ():
                lines += [f"      {shown(name)}: {value!r}" for value in dict.fromkeys(values[:2])]
            if role in _ROLE_WORDS:
                lines.append(f"      another column: --data.columns.{role}={_ROLE_FLAGS[role]}")
        elif isinstance(entry, list) and entry:
            lines.append(_wrapped(f"{role.replace('_', ' ')}: {', '.join(map(shown, entry))}", "      ", "  "))
    missing = [role for role in ("id", "created_at") if columns and role not in columns]
    lines += [f"  {role}: none found; name one with --data.columns.{role}=NAME" for role in missing]
    return lines if len(lines) > 1 else []


def _changed(facts: Mapping[str, Any]) -> list[str]:
    lines = []
    cleaned, redaction = facts.get("cleaned", {}), facts.get("redaction", {})
    if cleaned:
        lines.append(_wrapped("cleaned cells: " + _counts(cleaned)))
    if not redaction.get("on", True):
        lines.append("  REDACTION IS OFF: personal data and secrets stay in the text (data.redact=false)")
    elif redaction.get("counts"):
        lines.append(_wrapped("replaced by placeholders: " + _counts(redaction["counts"])))
    elif redaction:
        lines.append("  replaced by placeholders: nothing (no personal data or secrets of a known form were found)")
    return _section("Cleaning and redaction", lines)


def _split(facts: Mapping[str, Any]) -> list[str]:
    split = facts.get("split") or {}
    if split.get("problem"):
        return [_wrapped(f"No split: {split['problem']}")]
    if not split.get("sizes"):
        return []
    text = split.get("sentence")
    if not text:
        kind = split.get("used", split["kind"])
        how = {
            "group": "near-duplicate tickets stay on one side", "random": "tickets are dealt at random",
            "time": "the newest tickets are the test", "file": "as the file says",
        }.get(kind, kind)  # fmt: skip
        text = f"{how}: " + ", ".join(f"{side} {count}" for side, count in split["sizes"].items())
    lines = [_wrapped(text)]
    found = facts.get("duplicates")
    if found and found["largest_group"] < 2:
        lines.append("  near-duplicates: no ticket has one")
    elif found:
        lines.append(_wrapped(
            f"near-duplicates: {100 * found['share_in_groups']:.0f} % of the tickets have one; the largest group has "
            f"{found['largest_group']} tickets (two tickets count as alike from {found['similarity']} on, --split.similarity)"
        ))  # fmt: skip
    return lines


def _repeated(answers: list[Mapping[str, Any]]) -> list[str]:
    return [
        _wrapped(textwrap.shorten(found["text"], _ANSWER, placeholder=" ..."), "          ", f"  {found['count']:>5} x ")
        for found in answers[:_ANSWERS]
    ]


def _size(facts: Mapping[str, Any], profile: Mapping[str, Any]) -> list[str]:
    lines = []
    if facts.get("languages"):
        lines.append(_wrapped("languages: " + _counts(facts["languages"]) + _undetermined(facts["languages"])))
    for part, name in (("prompt", "ticket text"), ("answer", "answer")):
        words = profile.get("lengths", {}).get(part, {}).get("words")
        if words:
            lines.append(
                f"  {name}: half have up to {counted(words['p50'], 'word')}, 9 in 10 up to {words['p90']}, "
                f"the longest {words['max']}"
            )
    cut = profile.get("cut")
    if cut:
        many = f"about {counted(cut['tickets'], 'ticket')} ({100 * cut['share']:.1f} %)" if cut["tickets"] else "no ticket"
        lines.append(_wrapped(f"train.max_length={cut['max_length']} would cut {many}; estimated: {cut['approximate']}"))
    time = profile.get("timeline") or {}
    if time.get("points"):
        lines.append(
            f"  opened from {time['first']} to {time['last']}" + (f", {time['undated']} undated" * bool(time["undated"]))
        )
    return lines


def _undetermined(languages: Mapping[str, int]) -> str:
    return " (und: too short to tell)" if "und" in languages else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in _largest_first(counts))


def _largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
