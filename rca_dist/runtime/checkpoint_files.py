"""What lies in a checkpoint's directory: its manifest, and whether all of it is whole."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError
from rca_dist.runtime.files import read_json, sync_folder, write_json

log = logging.getLogger(__name__)
# Facts in a manifest that say which run it belongs to, beside its settings.
IDENTITY = ("data_fingerprint",)


def write_state(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Flush files to disk and give size and sha256 by name."""
    return {name: file_facts(folder / name) for name in names}


def file_facts(path: Path) -> dict[str, Any]:
    """Size in bytes and sha256 of a file, which is flushed to disk first."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
        while block := handle.read(1 << 20):
            digest.update(block)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}


def seal(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest as the last file and flush the directories."""
    write_json(folder / "manifest.json", dict(manifest))
    for inner in {(folder / name).parent for name in manifest["files"]}:
        sync_folder(inner)
    sync_folder(folder)


def problem_of(path: Path, manifest: Any) -> str | None:
    """What is wrong with a checkpoint, None when every file is as its manifest says."""
    if not isinstance(manifest, dict) or "files" not in manifest:
        return "no manifest"
    for name, facts in manifest["files"].items():
        if not (path / name).is_file():
            return f"{name} is missing"
        if (path / name).stat().st_size != facts["size"]:
            return f"{name} has the wrong size"
        if file_facts(path / name) != facts:
            return f"{name} has other content than when it was saved"
    return None


def complete(folder: Path) -> list[Path]:
    """Checkpoints in `folder` that have their final name, oldest first (not verified)."""
    found = [path for path in folder.glob("step-*") if path.is_dir() and path.name[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def newest_whole(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint in `folder` whose files match its manifest; nothing is changed."""
    for path in reversed(complete(folder)):
        manifest = read_json(path / "manifest.json")
        if problem_of(path, manifest) is None:
            return path, manifest
    return None


def differences(there: Any, here: Any, key: str = "") -> list[str]:
    """`section.key: there -> here` for all that differs between two nested settings."""
    if isinstance(there, dict) and isinstance(here, dict):
        keys = [*there, *(name for name in here if name not in there)]
        return [line for name in keys for line in differences(there.get(name), here.get(name), f"{key}.{name}".lstrip("."))]
    # Tuples come back from JSON as lists.
    plain = [list(value) if isinstance(value, tuple) else value for value in (there, here)]
    return [] if plain[0] == plain[1] else [f"{key}: {plain[0]} -> {plain[1]}"]


def strangeness(manifest: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """How a checkpoint's run differs from ours in model, data and computed settings; empty for one of this very run.

    What a manifest does not say (written by an older version) is not compared.
    """
    lines = []
    for name in IDENTITY:
        if name in manifest and name in identity:
            # A fingerprint is long enough to tell two apart in its first digits.
            lines += differences(str(manifest[name])[:16], str(identity[name])[:16], name)
    if "settings" in manifest and "settings" in identity:
        lines += differences(manifest["settings"], identity["settings"])
    return lines


def go_on_from(folder: Path, identity: Mapping[str, Any]) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint with its manifest, None where there is none; half-written ones are removed.

    Damaged ones are skipped with a warning and named aside. Raises: UserError when none is whole, or when the one to go on
    from is of another model, data or settings than `identity`.
    """
    for leftover in folder.glob("step-*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    found = complete(folder)
    for path in reversed(found):
        manifest = read_json(path / "manifest.json")
        problem = problem_of(path, manifest)
        if problem is not None:
            log.warning("warning: checkpoint %s is damaged (%s): trying the one before", path.name, problem)
            continue
        if strange := strangeness(manifest, identity):
            raise UserError(
                f"{path}: a checkpoint of another run; there -> here: {'; '.join(strange)}. Remove it, choose another "
                "directory with --run.output_dir, or start over with --run.overwrite"
            )
        # Named aside, or they would count as the newest when old ones are removed.
        for damaged in found[found.index(path) + 1 :]:
            shutil.rmtree(damaged.with_name(f"{damaged.name}.damaged"), ignore_errors=True)
            damaged.replace(damaged.with_name(f"{damaged.name}.damaged"))
        return path, manifest
    if found:
        raise UserError(f"{folder}: no checkpoint of this run is whole; start over with --run.overwrite, or restore one")
    return None


def format_of(backend: str) -> str:
    """The kind of files that a back end writes and reads."""
    return {"no": "replicated", "ddp": "replicated"}.get(backend, backend)


def check_format(path: Path, manifest: Mapping[str, Any], *, backend: str, world_size: int) -> None:
    """Whether a back end can go on from a checkpoint. Raises: UserError."""
    if manifest.get("format", "replicated") != format_of(backend):
        raise UserError(
            f"{path}: written by {manifest.get('world_size')} processes under {manifest.get('backend', 'ddp')}, and "
            f"{world_size} under {backend} cannot go on from it: start under the same back end as before, or begin again with "
            "--run.overwrite (one process and DDP read each other's; FSDP2 and each ZeRO stage read their own, at any number "
            "of processes); weights alone go anywhere from a finished run: --model.name_or_path=RUN/model"
        )
