"""Probability tables of the built-in ticket model: who breaks how often, and which cause lies behind it.

These tables, with the phrase tables of `en` and `fr`, are the statement of the causal model;
`model` only computes with them. All probabilities of one table sum to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rca_dist.tickets.made_up import en, fr

Weighted = tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Phrases:
    """All wording of one language; `{site}`, `{code}`, `{kb}`, `{minutes}`, `{days}` are filled per ticket."""

    symptoms: Mapping[str, tuple[str, str, str, str]]  # two titles, two sentences
    generic: Mapping[str, tuple[str, str]]  # per component: title, sentence that fit all its symptoms
    families: Mapping[str, tuple[str, str]]  # per family: title, sentence that fit several components
    causes: Mapping[str, tuple[str, str, str]]  # cause, fix, check
    suffixes: Weighted
    greetings: Weighted
    contexts: Weighted
    details: Weighted
    since: tuple[str, ...]  # equally likely: near-duplicates rely on it
    urgency: Weighted
    closings: Weighted
    answers: tuple[Weighted, Weighted, Weighted]  # cause statement, fix, check
    junk: tuple[str, ...]


@dataclass(frozen=True)
class Component:
    """A part of the IT estate: its share, its error codes, p(symptom | component), p(cause | symptom)."""

    weight: float
    category: str
    family: str
    codes: Mapping[str, float]
    symptoms: Mapping[str, float]
    causes: Mapping[str, Mapping[str, float]]  # symptom -> cause -> probability


@dataclass(frozen=True)
class Tables:
    """The whole model. `articles` lists the knowledge-base numbers an answer may cite, per cause."""

    languages: Mapping[str, float]
    sites: Mapping[str, float]
    components: Mapping[str, Component]
    articles: Mapping[str, Mapping[str, float]]
    minutes: Mapping[str, float]
    days: Mapping[str, float]
    phrases: Mapping[str, Phrases]


# Symptom wording: two of its own, one that only names the component, one that only names the family.
TITLE_WEIGHTS = (0.40, 0.30, 0.20, 0.10)
SENTENCE_WEIGHTS = (0.45, 0.30, 0.15, 0.10)
JUNK_SHARE = 0.05
DUPLICATE_SHARE = 0.06


def _component(weight: float, category: str, family: str, codes: str, symptoms: str, causes: str, *rows: str) -> Component:
    """Read the compact notation below: `rows` holds p(cause | symptom) in percent, one row per symptom."""
    shares = dict(zip(codes.split(), (0.6, 0.4), strict=True))
    names = symptoms.split()
    table = {
        name: {cause: int(p) / 100 for cause, p in zip(causes.split(), row.split(), strict=True) if int(p)}
        for name, row in zip(names, rows, strict=True)
    }
    return Component(weight, category, family, shares, dict(zip(names, (0.42, 0.33, 0.25), strict=True)), table)


# fmt: off
COMPONENTS = {
    "vpn": _component(
        0.14, "Remote access", "network", "ERR-4021 ERR-4057",
        "vpn.drops vpn.refused vpn.slow", "vpn.certificate vpn.profile vpn.packets vpn.pool",
        "10 20 70 0", "70 10 0 20", "0 75 20 5"),
    "mail": _component(
        0.13, "Messaging", "device", "ERR-2113 ERR-2140",
        "mail.send mail.search mail.late", "mail.quota mail.index mail.cache",
        "70 5 25", "0 80 20", "20 10 70"),
    "printer": _component(
        0.11, "Printing", "device", "ERR-7305 ERR-7311",
        "printer.blank printer.queue printer.scan", "printer.toner printer.spooler printer.driver printer.relay",
        "70 0 30 0", "5 70 25 0", "0 10 20 70"),
    "erp": _component(
        0.12, "Business applications", "access", "ERR-5502 ERR-5519",
        "erp.post erp.slow erp.denied", "erp.lock erp.statistics erp.role",
        "70 20 10", "20 75 5", "15 0 85"),
    "wifi": _component(
        0.11, "Network", "network", "ERR-3208 ERR-3231",
        "wifi.missing wifi.roaming wifi.rejected", "wifi.antenna wifi.driver wifi.authority",
        "65 35 0", "20 70 10", "0 15 85"),
    "login": _component(
        0.11, "Identity", "access", "ERR-1604 ERR-1637",
        "login.badge login.loop login.lock", "login.clock login.cookies login.phone",
        "80 10 10", "15 75 10", "5 20 75"),
    "share": _component(
        0.11, "File service", "access", "ERR-6401 ERR-6443",
        "share.missing share.denied share.full", "share.mapping share.group share.volume",
        "75 25 0", "10 75 15", "5 10 85"),
    "meeting": _component(
        0.09, "Collaboration", "network", "ERR-8120 ERR-8155",
        "meeting.audio meeting.video meeting.join", "meeting.sound meeting.ports meeting.plugin",
        "75 20 5", "15 75 10", "0 25 75"),
    "laptop": _component(
        0.08, "Workplace", "device", "ERR-9017 ERR-9043",
        "laptop.battery laptop.dock laptop.boot", "laptop.cell laptop.supply laptop.firmware",
        "75 10 15", "0 70 30", "20 5 75"),
}
# fmt: on

_CAUSES = sorted({c for part in COMPONENTS.values() for row in part.causes.values() for c in row})
# Few articles shared by many causes: with one number per cause a short training would go into learning digits.
_ARTICLES = [f"KB5031{137 + 29 * i}" for i in range(6)] + [f"KB5034{121 + 30 * i}" for i in range(6)]
ARTICLES = {cause: {_ARTICLES[i % 12]: 0.7, _ARTICLES[(i + 5) % 12]: 0.3} for i, cause in enumerate(_CAUSES)}


def _phrases(module: object) -> Phrases:
    return Phrases(**{name: getattr(module, name.upper()) for name in Phrases.__dataclass_fields__})


DEFAULT = Tables(
    languages={"en": 0.5, "fr": 0.5},
    sites={"Lyon": 0.24, "Lille": 0.20, "Nantes": 0.18, "Namur": 0.15, "Grenoble": 0.13, "Lausanne": 0.10},
    components=COMPONENTS,
    articles=ARTICLES,
    minutes={"10": 0.5, "20": 0.3, "45": 0.2},
    days={"7": 0.5, "14": 0.3, "30": 0.2},
    phrases={"en": _phrases(en), "fr": _phrases(fr)},
)
