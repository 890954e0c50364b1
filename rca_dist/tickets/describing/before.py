"""What sample tickets looked like before cleaning, without their raw text: marks and markup as they were, words hidden.

A raw cell may hold what no rule finds (a name in a signature, an address spelt in entities). So only words that the cleaned,
redacted ticket holds as well are shown, with the words that mail headers and closings are made of; the rest is counted.
"""

import hashlib
import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.words import fold

LONGEST = 3000
_LOOKED_AT = 200
_TAG_NAMES = (
    "a abbr article b blockquote body br center code col dd del div dl dt em font footer h1 h2 h3 h4 h5 h6 head header hr html "
    "i img ins kbd li link meta ol p pre s section small span strike strong style sub sup table tbody td tfoot th thead title "
    "tr u ul script"
)
_HEADER_WORDS = (
    "from sent to cc subject date original message wrote forwarded de envoye a objet ecrit von gesendet an betreff schrieb "
    "para asunto assunto oggetto inviato regards best kind thanks cordialement bien sincerely gruss grusse work notes "
    "additional comments on le am"
)
_TAGS, _FRAME_WORDS = frozenset(_TAG_NAMES.split()), frozenset(_HEADER_WORDS.split())
_TOKEN = re.compile(
    r"(?P<placeholder><[A-Z][A-Z_]{1,30}(?:_\d{1,4})?>)"
    r"|(?P<tag></?(?P<name>[A-Za-z][A-Za-z0-9]{0,9})(?P<rest>\s(?:[^<>]|<[A-Z_0-9]{2,34}>){0,2000})?/?>)"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
    r"|(?P<mark>\\r\\n|\\[nrt]|_x000[dD]_|\#\((?:cr|lf)\))"
    r"|(?P<word>\w+)"
)


def raw_samples(
    ids: Sequence[str],
    prompts: Sequence[str],
    answers: Sequence[str],
    raw_of: Callable[[int], tuple[str, str]],
    *,
    most: int = 5,
    redactor: Redactor | None = None,
) -> list[dict[str, Any]]:
    """Up to `most` sample tickets as they were read: `id`, `prompt` and `answer`, with hidden words counted.

    `prompts` and `answers` are the cleaned and redacted texts, `raw_of(n)` gives the raw prompt and answer of ticket n.
    The same tickets are chosen in any row order: most by a hash of the id, the others because cleaning took most from them.
    """
    finder = redactor or Redactor()
    samples = []
    for n in _choose(ids, prompts, answers, raw_of, most):
        raw = [text[:LONGEST] for text in raw_of(n)]
        shown = finder.redact_ticket([prompts[n], answers[n]])
        hidden = finder.redact_ticket(raw)
        allowed = _words(" ".join(shown))
        samples.append({"id": ids[n], "prompt": masked(hidden[0], allowed), "answer": masked(hidden[1], allowed)})
    return samples


def masked(text: str, allowed: frozenset[str] | set[str]) -> str:
    """`text` with its markup, placeholders and the words in `allowed` (folded); runs of other words become `[n words]`."""
    parts: list[str] = []
    hidden, end = 0, 0
    for match in _TOKEN.finditer(text):
        between, shown = text[end : match.start()], _shown(match, allowed)
        end = match.end()
        if shown is None:
            if not hidden:
                parts.append(between)
            hidden += 1
            continue
        if hidden:
            parts.append(_count(hidden))
            hidden = 0
        parts += [between, shown]
    if hidden:
        parts.append(_count(hidden))
    parts.append(text[end:])
    return "".join(parts)


def _shown(match: re.Match[str], allowed: frozenset[str] | set[str]) -> str | None:
    whole = match.group(0)
    if match["tag"]:
        name = match["name"].casefold()
        if name not in _TAGS:
            return None
        return whole if not (match["rest"] or "").strip(" /") else f"<{match['name']} \u2026>"
    if match["entity"]:
        # An entity can stand for a letter of a name.
        return whole if not any(char.isalnum() for char in html.unescape(whole)) else None
    if match["word"]:
        folded = fold(whole)
        return whole if folded in allowed or folded in _FRAME_WORDS else None
    return whole


def _count(hidden: int) -> str:
    return f"[{hidden} word{'s' if hidden > 1 else ''}]"


def _words(text: str) -> frozenset[str]:
    return frozenset(fold(word) for word in re.findall(r"\w+", text))


def _choose(
    ids: Sequence[str], prompts: Sequence[str], answers: Sequence[str], raw_of: Callable[[int], tuple[str, str]], most: int
) -> list[int]:
    def place(n: int) -> bytes:
        return hashlib.blake2b(ids[n].encode("utf-8", "replace"), digest_size=8).digest()

    ranked = sorted(range(len(ids)), key=place)[:_LOOKED_AT]
    kept = {n: (len(prompts[n]) + len(answers[n])) / max(1, sum(map(len, raw_of(n)))) for n in ranked}
    drawn = ranked[: most - most // 3]
    changed = sorted((n for n in ranked if n not in drawn), key=lambda n: (kept[n], place(n)))
    return drawn + changed[: most - len(drawn)]
