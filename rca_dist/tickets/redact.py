"""Redaction of personal data and secrets: typed placeholders, consistent within a ticket, counted by kind."""

import re
from collections import Counter
from collections.abc import Sequence

from rca_dist.tickets.redact_rules import RULES, Rule

_SPACED = frozenset({"PHONE", "CARD", "IBAN", "MAC"})
_SEPARATORS = re.compile(r"[ .:()/-]")
_QUOTES = "\"'"


class Redactor:
    """Replaces personal data and secrets by `<EMAIL>`, `<IP>`, `<PHONE>`...; `counts` says how many of each kind.

    Error codes, KB numbers, versions, ticket references, dates and times stay: they are what a model learns from.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def redact_ticket(self, texts: Sequence[str]) -> list[str]:
        """Redact the texts of one ticket. One value has one placeholder in all of them; the second of a kind is
        `<EMAIL_2>`."""
        known: dict[str, dict[str, str]] = {}
        return [self._redact(text, known) for text in texts]

    def _redact(self, text: str, known: dict[str, dict[str, str]]) -> str:
        for rule in RULES:
            if rule.may_hold(text):
                text = rule.pattern.sub(lambda match, rule=rule: self._replace(match, rule, known), text)  # type: ignore[misc]
        return text

    def _replace(self, match: re.Match[str], rule: Rule, known: dict[str, dict[str, str]]) -> str:
        whole, value = match.group(0), match.group(rule.group)
        if not rule.accept(match):
            return whole
        start = match.start(rule.group) - match.start()
        end = start + len(value)
        if value[0] in _QUOTES and value[-1] == value[0] and len(value) > 2:
            start, end, value = start + 1, end - 1, value[1:-1]
        elif rule.kind in ("SECRET", "URL"):
            # Punctuation that ends the sentence belongs to it, not to the value.
            kept = value.rstrip(".,;:?)")
            end, value = end - (len(value) - len(kept)), kept
        self.counts[rule.kind] += 1
        return whole[:start] + _placeholder(rule.kind, value, known) + whole[end:]


def _placeholder(kind: str, value: str, known: dict[str, dict[str, str]]) -> str:
    seen = known.setdefault(kind, {})
    if kind in _SPACED:
        value = _SEPARATORS.sub("", value)
    key = value if kind == "SECRET" else value.casefold()
    if key not in seen:
        seen[key] = f"<{kind}>" if not seen else f"<{kind}_{len(seen) + 1}>"
    return seen[key]
