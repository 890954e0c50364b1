"""Resumable state on disk: written aside, verified by a manifest, then renamed.

`checkpoints/step-000120/` holds the engine's state (`model.safetensors` and `optimizer.pt` where weights are replicated,
`shards/` under FSDP2, `deepspeed/` under ZeRO), one `rng-RANK.pt` per rank and `manifest.json` with the size and sha256 of
each file. `checkpoints/latest` names the newest complete one, `checkpoints/best` the one of the lowest validation loss where
the run keeps it. A damaged one is skipped for the one before.
"""

import contextlib
import logging
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from rca_dist.errors import UserError
from rca_dist.runtime import faults
from rca_dist.runtime.capture import Captured
from rca_dist.runtime.checkpoint_files import check_format, complete, format_of, go_on_from, problem_of, seal
from rca_dist.runtime.checkpoint_writing import Writing, explain
from rca_dist.runtime.distributed import Distributed, set_seed
from rca_dist.runtime.engines import Engine
from rca_dist.runtime.files import DiskProblem, read_json, sync_folder, write_json, write_text
from rca_dist.runtime.meters import available_memory_bytes
from rca_dist.runtime.random_state import random_state, seed_new_rank, set_random_state

log = logging.getLogger(__name__)
# Share of the free memory that copies for background writing may take.
MOST_MEMORY = 0.5


class Checkpoints:
    """The checkpoints of one run directory.

    Attributes to set before the first save: `identity` (JSON facts of the run for every manifest, compared on resume),
    `position` (step -> further facts), `before_publish` (called on rank 0 before a checkpoint counts; what it raises
    keeps it from counting).
    """

    def __init__(
        self, folder: Path, distributed: Distributed, *, keep_last: int = 2, keep_best: bool = False,
        background: bool = False, on_error: str = "continue", seed: int = 0,
    ) -> None:  # fmt: skip
        """`keep_best`: keep the step that the facts call best; `background`: training does not wait for the disk.

        `on_error`: continue or stop, when a checkpoint cannot be written; `seed` of ranks that a checkpoint does not know.
        """
        self.folder = folder
        self.distributed = distributed
        self.keep_last, self.keep_best = keep_last, keep_best
        self.background, self.on_error, self.seed = background, on_error, seed
        self.identity: dict[str, Any] = {}
        self.position: Callable[[int], dict[str, Any]] = lambda step: {}
        self.before_publish: Callable[[], None] = lambda: None
        self._pending: Writing | None = None

    def save(
        self, step: int, engine: Engine, facts: dict[str, Any], *, keep: int | None = None, must: bool = False
    ) -> Path | None:
        """Save the state after `step` steps. Collective.

        `facts` (JSON) goes into the manifest. `keep`: the step to keep beside the newest ones. Returns the directory, which
        with background writing does not count before `publish`; `must` waits for it. None when it could not be written.
        Raises: UserError on every rank for a failure with `must` or on_error=stop; earlier checkpoints stay.
        """
        self.finish()
        if self.is_whole(step):
            # Gone on from it, and nothing computed since: writing it again would risk it, only what is said of it is new.
            self.distributed.on_main(lambda: self._problem(self.folder, lambda: self._add(step, facts)))
            return self._of(step)
        dist = self.distributed
        aside, problem = dist.on_main(lambda: self._open(step))
        if problem:
            self._failed(step, problem, must=must)
            return None
        if keep is None and self.keep_best:
            keep = (facts.get("best") or {}).get("step")
        captured = engine.capture()
        behind = self._copied(captured) if self.background and not must else None
        self._pending = Writing(
            step, dist.rank, aside, behind or captured, random_state(), self._manifest(step, engine, facts), keep, must
        )
        if behind is None:
            self._pending.run()
            return self._conclude()
        self._pending.start()
        return self._of(step)

    @property
    def written(self) -> bool:
        """Whether this rank's background writing is done and not yet published. Local."""
        return self._pending is not None and self._pending.done

    def publish(self) -> None:
        """Make the pending save count: manifest, rename, pointers; old ones go. Collective; waits for what is unwritten.

        Raises: as `save` does.
        """
        if self._pending is not None:
            self._conclude()

    def finish(self) -> None:
        """Publish a pending save, if any. Collective; raises as `save` does."""
        self.publish()

    def _open(self, step: int) -> tuple[Path, str | None]:
        aside = self.folder / f"step-{step:06d}.{secrets.token_hex(3)}.tmp"
        return aside, self._problem(aside, lambda: aside.mkdir(parents=True))

    def _add(self, step: int, facts: dict[str, Any]) -> None:
        self.before_publish()
        path = self._of(step) / "manifest.json"
        write_json(path, read_json(path) | facts)

    def _problem(self, path: Path, work: Callable[[], object]) -> str | None:
        """What went wrong in `work` of rank 0, None if nothing. Raises: UserError that is not the disk's fault."""
        try:
            work()
        except DiskProblem as error:
            return str(error)
        except UserError:
            raise
        except Exception as error:
            return explain(error, path)
        return None

    def _manifest(self, step: int, engine: Engine, facts: dict[str, Any]) -> dict[str, Any]:
        dist = self.distributed
        kind = {"world_size": dist.world_size, "backend": dist.backend, "format": format_of(dist.backend)}
        scale = {"loss_scale": engine.scale.state()} if engine.scale else {}
        return {"step": step, **kind, **scale, **self.position(step), **facts, **self.identity}

    def _copied(self, captured: Captured) -> Captured | None:
        """The state apart from the training, on every rank or none. Collective."""
        dist, copied = self.distributed, None
        free = available_memory_bytes(torch.device("cpu"), share=dist.local_processes)
        if captured.size() <= MOST_MEMORY * free:
            with contextlib.suppress(MemoryError, RuntimeError):
                copied = captured.copied()
        if not dist.any_rank(copied is None):
            return copied
        self.background = False
        if dist.is_main:
            log.warning("warning: too little memory for a copy of the state: checkpoints are not written in the background")
        return None

    def _conclude(self) -> Path | None:
        """Wait for all ranks' files and make them count. Collective."""
        writing, self._pending = self._pending, None
        assert writing is not None
        dist, target = self.distributed, self._of(writing.step)
        writing.wait()
        if not dist.is_main and writing.problem is None:
            writing.problem = self._problem(writing.aside, lambda: faults.at("publish", writing.step))
        parts = dist.gather((writing.files, writing.problem))
        problem = next((text for _, text in parts if text), None)
        if problem is None:
            manifest = writing.manifest | {"files": {name: facts for part, _ in parts for name, facts in part.items()}}
            problem = dist.on_main(lambda: self._problem(target, lambda: self._publish(writing, target, manifest)))
        if problem is None:
            return target
        dist.on_main(lambda: shutil.rmtree(writing.aside, ignore_errors=True))
        self._failed(writing.step, problem, must=writing.must)
        return None

    def _publish(self, writing: Writing, target: Path, manifest: dict[str, Any]) -> None:
        try:
            self.before_publish()
        except UserError:
            shutil.rmtree(writing.aside, ignore_errors=True)
            raise
        seal(writing.aside, manifest)
        faults.at("publish", writing.step)
        if target.exists():
            shutil.rmtree(target)  # a damaged one, or `save` would not have begun
        writing.aside.replace(target)
        # The pointers are for people and other tools; what is read back is decided by manifests.
        write_text(self.folder / "latest", target.name + "\n")
        kept = self._of(writing.keep) if writing.keep is not None else None
        if kept is not None and kept.is_dir():
            write_text(self.folder / "best", kept.name + "\n")
        elif kept is not None:
            # The best one could not be written: the best of those that could stays.
            kept = self._last_kept()
        sync_folder(self.folder)
        for old in self.complete()[: -self.keep_last]:
            if old != kept:
                shutil.rmtree(old)

    def _last_kept(self) -> Path | None:
        try:
            return self.folder / (self.folder / "best").read_text(encoding="utf-8").strip()
        except OSError:
            return None

    def _failed(self, step: int, problem: str, *, must: bool) -> None:
        """Say that a checkpoint could not be written, or end the run. On all ranks alike."""
        text = f"the checkpoint of step {step} could not be written: {problem}"
        if must or self.on_error == "stop":
            raise UserError(f"{text}; earlier ones are intact: free some space and start the same command again to go on")
        if self.distributed.is_main:
            log.warning("warning: %s; the run goes on, earlier checkpoints are intact (checkpoint.on_error=stop ends it)", text)

    def _of(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}"

    def complete(self) -> list[Path]:
        """Directories that have their final name, oldest first (not verified)."""
        return complete(self.folder)

    def has(self, step: int) -> bool:
        """Whether a checkpoint of the step was ever written, whole or not. Collective."""
        return self.distributed.on_main(lambda: self._of(step).is_dir())

    def is_whole(self, step: int) -> bool:
        """Whether the checkpoint of a step is there and undamaged. Collective."""
        self.finish()
        return self.distributed.on_main(lambda: self._damage(step) is None)

    def _damage(self, step: int) -> str | None:
        manifest = read_json(self._of(step) / "manifest.json")
        problem = problem_of(self._of(step), manifest)
        return problem or (None if manifest["step"] == step else f"it is of step {manifest['step']}")

    def load_step(self, step: int, engine: Engine) -> None:
        """Put the state of a step's checkpoint into the engine. Collective. Raises: UserError when it is missing or damaged."""
        self.finish()
        if problem := self.distributed.on_main(lambda: self._damage(step)):
            raise UserError(
                f"{self._of(step)}: the checkpoint of the best step is damaged ({problem}); start the same command again to go "
                "on without it, or over with --run.overwrite"
            )
        self.load(self._of(step), engine)

    def newest_valid(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint whose files match its manifest, with the manifest; None when there is no checkpoint.

        Collective. Damaged ones are skipped with a warning. Raises: UserError when there are some and none is whole, or when
        the newest whole one is of another model, data or settings than `identity`.
        """
        self.finish()
        return self.distributed.on_main(lambda: go_on_from(self.folder, self.identity))

    def load(self, path: Path, engine: Engine) -> None:
        """Put a verified checkpoint's state into the engine and this rank's random generators. Collective.

        Raises: UserError when it was written under a back end that this one cannot go on from.
        """
        dist = self.distributed
        manifest = read_json(path / "manifest.json") or {}
        check_format(path, manifest, backend=dist.backend, world_size=dist.world_size)
        dist.together(lambda: engine.load(path, written_by=manifest.get("world_size")))
        if engine.scale and "loss_scale" in manifest:
            engine.scale.restore(manifest["loss_scale"])
        rng = path / f"rng-{dist.rank}.pt"
        if rng.exists():
            set_random_state(torch.load(rng, weights_only=True))
        else:
            set_seed(seed_new_rank(self.seed, int(manifest["step"]), dist.rank))
