"""Built-in tickets: English and French incidents drawn from a stated causal model, with the best possible score.

The model, all of whose probabilities stand in `tables`, `en` and `fr`:

    language (en, fr)                                     half and half
    component c, symptom s                                p(c) p(s | c): 9 components, 3 symptoms each
    site, error code                                      p(site), p(code | c): closed lists
    title, description | language, c, s, site, code       templates; noise (greeting, context, since when, urgency,
                                                          closing); a share of the wording fits several symptoms of
                                                          c, or several components, or leaves site or code out
    cause z | c, s                                        2-4 causes, skewed
    answer | language, z, site, code                      three sentences (cause, fix, check), 4 wordings each; site and
                                                          code come back from the ticket; article number, minutes and
                                                          days are drawn anew and cannot be known from the ticket

So p(answer | ticket text) is a finite sum, and every row carries `oracle_nll` = -ln p(its answer | its title and
description) and `oracle_answer`, the most probable answer. The mean of `oracle_nll` estimates the conditional entropy:
no system that sees only the ticket can have a lower expected loss.

Two departures from independent rows, neither of which touches p(answer | own text). *Junk*: a share of the resolutions
is replaced by "Solved." and the like, whatever the ticket; those rows have no oracle values. *Near-duplicates*: a share
of the rows reports an earlier incident once more: the same latents, some ticket fragments redrawn, and either the same
answer or one whose last sentence is redrawn. Fragments are independent given the latents and what is redrawn does not
depend on the values, so a near-duplicate alone is distributed like any other row.
"""

import csv
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from rca_dist.errors import UserError
from rca_dist.tickets.made_up.dirty import Salt, salt
from rca_dist.tickets.made_up.model import (
    CLOSING,
    GREETING,
    SINCE,
    SUFFIX,
    Latent,
    Outcome,
    TicketModel,
    default_model,
)
from rca_dist.tickets.made_up.stages import draw
from rca_dist.tickets.made_up.tables import DUPLICATE_SHARE, JUNK_SHARE

COLUMNS = (
    "number", "opened_at", "category", "source", "short_description", "description", "resolution_notes",
    "oracle_nll", "oracle_answer",
)  # fmt: skip
_START = datetime(2024, 1, 8, 6, 0, tzinfo=UTC)
_MINUTES = 548 * 24 * 60
_CHANNELS = (("portal", 0.5), ("mail", 0.3), ("phone", 0.2))
_RECENT = 40  # a near-duplicate follows one of the last so many incidents


@dataclass(frozen=True)
class Incident:
    """What really happened behind one row (never written to the file); `twin_of` is the number of the first report."""

    latent: Latent
    cause: str
    junk: bool
    twin_of: str | None


@dataclass(frozen=True)
class Generated:
    """`rows[i]` is the ticket of `incidents[i]`; `salts` lists the planted personal data (dirty sets only)."""

    rows: list[dict[str, str]]
    incidents: list[Incident]
    salts: list[Salt]


@dataclass
class _Draft:
    latent: Latent
    cause: str
    ticket: list[str]
    answer: list[str]
    minute: int
    junk: str | None = None
    twin_of: "_Draft | None" = None
    number: str = ""


def generate(n: int, seed: int = 0, *, dirty: bool = False) -> list[dict[str, str]]:
    """Return `n` rows (junk included), a pure function of (n, seed, dirty), ordered by time of opening.

    Keys: number, opened_at (ISO 8601, UTC), category, source, short_description, description, resolution_notes,
    oracle_nll (nats for the whole answer; "" for junk), oracle_answer ("" for junk). `dirty` salts the rows with HTML,
    invented personal data, mail footers and more junk, and leaves the oracle columns out. Raises UserError if n < 1.
    """
    return generate_with_truth(n, seed, dirty=dirty).rows


def generate_dirty(n: int, seed: int = 0) -> tuple[list[dict[str, str]], list[Salt]]:
    """Return dirty rows and the list of (row, column, kind, string) of the personal data planted in them."""
    made = generate_with_truth(n, seed, dirty=True)
    return made.rows, made.salts


def generate_with_truth(n: int, seed: int = 0, *, dirty: bool = False) -> Generated:
    """Return the rows of `generate` with the incidents behind them."""
    if n < 1:
        raise UserError(f"cannot generate {n} tickets: ask for at least 1")
    # str(seed) is hashed with SHA-512 by Random: the stream does not depend on the process.
    rng = Random(f"tickets {seed}")
    model = default_model()
    drafts = _drafts(n, rng, model, junk_share=3 * JUNK_SHARE if dirty else JUNK_SHARE)
    for index, draft in enumerate(drafts):
        draft.number = f"INC{1000 + index:07d}"
    rows = [_row(draft, rng, model) for draft in drafts]
    salts: list[Salt] = []
    if dirty:
        salts = salt(rows, rng, [draft.latent.language for draft in drafts])
    else:
        _add_oracle(rows, drafts, model)
    incidents = [Incident(d.latent, d.cause, d.junk is not None, d.twin_of.number if d.twin_of else None) for d in drafts]
    return Generated(rows, incidents, salts)


def write_csv(path: str | Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows as UTF-8 CSV, complete or not at all; UserError when the place cannot be written to."""
    target = Path(path)
    # A name of its own, for two runs may fill one cache at the same time.
    aside = target.with_name(f".{target.name}.{socket.gethostname()}-{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        aside.replace(target)
    except OSError as error:
        raise UserError(
            f"cannot write {target}: {error.strerror or error}; choose a path in a directory you can write to"
        ) from error
    finally:
        _remove(aside)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the write failed for the same reason and has been reported


def _drafts(n: int, rng: Random, model: TicketModel, *, junk_share: float) -> list[_Draft]:
    states = list(model.latents())
    latents, weights = [x for x, _ in states], [w for _, w in states]
    originals: list[_Draft] = []
    drafts: list[_Draft] = []
    for latent in rng.choices(latents, weights, k=n):
        if originals and rng.random() < DUPLICATE_SHARE:
            draft = _retell(rng.choice(originals[-_RECENT:]), rng, model)
        else:
            draft = _tell(latent, rng, model)
            originals.append(draft)
        if rng.random() < junk_share:
            draft.junk = rng.choice(model.tables.phrases[draft.latent.language].junk)
        drafts.append(draft)
    return sorted(drafts, key=lambda d: d.minute)


def _tell(latent: Latent, rng: Random, model: TicketModel) -> _Draft:
    cause = draw(tuple(model.causes(latent.symptom).items()), rng)
    ticket = [draw(stage, rng) for stage in model.ticket_stages(latent)]
    answer = [draw(stage, rng) for stage in model.answer_stages(_outcome(latent, cause))]
    return _Draft(latent, cause, ticket, answer, rng.randrange(_MINUTES))


def _retell(first: _Draft, rng: Random, model: TicketModel) -> _Draft:
    """Return another report of the same incident. What is redrawn must not depend on the values it replaces."""
    stages = model.ticket_stages(first.latent)
    ticket = list(first.ticket)
    # A uniform stage moved to another of its values stays uniform: the text changes, its distribution does not.
    since = [text for text, _ in stages[SINCE]]
    step = rng.randrange(1, len(since))
    ticket[SINCE] = since[(since.index(ticket[SINCE]) + step) % len(since)]
    if rng.random() < 0.5:
        other = rng.choice((SUFFIX, GREETING, CLOSING))
        ticket[other] = draw(stages[other], rng)
    answer = list(first.answer)
    if rng.random() < 0.4:
        answer[2] = draw(model.answer_stages(_outcome(first.latent, first.cause))[2], rng)
    minute = first.minute + rng.randrange(10, 3 * 24 * 60)
    return _Draft(first.latent, first.cause, ticket, answer, minute, twin_of=first)


def _outcome(latent: Latent, cause: str) -> Outcome:
    return Outcome(latent.language, cause, latent.site, latent.code)


def _row(draft: _Draft, rng: Random, model: TicketModel) -> dict[str, str]:
    title, description = "".join(draft.ticket).split("\n")
    component = model.tables.components[model.component_of[draft.latent.symptom]]
    opened = _START + timedelta(minutes=draft.minute)
    return {
        "number": draft.number,
        "opened_at": opened.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "category": component.category,
        "source": draw(_CHANNELS, rng),
        "short_description": title,
        "description": description,
        "resolution_notes": "".join(draft.answer) if draft.junk is None else draft.junk,
    }


def _add_oracle(rows: list[dict[str, str]], drafts: Sequence[_Draft], model: TicketModel) -> None:
    for row, draft in zip(rows, drafts, strict=True):
        row["oracle_nll"] = row["oracle_answer"] = ""
        if draft.junk is None:
            outcomes = model.outcome_posterior(f"{row['short_description']}\n{row['description']}")
            row["oracle_nll"] = f"{model.answer_nll(outcomes, row['resolution_notes']):.10f}"
            row["oracle_answer"] = model.best_answer(outcomes)
