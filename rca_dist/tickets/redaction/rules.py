"""What counts as personal data or a secret: one rule per form, in the order in which they are applied.

The order matters: a URL with a password holds what looks like an e-mail address, a card number what looks like a telephone
number, the first group of a bank account looks like a login, and a user's path holds the name of a host.
"""

from rca_dist.tickets.redaction import (
    accounts,
    devices,
    hosts,
    logins,
    mentions,
    more_languages,
    network,
    numbers,
    people,
    phones,
    secrets,
    shared_secrets,
)
from rca_dist.tickets.redaction.base import Rule as Rule

RULES = (
    *secrets.RULES,
    *shared_secrets.RULES,
    *more_languages.RULES,
    *network.RULES,
    *mentions.RULES,
    *numbers.RULES,
    *logins.FIRST,
    *accounts.RULES,
    *logins.LISTS,
    *phones.RULES,
    *hosts.RULES,
    *devices.RULES,
    *people.RULES,
)
