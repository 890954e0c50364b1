"""Files that appear complete or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, flushed to disk and renamed to it at the end; removed when the body fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a directory's entries, so that a rename survives a power cut (where the system can)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text at once."""
    with aside(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON at once. Raises: ValueError for NaN or infinity, which are no JSON."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n")


def read_json(path: Path) -> Any:
    """Parsed content, or None when the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def check_writable(folder: Path, key: str) -> None:
    """Try to write where `folder` is or would be made, leaving nothing behind. Raises: UserError naming `key`."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    problem = None
    if not nearest.is_dir():
        problem = f"{nearest} is a file, not a directory"
    else:
        try:
            with tempfile.TemporaryFile(dir=nearest):
                pass
        except OSError as error:
            problem = f"cannot write in {nearest} ({error.strerror or error})"
    if problem:
        raise UserError(f"{key}={folder}: {problem}; choose another directory with --{key}=DIR")


CACHE_PATTERNS = ("tickets-*", "tokens-*.safetensors", "builtin-tickets-*.csv")


def empty_cache(folder: Path) -> tuple[int, int]:
    """Remove what this package caches in `folder`, and nothing else. Returns (items, bytes) removed."""
    items, size = 0, 0
    for path in sorted({path for pattern in (*CACHE_PATTERNS, ".*.tmp") for path in folder.glob(pattern)}):
        inner = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        size += sum(p.stat().st_size for p in inner)
        items += 1
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return items, size
