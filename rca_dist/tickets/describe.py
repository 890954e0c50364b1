"""The facts of a prepared table as lines for a terminal: what `rca-dist data` prints."""

from collections.abc import Mapping
from typing import Any


def describe(facts: Mapping[str, Any]) -> str:
    """A page of text from the facts of a `TicketTable`; parts that are missing are left out."""
    rows, split = facts["rows"], facts["split"]
    lines = [f"{facts['file']}: {rows['in']} rows, {rows['kept']} usable tickets"]
    if facts.get("encoding"):
        words = facts.get("accented_words", [])
        lines.append(f"  encoding {facts['encoding']}" + (f" (accented words: {', '.join(words[:6])})" if words else ""))
    lines += _counted("left out", rows["dropped"]) + _counted("cleaned", facts.get("cleaned", {}))
    redaction = facts.get("redaction", {})
    if redaction.get("on", True):
        lines += _counted("redacted", redaction.get("counts", {}))
    else:
        lines.append("  REDACTION IS OFF: personal data and secrets stay in the text (data.redact=false)")
    lines += _columns(facts.get("columns", {}))
    lines += _counted("languages", facts.get("languages", {}))
    if "duplicates" in facts:
        found = facts["duplicates"]
        lines.append(
            f"  near-duplicates: {found['groups']} groups at similarity {found['similarity']}, the largest of "
            f"{found['largest_group']}; {found['share_in_groups']:.0%} of the tickets share a group"
        )
    sizes = ", ".join(f"{side} {count}" for side, count in split["sizes"].items())
    lines.append(f"  split by {split['kind']}: {sizes}" + (f", cut at {split['cut']}" if split.get("cut") else ""))
    lines += [f"  note: {note}" for note in [*facts.get("notes", []), *split.get("notes", [])]]
    lines += [f"  warning: {warning}" for warning in facts.get("warnings", [])]
    return "\n".join(lines)


def _counted(title: str, counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return []
    return [f"  {title}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda c: -c[1]))]


def _columns(columns: Mapping[str, Any]) -> list[str]:
    lines = []
    for role, entry in columns.items():
        if isinstance(entry, Mapping):
            lines.append(f"  {role}: {' + '.join(entry['columns'])}")
            lines += [f"      e.g. {name}: {values[0]!r}" for name, values in entry.get("samples", {}).items() if values]
        elif entry:
            lines.append(f"  {role.replace('_', ' ')}: {', '.join(entry)}")
    return lines
