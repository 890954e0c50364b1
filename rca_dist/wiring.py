"""What is settled before any model is touched: places, names, tickets. Needs no torch.

`rca-dist train` runs `preflight` before any process is launched, and every job runs it again. Configuration objects stop
here and in `builders`; the rooms take plain arguments.
"""

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rca_dist import tickets
from rca_dist.config import Config
from rca_dist.errors import UserError
from rca_dist.model import names
from rca_dist.prompting import settle_template
from rca_dist.runtime import places, resume_source
from rca_dist.runtime.checkpoint_files import complete
from rca_dist.runtime.files import check_writable
from rca_dist.runtime.resume_source import Source
from rca_dist.runtime.rundir import FINISHED, RunDirectory, default_name
from rca_dist.runtime.tracking import wandb_mode

if TYPE_CHECKING:
    from rca_dist.tickets.table import TicketTable


@dataclass
class Prepared:
    """What is known before torch is imported."""

    tickets: "TicketTable"
    run: RunDirectory
    config_hash: str
    cache: Path
    # What a checkpoint must agree with: computed settings and the fingerprint of the tickets.
    identity: dict[str, Any] = dataclasses.field(default_factory=dict)
    # Where the first steps come from, if from elsewhere, and the checkpoint itself while it is still to be brought here.
    resumed_from: dict[str, Any] | None = None
    source: Source | None = None

    def is_done(self, config: Config) -> bool:
        """Whether this very run is finished to its last file, the report, and nothing asks to repeat it."""
        whole = self.run.status == FINISHED and (self.run.path / "report.html").is_file()
        return whole and config.checkpoint.resume != "never" and not config.run.overwrite


def preflight(config: Config) -> Prepared:
    """Check names and places, read and split the tickets (cached), find the run directory. Writes only into the cache.

    Raises: UserError.
    """
    names.check(config.model.name_or_path)
    wandb_mode(config.tracking.wandb)
    output = Path(config.run.output_dir).expanduser() if config.run.output_dir else None
    check_writable(output or Path("runs"), "run.output_dir")
    cache = cache_folder(config)
    if config.data.cache_dir:
        check_writable(cache, "data.cache_dir")
    table = prepare_tickets(config, cache)
    config.train.epochs = config.default_epochs(len(table.rows("train")))
    settle_template(config, table)
    settings = json.loads(json.dumps(config.computed()))
    identity = {"settings": settings, "data_fingerprint": table.fingerprint}
    digest = config.computed_hash(table.fingerprint)

    def place(digest: str) -> Path:
        return (
            output or Path("runs") / default_name(data_name(config.data.path), config.model.name_or_path, digest)
        ).absolute()

    source, past = _source(config, place(digest), identity)
    if past is not None:
        # What is computed follows from where it begins.
        digest = config.computed_hash(table.fingerprint, past["identity"])
    run = RunDirectory(place(digest))
    run.check(digest, overwrite=config.run.overwrite, identity=identity)
    return Prepared(table, run, digest, cache, identity, past, source)


def _source(config: Config, own: Path, identity: dict[str, Any]) -> tuple[Source | None, dict[str, Any] | None]:
    """The checkpoint of `checkpoint.resume=PATH`, None when it is not needed (any more); and what run.json says of it."""
    given = config.checkpoint.resume
    if given in ("auto", "never"):
        return None, None
    if Path(given) in (own, own / "checkpoints"):
        return None, RunDirectory(own).facts.get("resumed_from")
    past = RunDirectory(own).facts.get("resumed_from")
    if not config.run.overwrite and past and past["path"] == given and complete(own / "checkpoints"):
        # Brought here by an earlier start; what it came from may have gone on, or away.
        return None, past
    source = resume_source.find(given)
    if own in source.path.parents:
        raise UserError(
            f"checkpoint.resume={given}: lies in this run's own directory, which goes on from its newest checkpoint; to go "
            "on from an older one, give another directory with --run.output_dir"
        )
    source.check(identity, trust=config.checkpoint.trust)
    return source, source.facts


def data_name(path: str | list[str]) -> str:
    """The name that a run gets from its data: of the file, or of the first of several."""
    first = path[0] if isinstance(path, list) else path
    return re.sub(r"[*?\[].*", "", first.removeprefix("hf:")).rstrip("/") or "tickets"


def cache_folder(config: Config) -> Path:
    """Where prepared tables and tokens are kept: `data.cache_dir`, else `.cache` beside the run directories."""
    if config.data.cache_dir:
        return Path(config.data.cache_dir).expanduser().absolute()
    parent = Path(config.run.output_dir).expanduser().absolute().parent if config.run.output_dir else Path("runs").absolute()
    return parent / ".cache"


def prepare_tickets(config: Config, cache: Path, *, for_training: bool = True) -> "TicketTable":
    """The clean, redacted, split table of `data.path`; not `for_training`, any number of tickets will do."""
    data, split = config.data, config.split
    path = data.path
    if path == "builtin:tickets":
        path = str(builtin_tickets(cache, data.builtin_tickets, data.builtin_seed))
    table = tickets.prepare(
        path,
        columns={role: column for role, column in data.columns.model_dump().items() if column is not None},
        encoding=data.encoding, delimiter=data.delimiter, sheet=data.sheet, redact=data.redact, names=data.names,
        own_domains=data.own_domains, lenient=data.lenient,
        date_order=data.date_order, repair_mojibake=data.repair_mojibake,
        keep_open=data.keep_open, min_answer_words=data.min_answer_words,
        kind=split.kind, similarity=split.similarity, test_size=split.test_size, validation_size=split.validation_size,
        seed=split.seed, folds=split.folds, fold=split.fold, group_columns=split.group_columns, split_file=split.file,
        cache_dir=cache, for_training=for_training,
    )  # fmt: skip
    places.remember(cache)
    return table


def builtin_tickets(cache: Path, count: int, seed: int) -> Path:
    """The generated export of builtin:tickets, written once into the cache."""
    from rca_dist.tickets.synthetic import generate, write_csv

    path = cache / f"builtin-tickets-{count}-{seed}.csv"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_csv(path, generate(count, seed))
    return path


def wandb_config(config: Config) -> dict[str, Any]:
    """What W&B may know of the config: numbers, switches and words from fixed lists; no path, no free text."""
    import typing

    from rca_dist.command_line import known_keys

    out: dict[str, Any] = {}
    for key, field in known_keys().items():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        fixed = typing.get_origin(field.annotation) is typing.Literal
        if isinstance(value, bool | int | float) or (isinstance(value, str) and fixed):
            out[key] = value
    if config.model.name_or_path.startswith("builtin:"):
        out["model.name_or_path"] = config.model.name_or_path
    return out
