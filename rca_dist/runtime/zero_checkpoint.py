"""DeepSpeed's checkpoint files, written by us, and its universal format for another number of processes.

`save_checkpoint` mixes writing with collectives: a rank whose disk is full would leave the others waiting. So its writes are
only collected, and done afterwards, by a thread or at once.
"""

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rca_dist.runtime.capture import Captured
from rca_dist.runtime.tensors import save_pickled

log = logging.getLogger(__name__)
TAG = "deepspeed"
CONVERTER = "deepspeed.checkpoint.ds_to_universal"


class _Collector:
    """Stands in for DeepSpeed's checkpoint engine: keeps what is to be written, touches no disk."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.kept: list[tuple[str, Any]] = []

    def save(self, state_dict: Any, path: str) -> None:
        self.kept.append((Path(path).name, state_dict))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        pass

    def create(self, info: Any) -> None:
        pass

    def commit(self, info: Any) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def capture(engine: Any, *, exclude_frozen: bool) -> Captured:
    """What this rank writes for a DeepSpeed engine. Collective."""
    with _collecting(engine) as collector:
        # The folder is only part of the names that the collector sees.
        engine.save_checkpoint("unused", tag=TAG, save_latest=False, exclude_frozen_parameters=exclude_frozen)
    return Captured(collector.kept, _write)


@contextlib.contextmanager
def _collecting(engine: Any) -> Iterator[_Collector]:
    real, collector = engine.checkpoint_engine, _Collector(engine.checkpoint_engine)
    engine.checkpoint_engine = collector
    # It would put scripts beside the weights.
    engine._copy_recovery_script = lambda path: None
    try:
        yield collector
    finally:
        engine.checkpoint_engine = real
        del engine._copy_recovery_script


def _write(state: list[tuple[str, Any]], folder: Path) -> list[str]:
    (folder / TAG).mkdir(exist_ok=True)
    for name, part in state:
        save_pickled(part, folder / TAG / name)
    return [f"{TAG}/{name}" for name, _ in state]


def convert(folder: Path, target: Path) -> None:
    """Make DeepSpeed's universal format from a checkpoint: one file per parameter and moment, for any number of processes.

    A process of its own, for minutes with large models; needs about three times the checkpoint's size on the disk for a while.
    Raises: RuntimeError with what the converter said.
    """
    command = [sys.executable, "-m", CONVERTER, "--input_folder", str(folder / TAG), "--output_folder", str(target / TAG),
               "--num_extract_workers", "1", "--num_merge_workers", "1", "--inject_missing_state"]  # fmt: skip
    # It is no rank of ours.
    mine = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    env = {name: value for name, value in os.environ.items() if name not in mine}
    done = subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise RuntimeError(f"{' '.join(command[1:])}: {lines[-1]}")


def load(engine: Any, folder: Path, *, strict: bool, universal: bool) -> None:
    """Load a checkpoint of as many processes as now, or one that `convert` made. Collective. Raises: RuntimeError."""
    groups = [{key: value for key, value in group.items() if key != "params"} for group in engine.optimizer.param_groups]
    engine._config.load_universal_checkpoint = universal
    try:
        found, _ = engine.load_checkpoint(str(folder), tag=TAG, load_module_strict=strict, load_lr_scheduler_states=False)
    finally:
        engine._config.load_universal_checkpoint = False
    if universal:
        _mend(engine.optimizer.optimizer, groups)
    if found is None:
        raise RuntimeError(f"DeepSpeed could not load {folder}")


def _mend(optimizer: Any, groups: list[dict[str, Any]]) -> None:
    """Undo what DeepSpeed 0.19 does wrong in loading the universal format under stage 3.

    It gives the first group's settings (weight decay) to all groups, and one step counter to all parameters, which then counts
    several times per step: the loss is off by 3e-3 after a few steps (measured).
    """
    for group, own in zip(optimizer.param_groups, groups, strict=True):
        group.update(own)
    for state in optimizer.state.values():
        if hasattr(state.get("step"), "clone"):
            state["step"] = state["step"].clone()
