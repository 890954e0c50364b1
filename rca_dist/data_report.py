"""The data report: what `rca-dist data FILE [--html]` prints and writes, from one ticket on. Needs no torch."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rca_dist import wiring
from rca_dist.config import Config
from rca_dist.errors import UserError
from rca_dist.runtime.files import read_json, write_json, write_text
from rca_dist.tickets.selection import LEAST_TICKETS

if TYPE_CHECKING:
    from rca_dist.tickets.table import TicketTable

DATA, PAGE = "data.json", "data.html"


def main_page(config: Config, table: "TicketTable", *, folder: Path | None = None, arguments: Sequence[str] = ()) -> str:
    """The page for the terminal; with `folder`, data.json and data.html are written there too, each whole or not at all.

    `arguments` are the user's own, for the command that comes next. Raises UserError where a file of another kind is in the
    way or the folder cannot be written.
    """
    from rca_dist.tickets.describe import describe

    if folder is not None:
        check_free(folder)
    facts = build(table, max_length=config.train.max_length, seed=config.split.seed)
    page = "The same as a page with plots and sample tickets: add --html"
    if folder is not None:
        page = f"Written: {', '.join(str(path) for path in write(facts, folder))}"
    return f"{describe(facts)}\n\n{page}\nNext: {next_step(facts, arguments)}"


def build(table: "TicketTable", *, max_length: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Facts, profile and flattery of a table, JSON-able; text in it is redacted, whatever the table holds."""
    from rca_dist.tickets.profile import profile

    facts = dict(table.facts)
    raw = facts.pop("raw_samples", ())
    return facts | {"profile": profile(table.frame, raw, max_length=max_length), "flattery": measure(table, seed=seed)}


def measure(table: "TicketTable", *, seed: int = 0) -> dict[str, Any]:
    """`flattery` of a table with its sentences, see `rca_dist.evaluation.flattery`."""
    from rca_dist.evaluation.flattery import flattery, sentences

    frame = table.frame
    ids, prompts, answers, groups = (frame[name].tolist() for name in ("id", "prompt", "answer", "group"))
    dates: list[float | None] = []
    if "created_at" in frame.columns and len(frame):
        dates = [None if moment != moment else moment.timestamp() for moment in frame["created_at"]]
    found = flattery(ids, prompts, answers, groups, dates, seed=seed)
    return found | {"sentences": sentences(found)}


def next_step(facts: dict[str, Any], arguments: Sequence[str]) -> str:
    """What to do after reading the page: the training command, or what lacks for one."""
    kept = facts["rows"]["kept"]
    if kept < LEAST_TICKETS:
        return f"export more tickets; {kept} can be described, but training needs at least {LEAST_TICKETS}."
    if facts.get("split", {}).get("problem"):
        return "mend what stands under Split, then train with: " + _command(arguments)
    return _command(arguments)


def _command(arguments: Sequence[str]) -> str:
    named = [f"--{token}" if "=" in token and not token.startswith("-") else token for token in arguments]
    return shlex.join(["rca-dist", "train", *named])


def write(facts: dict[str, Any], folder: Path) -> list[Path]:
    """Write data.json and data.html into `folder` (made if missing) and return their paths."""
    from rca_dist.report.data_page import render

    paths = [folder / DATA, folder / PAGE]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(paths[0], facts)
        write_text(paths[1], render(facts))
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror or error}); give --html=FOLDER") from error
    return paths


def check_free(folder: Path) -> None:
    """Raise UserError where data.json or data.html of somebody else stands in `folder`."""
    found = read_json(folder / DATA)
    foreign = (folder / DATA).exists() and not (isinstance(found, dict) and "rows" in found and "split" in found)
    page = folder / PAGE
    name = DATA if foreign else PAGE
    if not foreign and page.exists():
        from rca_dist.report.data_page import MARK

        with page.open("rb") as handle:
            foreign = MARK.encode() not in handle.read(4096)
    if foreign:
        raise UserError(
            f"{folder / name}: exists already and was not written by this command; give --html=FOLDER, or move it away"
        )


def table_for(config: Config) -> "TicketTable":
    """The table of `data.path`, the one that training would use; of a file that cannot be trained on, what there is."""
    cache = wiring.cache_folder(config)
    try:
        return wiring.prepare_tickets(config, cache)
    except UserError:
        # Where the file itself is at fault, the same message comes again.
        return wiring.prepare_tickets(config, cache, for_training=False)
