"""From a ticket export to a clean, redacted, split table. No torch in this room.

Front door: `prepare(path, ...)`, which returns a `TicketTable`. Names load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rca_dist.tickets.redact import Redactor as Redactor
    from rca_dist.tickets.table import TicketTable as TicketTable
    from rca_dist.tickets.table import prepare as prepare

_HOMES = {
    "prepare": "rca_dist.tickets.table",
    "TicketTable": "rca_dist.tickets.table",
    "Redactor": "rca_dist.tickets.redact",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rca_dist.tickets' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
