"""`checkpoint.resume=PATH`: a checkpoint from somewhere else, brought into the run's own directory before it is read.

Once it lies there, going on is the same as ever: damage is found, and the source may go away. Needs no torch.
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError
from rca_dist.runtime.checkpoint_files import complete, problem_of, strangeness
from rca_dist.runtime.files import read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A checkpoint given by hand, not yet verified. `given` is what was asked for, `identity` names its content."""

    given: str
    path: Path
    manifest: dict[str, Any]
    identity: str

    @property
    def facts(self) -> dict[str, Any]:
        """For run.json: where this run comes from."""
        return {"path": self.given, "step": self.manifest["step"], "identity": self.identity}

    def check(self, identity: Mapping[str, Any], *, trust: bool) -> None:
        """Raises: UserError when it is not trusted, or of another model, data or settings than ours."""
        key = f"checkpoint.resume={self.given}"
        if not trust:
            raise UserError(
                f"{key}: a checkpoint from elsewhere may hold pickled Python code, which runs when it is read; if you know who "
                "wrote it, add --checkpoint.trust=true (a run's own directory needs no trust: give it as run.output_dir)"
            )
        if strange := strangeness(self.manifest, identity):
            raise UserError(f"{key}: {self.path.name} is of another run; there -> here: {'; '.join(strange)}")

    def bring(self, folder: Path) -> None:
        """Copy it, verified, into `folder` of checkpoints, with the best one and the numbers logged so far.

        Raises: UserError when it is damaged.
        """
        folder.mkdir(parents=True, exist_ok=True)
        best = (self.manifest.get("best") or {}).get("step")
        beside = self.path.with_name(f"step-{best:06d}") if best is not None else self.path
        if beside != self.path and beside.is_dir():
            _copy(beside, folder, needed=False)
        metrics = self.path.parent.parent / "metrics.jsonl"
        if metrics.is_file():
            shutil.copyfile(metrics, folder.parent / "metrics.jsonl")
        # The newest last: an import that is killed before begins again.
        _copy(self.path, folder, needed=True)


def _copy(source: Path, folder: Path, *, needed: bool) -> None:
    aside, target = folder / f"{source.name}.copy.tmp", folder / source.name
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    # What was copied is what is verified, so nobody can change it in between.
    problem = problem_of(aside, read_json(aside / "manifest.json"))
    if problem is None:
        aside.replace(target)
        return
    shutil.rmtree(aside)
    if needed:
        raise UserError(f"checkpoint.resume: {source} is damaged ({problem}); name an older one")
    log.warning("warning: %s is damaged (%s) and is left out", source, problem)


def find(given: str) -> Source:
    """The checkpoint that a path means: itself, or the newest of a `checkpoints` folder or run directory.

    Raises: UserError when there is none.
    """
    path = Path(given)
    if not path.is_dir():
        raise UserError(
            f"checkpoint.resume={given}: no such directory; use auto, never, or the path of a checkpoint, of a checkpoints "
            "folder or of a run directory"
        )
    if not (path / "manifest.json").is_file():
        inside = path / "checkpoints" if (path / "checkpoints").is_dir() else path
        path = next((p for p in reversed(complete(inside)) if read_json(p / "manifest.json")), path)
    manifest = read_json(path / "manifest.json")
    if not isinstance(manifest, dict) or "files" not in manifest or "step" not in manifest:
        raise UserError(f"checkpoint.resume={given}: no checkpoint there (a directory step-... with a manifest.json)")
    return Source(given, path, manifest, hashlib.sha256((path / "manifest.json").read_bytes()).hexdigest()[:16])
