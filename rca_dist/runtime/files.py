"""Files that appear complete or not at all."""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError

# No space, over quota, over a file-size limit, gone read-only: the disk's fault, and the user's to mend.
DISK_ERRORS = {
    errno.ENOSPC: "no space left on the disk", errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not become larger (file-size limit)", errno.EROFS: "the disk has become read-only",
}  # fmt: skip


class DiskProblem(UserError):
    """A file could not be written for want of space; the message names the place."""


def disk_problem(error: BaseException | None, path: Path) -> str | None:
    """What keeps the disk from taking more, in words with the place; None for any other error.

    Libraries hide the system's error behind their own: it is looked for in the chain and, last, in the text.
    """
    first, seen = error, set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        number = error.errno if isinstance(error, OSError) else None
        if number is None and (found := re.search(r"os error (\d+)|\[Errno (\d+)\]", str(error))):
            number = int(found[1] or found[2])
        if number in DISK_ERRORS:
            return f"{DISK_ERRORS[number]} ({path})"
        error = error.__cause__ or error.__context__
    if first is not None and "unexpected pos" in str(first):
        return f"a file could not be written to its end: a full disk or a limit ({path})"
    return None


@contextmanager
def full_disk_said(path: Path) -> Iterator[None]:
    """Around the writing of `path`. Raises: DiskProblem, naming it, when the body failed because the disk is full."""
    try:
        yield
    except Exception as error:
        text = None if isinstance(error, UserError) else disk_problem(error, path.parent)
        if text is None:
            raise
        raise DiskProblem(f"{path.name} could not be written: {text}; free some and start the same command again") from error


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, flushed to disk and renamed to it at the end; removed when the body fails.

    Raises: DiskProblem when the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with full_disk_said(path):
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
