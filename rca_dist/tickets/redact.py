"""Redaction of personal data and secrets: typed placeholders, consistent within a ticket, counted by kind."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from rca_dist.tickets.redaction.accounts import looks_like_login
from rca_dist.tickets.redaction.base import Rule, Sight, is_mixed, look
from rca_dist.tickets.redaction.known_people import Known, aliases, known, replace_known
from rca_dist.tickets.redaction.logins import LISTS
from rca_dist.tickets.redaction.no_names import COMMON_NAME, NO_NAME
from rca_dist.tickets.redaction.people import name_in
from rca_dist.tickets.redaction.rules import RULES

_SPACED = frozenset({"PHONE", "CARD", "IBAN", "MAC", "NATIONAL_ID"})
_SEPARATORS = re.compile(r"[ .:()/\u00a0\u202f\u2011\u2013-]")
_QUOTES = "\"'"
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]{1,20}(?:_\d+)?>")
_GLUED = re.compile(r">(?<=[A-Z0-9]>)(?:[^\s.,;:!?)\]<>\"'\\/]|[.,;]\w|\\\\)|<[A-Z](?<=[^\s(\[<>\"'=:\\/]<[A-Z])")
_MOST_PASSES = 4
_MOST_ECHOES = 64  # values of one ticket that are looked for outside their context; bounds the work on a hostile text


class Names(Protocol):
    """What finds people's names in running text (see `names.NameFinder`)."""

    def find(self, text: str, language: str | None) -> list[tuple[int, int, str]]:
        """The (start, end, kind) of every name, in order and without overlap."""
        ...


class Redactor:
    """Replaces personal data and secrets by `<EMAIL>`, `<IP>`, `<PHONE>`...; `counts` says how many of each kind.

    Error codes, KB numbers, versions, ticket references, dates and times stay: they are what a model learns from.
    `domains` are further domains of the organisation (`contoso.com`): every host in them is a `<HOST>`. `names` finds
    names in running text; without it only names beside a title, a role or a greeting are found. A redactor without
    names can be pickled; counters of several redactors can be added.
    """

    def __init__(self, names: Names | None = None, domains: Iterable[str] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self._names = names
        self._own = _own_domains(sorted({domain.strip(". ").lower() for domain in domains} - {""}))

    def redact_ticket(self, texts: Sequence[str], language: str | None = None, people: Iterable[str] = ()) -> list[str]:
        """Redact the texts of one ticket. One value has one placeholder in all of them; the second of a kind is
        `<EMAIL_2>`. A login, password, host or full name that was recognised by what stands beside it is replaced
        wherever else the ticket repeats it. `language` (`en`, `fr`...) is what the name model is chosen by. `people` are
        the values of the export's people columns for this ticket (`Jane Roe`, `Roe, Jane`, `jroe`, a mail address):
        their full names, first or family names alone and logins go wherever the texts hold them; teams and system
        accounts among them are passed over."""
        forms = known(people)
        ticket = _Ticket(self.counts, forms)
        redacted = [self._redact(text, ticket, language) for text in texts]
        return [ticket.without_echoes(text) for text in redacted] if ticket.echoes else redacted

    def _redact(self, text: str, ticket: "_Ticket", language: str | None) -> str:
        sight = look(text)
        if self._own is not None and any(domain in sight.lowered for domain in self._own[0]):
            # E-mail addresses and URL credentials in these domains keep their own kinds.
            text = _apply(RULES[:_AFTER_MAIL], text, sight, ticket)
            text = self._own[1].sub(lambda match: ticket.placeholder("HOST", match.group(0)), text)
        redacted = _apply(RULES, text, sight, ticket)
        for _ in range(_MOST_PASSES):
            if redacted == text or _GLUED.search(redacted) is None:
                break
            # What was glued to a value that is a placeholder now may stand free: 'SRV-01+33 1 99 00 12 34'.
            text, redacted = redacted, _apply(RULES, redacted, look(redacted), ticket)
        text = replace_known(redacted, ticket.people, ticket.placeholder) if ticket.people else redacted
        if text != redacted:
            text = _apply(LISTS, text, sight, ticket)
        return self._without_names(text, ticket, language) if self._names else text

    def _without_names(self, text: str, ticket: "_Ticket", language: str | None) -> str:
        assert self._names is not None
        taken = [match.span() for match in _PLACEHOLDER.finditer(text)]
        parts, end = [], 0
        for start, stop, kind in self._names.find(text, language):
            inside = any(start < last and first < stop for first, last in taken)
            if start < end or inside or (kind == "PERSON" and name_in(text[start:stop]) == ""):
                continue
            parts += [text[end:start], ticket.placeholder(kind, text[start:stop])]
            end = stop
        return "".join([*parts, text[end:]])


class _Ticket:
    """The values of one ticket and their placeholders."""

    def __init__(self, counts: Counter[str], people: Sequence[Known] = ()) -> None:
        self.counts = counts
        self.people = people
        self.echoes: dict[str, str] = {}
        self._known: dict[str, dict[str, str]] = {}
        self._aliases = aliases(people) if people else {}

    def placeholder(self, kind: str, value: str) -> str:
        """The placeholder of a value, counted; a new one for a new value."""
        self.counts[kind] += 1
        seen = self._known.setdefault(kind, {})
        key = _key(kind, value)
        if kind == "PERSON":
            key = self._aliases.get(key, key)
        if key not in seen:
            seen[key] = f"<{kind}>" if not seen else f"<{kind}_{len(seen) + 1}>"
            if kind == "PERSON" and " " in key:
                self._learn(key)
        for echo in _echoes(kind, value) if len(self.echoes) < _MOST_ECHOES else ():
            self.echoes.setdefault(echo, seen[key] if kind != "PATH" else self._of_path(echo))
        return seen[key]

    def _learn(self, name: str) -> None:
        """'Mrs Roe' is Jane Roe from here on, unless the ticket has two of that name."""
        for word in name.split():
            if len(word) >= 3:
                self._aliases[word] = name if self._aliases.get(word, name) == name else word

    def _of_path(self, user: str) -> str:
        """A user's folder has been a PATH; the bare login that it shows is a USER."""
        seen = self._known.setdefault("USER", {})
        return seen.setdefault(_key("USER", user), f"<USER_{len(seen) + 1}>" if seen else "<USER>")

    def without_echoes(self, text: str) -> str:
        """Replace what was recognised elsewhere in the ticket and stands here without its context."""
        for value in sorted(self.echoes, key=lambda value: (-len(value), value)):
            if value in text:
                placeholder = self.echoes[value]
                pattern = rf"(?<![\w<.@-]){re.escape(value)}(?![\w>@-]|\.\w)"
                text, found = re.subn(pattern, lambda match, new=placeholder: new, text)  # type: ignore[misc]
                self.counts[placeholder.strip("<>").rstrip("0123456789").rstrip("_")] += found
        return text


def scan(text: str, names: Names | None = None) -> Counter[str]:
    """Count the personal data and secrets of a text (a generated answer, say) by kind; placeholders count for nothing."""
    redactor = Redactor(names)
    redactor.redact_ticket([text])
    return +redactor.counts


def _apply(rules: Sequence[Rule], text: str, sight: Sight, ticket: _Ticket) -> str:
    test, passed = None, False
    for rule in rules:
        if rule.may_hold is not test:  # neighbours often share one test
            test, passed = rule.may_hold, rule.may_hold(sight)
        if passed:
            text = rule.pattern.sub(lambda match, rule=rule: _replace(match, rule, ticket), text)  # type: ignore[misc]
    return text


def _replace(match: re.Match[str], rule: Rule, ticket: _Ticket) -> str:
    group = rule.group
    if group and match[group] is None:
        group = match.lastgroup or 0
    whole, value = match.group(0), match.group(group)
    if not rule.accept(match):
        return whole
    if rule.trim is not None:
        value = rule.trim(value)
    start = match.start(group) - match.start()
    end = start + len(value)
    if value[0] in _QUOTES and value[-1] == value[0] and len(value) > 2:
        start, end, value = start + 1, end - 1, value[1:-1]
    elif rule.kind in ("SECRET", "URL"):
        # Punctuation that ends the sentence belongs to it, not to the value.
        kept = value.rstrip(".,;:?)\\")
        end, value = end - (len(value) - len(kept)), kept
    if not value or "<" in value:
        return whole  # holds a placeholder already
    return whole[:start] + ticket.placeholder(rule.kind, value) + whole[end:]


def _key(kind: str, value: str) -> str:
    if kind in _SPACED:
        value = _SEPARATORS.sub("", value)
    elif kind == "USER":
        value = value.rpartition("\\")[2]
    elif kind == "PERSON":  # 'Roe, Jane' is Jane Roe
        value = " ".join(sorted(value.replace(",", " ").casefold().split()))
    return value if kind == "SECRET" else " ".join(value.casefold().split())


def _echoes(kind: str, value: str) -> list[str]:
    """The strings to look for in the rest of the ticket: none where it could be an ordinary word."""
    if kind == "PERSON" and " " in value:
        words = value.replace(",", " ").split()
        alone = [word for word in words if len(word) >= 4 and word[0].isupper() and word.isalpha()]
        lowered = {word.lower().strip(".") for word in words}
        # 'Error Code' taken for a name must not take every 'Code' with it.
        return [value, *(word for word in alone if lowered.isdisjoint(NO_NAME) and word.lower() not in COMMON_NAME)]
    echo = _echo(kind, value)
    return [echo] if echo else []


def _echo(kind: str, value: str) -> str:
    """The string to look for in the rest of the ticket, or "" where it could be an ordinary word."""
    if kind in ("PATH", "USER"):
        value = re.split(r"[\\/]", value)[-1]
        return value if len(value) >= 4 and looks_like_login(value) else ""
    if kind == "SECRET":
        return value if 6 <= len(value) <= 60 and (is_mixed(value) or not value.isalnum()) and " " not in value else ""
    if kind == "HOST":
        return value if len(value) >= 5 and (is_mixed(value) or value.count(".") >= 2) else ""
    return ""


def _own_domains(domains: list[str]) -> tuple[list[str], re.Pattern[str]] | None:
    if not domains:
        return None
    ends = "|".join(re.escape(domain) for domain in domains)
    return domains, re.compile(rf"(?<![\w.@-])(?:[\w-]{{1,63}}\.){{0,20}}(?:{ends})(?![\w-]|\.\w)", re.IGNORECASE)


_AFTER_MAIL = 1 + max(place for place, rule in enumerate(RULES) if rule.kind == "EMAIL")
