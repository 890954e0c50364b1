"""Sample values for messages and pages: one line, without markup, redacted, cut to a width."""

from collections.abc import Sequence

from rca_dist.tickets.cleaning.markup import strip_markup
from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.words import is_missing

_READ = 2000  # characters of a cell that are looked at
_TRIED = 200  # different cells that are looked at


def samples(cells: Sequence[str], most: int = 2, width: int = 80, people: Sequence[str] = ()) -> list[str]:
    """The first `most` different values that say something, each as `shorten` gives it; `people` are hidden too."""
    found: list[str] = []
    seen: set[str] = set()
    for cell in cells:
        if cell in seen or is_missing(cell):
            continue
        seen.add(cell)
        text = shorten(cell, width, people)
        if text and text not in found and not is_missing(text):
            found.append(text)
        if len(found) >= most or len(seen) >= _TRIED:
            break
    return found


def shorten(cell: str, width: int = 80, people: Sequence[str] = ()) -> str:
    """One line of at most `width` characters and '...'; redacted whatever `data.redact` says, as messages end up in logs."""
    text = cell.strip()[:_READ]
    if "<" in text or "&" in text:
        # A tag that the cut goes through is no tag any more.
        text = strip_markup(text[: text.rfind("<")] if text.rfind("<") > text.rfind(">") > 0 else text)
    text = text.replace("\\r\\n", " ").replace("\\n", " ").replace("_x000D_", " ")
    line = Redactor().redact_ticket([" ".join(text.split())[: width + 320]], people=people)[0]
    return line if len(line) <= width else line[:width].rstrip() + "..."
