"""Where numbers of a run go: always `metrics.jsonl`, and W&B beside it. Only rank 0 makes a tracker.

The local file is the record; W&B is a copy that may fail at any time without harm to the training.
"""

import logging
import netrc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse

from rca_dist.errors import UserError
from rca_dist.runtime.metrics_file import JsonlTracker as JsonlTracker

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes rows of numbers, one per logged step."""

    def log(self, row: Mapping[str, Any]) -> None: ...
    def summary(self, values: Mapping[str, Any]) -> None: ...
    def finish(self, exit_code: int) -> None: ...
    def flush(self) -> None: ...


class NullTracker:
    """Takes everything and does nothing; what other ranks and disabled tracking use."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Forget the row."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Forget the values."""

    def finish(self, exit_code: int = 0) -> None:
        """Nothing to close."""

    def flush(self) -> None:
        """Nothing to flush."""


class WandbTracker(NullTracker):
    """One W&B run. Sends numbers only; its console, code, git and metadata capture are off."""

    def __init__(self, run: Any) -> None:
        self.run = run

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        mode: str,
        run_id: str,
        project: str,
        entity: str | None,
        group: str | None,
        tags: list[str],
        name: str | None,
        config: Mapping[str, Any],
    ) -> "WandbTracker":
        """Start or go on with run `run_id`, files under `folder`/wandb; online falls back to offline with one warning."""
        import wandb

        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        settings = wandb.Settings(
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            silent=True,
            symlink=False,
            init_timeout=20,
            x_service_wait=30,
            finish_timeout=60,
        )
        options: dict[str, Any] = {
            "id": run_id, "resume": "allow", "dir": str(folder), "project": project, "entity": entity, "group": group,
            "tags": tags or None, "name": name, "config": dict(config), "settings": settings, "job_type": "train",
        }  # fmt: skip
        try:
            run = wandb.init(**options, mode=mode)  # type: ignore[arg-type]
        except Exception as error:
            if mode == "offline":
                raise
            log.warning("W&B is out of reach (%s): tracking offline instead", _first_line(error))
            run = wandb.init(mode="offline", **options)
        # Its client log notes folders and environment; nobody needs it, and a folder's name may be private.
        Path(run.settings.log_user).unlink(missing_ok=True)
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        if run.settings.mode == "offline":
            log.info("W&B offline; upload later with: wandb sync %s", run.settings.sync_dir)
        return cls(run)

    def log(self, row: Mapping[str, Any]) -> None:
        """Send the row's numbers."""
        self.run.log(_numbers(row))

    def summary(self, values: Mapping[str, Any]) -> None:
        """Put final numbers into the run's summary."""
        self.run.summary.update(_numbers(values))

    def finish(self, exit_code: int = 0) -> None:
        """Close the run."""
        self.run.finish(exit_code=exit_code)


class Tracker:
    """Sends each row to all sinks; a sink that fails is dropped with one warning, except the first, the record."""

    def __init__(self, record: Sink, others: list[Sink] | None = None) -> None:
        self.record = record
        self.others = list(others or [])

    def log(self, row: Mapping[str, Any]) -> None:
        """One row of numbers with its `step`."""
        self.record.log(row)
        self._each(lambda sink: sink.log(row))

    def flush(self) -> None:
        """Bring the record's rows to the disk. Raises: DiskProblem when it is full."""
        self.record.flush()

    def summary(self, values: Mapping[str, Any]) -> None:
        """Final numbers of the run."""
        self._each(lambda sink: sink.summary(values))

    def finish(self, exit_code: int = 0) -> None:
        """Close all sinks."""
        self.record.finish(exit_code)
        self._each(lambda sink: sink.finish(exit_code))

    def _each(self, call: Callable[[Sink], None]) -> None:
        for sink in list(self.others):
            try:
                call(sink)
            except Exception as error:
                self.others.remove(sink)
                log.warning("%s failed and is left out from here (%s)", type(sink).__name__, _first_line(error))


def wandb_mode(wanted: str) -> str:
    """online, offline or disabled, from the setting, WANDB_MODE and whether a key is configured.

    Raises: UserError when online is asked for without a key.
    """
    if wanted == "auto":
        from_environment = os.environ.get("WANDB_MODE", "").lower()
        if from_environment in ("online", "offline", "disabled"):
            return from_environment
        return "online" if has_wandb_key() else "offline"
    if wanted == "online" and not has_wandb_key():
        raise UserError(
            "tracking.wandb=online: no W&B key is configured; run `wandb login` or set WANDB_API_KEY, "
            "or use --tracking.wandb=offline and upload later"
        )
    return wanted


def has_wandb_key() -> bool:
    """Whether WANDB_API_KEY or a netrc entry for the W&B host exists (the key itself is not kept)."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def start_wandb(folder: Path, *, mode: str, **options: Any) -> list[Sink]:
    """The W&B sink as a list: empty when disabled, or when W&B cannot even start (one warning)."""
    if mode == "disabled":
        return []
    try:
        return [WandbTracker.start(folder, mode=mode, **options)]
    except Exception as error:
        log.warning("W&B could not start (%s): metrics.jsonl is the record", _first_line(error))
        return []


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {k: v for k, v in row.items() if isinstance(v, int | float)}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
