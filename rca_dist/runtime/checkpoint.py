"""Resumable state on disk: written aside, verified by a manifest, then renamed.

`checkpoints/step-000120/` holds the engine's state (`model.safetensors` and `optimizer.pt` where weights are replicated,
`shards/` under FSDP2, `deepspeed/` under ZeRO), one `rng-RANK.pt` per rank and `manifest.json` with the size and sha256 of
each file. `checkpoints/latest` names the newest complete one, `checkpoints/best` the one of the lowest validation loss where
the run keeps it. A damaged one is skipped for the one before.
"""

import hashlib
import logging
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rca_dist.errors import UserError
from rca_dist.runtime.distributed import Distributed
from rca_dist.runtime.engines import Engine
from rca_dist.runtime.files import read_json, sync_folder, write_json, write_text

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run directory."""

    def __init__(self, folder: Path, distributed: Distributed, *, keep_last: int = 2) -> None:
        self.folder = folder
        self.distributed = distributed
        self.keep_last = keep_last

    def save(self, step: int, engine: Engine, facts: dict[str, Any], *, keep: int | None = None) -> Path:
        """Save the state after `step` steps. Collective.

        `facts` (JSON) goes into the manifest. `keep`: the step to keep beside the newest ones. Returns the directory.
        Raises: OSError (RuntimeError on other ranks) when it could not be written; earlier checkpoints stay.
        """
        dist = self.distributed
        target = self._of(step)
        aside = self.folder / f"step-{step:06d}.tmp"
        dist.on_main(lambda: _fresh(aside))

        def write() -> None:
            torch.save(random_state(), aside / f"rng-{dist.rank}.pt")
            engine.save(aside)

        dist.together(write)
        # One list for all: on a network disk each rank may see another one for a while. Ranks share the hashing.
        written = dist.on_main(lambda: sorted(str(path.relative_to(aside)) for path in aside.rglob("*") if path.is_file()))
        mine = dist.together(lambda: {name: _file_facts(aside / name) for name in written[dist.rank :: dist.world_size]})
        files = {name: facts_of for part in dist.gather(mine) for name, facts_of in part.items()}
        kind = {"world_size": dist.world_size, "backend": dist.backend, "format": _format(dist.backend)}
        scale = {"loss_scale": engine.scale.state()} if engine.scale else {}
        manifest = {"step": step, **kind, **scale, **facts, "files": files}
        dist.on_main(lambda: self._publish(aside, target, manifest, keep))
        return target

    def _publish(self, aside: Path, target: Path, manifest: dict[str, Any], keep: int | None) -> None:
        write_json(aside / "manifest.json", manifest)
        sync_folder(aside)
        if target.exists():
            shutil.rmtree(target)
        aside.replace(target)
        # The pointers are for people and other tools; what is read back is decided by manifests.
        write_text(self.folder / "latest", target.name + "\n")
        if keep is not None:
            write_text(self.folder / "best", self._of(keep).name + "\n")
        sync_folder(self.folder)
        for old in self.complete()[: -self.keep_last]:
            if keep is None or old != self._of(keep):
                shutil.rmtree(old)

    def _of(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}"

    def is_whole(self, step: int) -> bool:
        """Whether the checkpoint of a step is there and undamaged. Collective."""
        return self.distributed.on_main(lambda: self._damage(step) is None)

    def _damage(self, step: int) -> str | None:
        manifest = read_json(self._of(step) / "manifest.json")
        problem = _problem(self._of(step), manifest)
        return problem or (None if manifest["step"] == step else f"it is of step {manifest['step']}")

    def load_step(self, step: int, engine: Engine) -> None:
        """Put the state of a step's checkpoint into the engine. Collective. Raises: UserError when it is missing or damaged."""
        if problem := self.distributed.on_main(lambda: self._damage(step)):
            raise UserError(
                f"{self._of(step)}: the checkpoint of the best step is damaged ({problem}); start the same command again to go "
                "on without it, or over with --run.overwrite"
            )
        self.load(self._of(step), engine)

    def complete(self) -> list[Path]:
        """Directories that have their final name, oldest first (not verified)."""
        found = [path for path in self.folder.glob("step-*") if path.is_dir() and path.name[5:].isdigit()]
        return sorted(found, key=lambda path: int(path.name[5:]))

    def newest_valid(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint whose files match its manifest, with the manifest; None when there is no checkpoint.

        Collective. Damaged ones are skipped with a warning. Raises: UserError when there are some and none is whole.
        """
        return self.distributed.on_main(self._newest_valid)

    def _newest_valid(self) -> tuple[Path, dict[str, Any]] | None:
        for leftover in self.folder.glob("step-*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)
        found = self.complete()
        for path in reversed(found):
            manifest = read_json(path / "manifest.json")
            problem = _problem(path, manifest)
            if problem is None:
                # Named aside, or they would count as the newest when old ones are removed.
                for damaged in found[found.index(path) + 1 :]:
                    shutil.rmtree(damaged.with_name(f"{damaged.name}.damaged"), ignore_errors=True)
                    damaged.replace(damaged.with_name(f"{damaged.name}.damaged"))
                return path, manifest
            log.warning("checkpoint %s is damaged (%s): trying the one before", path.name, problem)
        if found:
            raise UserError(
                f"{self.folder}: no checkpoint of this run is whole; start over with --run.overwrite, or restore one"
            )
        return None

    def load(self, path: Path, engine: Engine) -> None:
        """Put a verified checkpoint's state into the engine and this rank's random generators. Collective.

        Raises: UserError when it was written under a back end or world size that this one cannot go on from.
        """
        dist = self.distributed
        manifest = read_json(path / "manifest.json") or {}
        self._check_kind(path, manifest)
        dist.together(lambda: engine.load(path))
        if engine.scale and "loss_scale" in manifest:
            engine.scale.restore(manifest["loss_scale"])
        rng = path / f"rng-{dist.rank}.pt"
        if rng.exists():
            set_random_state(torch.load(rng, weights_only=True))

    def _check_kind(self, path: Path, manifest: dict[str, Any]) -> None:
        dist = self.distributed
        written, world = manifest.get("format", "replicated"), manifest.get("world_size")
        if written != _format(dist.backend) or (written.startswith("zero") and world != dist.world_size):
            raise UserError(
                f"{path}: written by {world} processes under {manifest.get('backend', 'ddp')}, and {dist.world_size} under "
                f"{dist.backend} cannot go on from it: start as before, or begin again with --run.overwrite "
                "(one process and DDP read each other's, FSDP2 reads its own at any number of processes)"
            )


def random_state() -> dict[str, Any]:
    """State of this process's random generators, as tensors and plain values."""
    numpy_state: Any = np.random.get_state()
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [numpy_state[0], numpy_state[1].tolist(), *numpy_state[2:]],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Undo of `random_state`."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.asarray(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _format(backend: str) -> str:
    return {"no": "replicated", "ddp": "replicated"}.get(backend, backend)


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _file_facts(path: Path) -> dict[str, Any]:
    import os

    digest = hashlib.sha256()
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
        while block := handle.read(1 << 20):
            digest.update(block)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}


def _problem(path: Path, manifest: Any) -> str | None:
    if not isinstance(manifest, dict) or "files" not in manifest:
        return "no manifest"
    for name, facts in manifest["files"].items():
        if not (path / name).is_file():
            return f"{name} is missing"
        if (path / name).stat().st_size != facts["size"]:
            return f"{name} has the wrong size"
        if _file_facts(path / name) != facts:
            return f"{name} has other content than when it was saved"
    return None
