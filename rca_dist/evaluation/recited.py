"""Personal data in generated answers: a fine-tuned model can recite what no pattern found in its training data."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rca_dist.tickets.redact import Redactor

if TYPE_CHECKING:
    from rca_dist.tickets.table import TicketTable

log = logging.getLogger(__name__)


def redacts(tickets: "TicketTable") -> bool:
    """Whether the tickets were redacted; then answers are, too."""
    return bool(tickets.facts.get("redaction", {}).get("on", True))


def without_personal_data(
    texts: Sequence[str], *, replaced: bool, name: str, speaks: bool = True
) -> tuple[list[str], "Counter[str]"]:
    """(answers, how many of each kind were found), what looks like personal data or a secret `replaced` or left there.

    `name` says whose answers, for the warning of the rank that `speaks`. Everything downstream sees the returned texts.
    """
    redactor = Redactor()
    clean = [redactor.redact_ticket([text])[0] for text in texts]
    found = +redactor.counts
    if found and speaks:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.most_common())
        done = "replaced by placeholders" if replaced else "left there, as data.redact=false"
        log.warning("warning: answers of %s hold what looks like personal data (%s): %s", name, kinds, done)
    return clean if replaced else list(texts), found
