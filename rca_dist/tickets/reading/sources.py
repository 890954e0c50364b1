"""What `data.path` names: a file, a folder, a glob, a list of these, a saved data set, or a data set of the hub."""

import difflib
import glob
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rca_dist.errors import UserError
from rca_dist.tickets.reading.saved_datasets import saved_files

_FORMATS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
_MAGIC = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"FEA1", "arrow"), (b"PK\x03\x04", "xlsx"))
_STREAM = b"\xff\xff\xff\xff"
_NO_EXPORT = re.compile(r"(readme|licen[cs]e|changelog|copying|notice|requirements|dataset_infos?|state)\b", re.IGNORECASE)
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_FILE_SUFFIX = re.compile(r"\.[a-zA-Z]\w{0,7}$")
_MOST_FILES = 10_000


@dataclass(frozen=True)
class Source:
    """One file to read: the name that messages give it, its path, and the split it holds ('' when not known)."""

    name: str
    path: Path
    split: str = ""

    def fingerprint(self) -> str:
        """sha256 over the name, the split and the bytes, which are streamed. Raises UserError when it cannot be read."""
        digest = hashlib.sha256(f"{self.name}\x00{self.split}\x00".encode("utf-8", "surrogatepass"))
        try:
            with self.path.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise UserError(f"{self.name}: cannot be read ({error.strerror or error}).") from None
        return digest.hexdigest()


def find(path: str | Sequence[str], notes: list[str] | None = None) -> list[Source]:
    """The files that `path` names, in order of name; what is left out, and why, is added to `notes`.

    `path` is a file; a folder (the exports in it, not in its subfolders); a glob ('exports/*.csv', 'exports/**/*.json');
    a folder written by `datasets.save_to_disk`; a data set of the hub ('hf:owner/name[@revision][:split]', or
    'owner/name' where no such path exists); or a list of these. Raises UserError when one names nothing.
    """
    said: list[str] = notes if notes is not None else []
    parts = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not parts:
        raise UserError("data.path is empty; give the path of a ticket export.")
    if len(parts) == 1 and "," in str(parts[0]) and not _exists(str(parts[0])):
        pieces = [piece.strip() for piece in str(parts[0]).split(",")]
        parts = pieces if all(piece and (_exists(piece) or _is_glob(piece)) for piece in pieces) else parts
    found = [source for part in parts for source in _find_one(str(part).strip(), said)]
    unique = {os.path.realpath(source.path): source for source in reversed(found)}
    kept = [source for source in found if unique[os.path.realpath(source.path)] is source]
    if len(kept) > _MOST_FILES:
        raise UserError(f"data.path names {len(kept):,} files, at most {_MOST_FILES:,} are read; put them together first.")
    return _with_clear_names(kept)


def format_of(name: str, head: bytes) -> str:
    """Format by the first bytes, else by the name's suffix (before .gz); '' for text that its content must tell."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    by_name = next((_FORMATS[suffix] for suffix in reversed(suffixes) if suffix in _FORMATS), "")
    for magic, form in _MAGIC:
        if head.startswith(magic):
            return form
    if head.startswith(_STREAM) and by_name in ("arrow", ""):
        return "arrow"
    # A table that was saved under a spreadsheet's name is read as the text it is.
    return "" if by_name == "xlsx" else by_name


def regular_file(text: str) -> Path:
    """The path of a file that is there. Raises UserError with names that are near, or what is wrong with it."""
    text = text.strip()
    if not text:
        raise UserError("data.path is empty; give the path of a ticket export.")
    if "://" in text:
        raise UserError(f"data.path={text!r} is a web address; download the file first and give its path.")
    try:
        file = Path(text).expanduser()
        if file.is_dir():
            inside = sorted(item.name for item in file.iterdir() if item.is_file())[:5]
            more = f", such as {', '.join(inside)}." if inside else "."
            raise UserError(f"{text}: is a folder; name one file in it{more}")
        if not file.exists():
            raise UserError(f"{text}: no such file.{_near_names(file)}")
        if not file.is_file():
            raise UserError(f"{text}: is not a regular file.")
        with file.open("rb"):
            return file
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{text}: cannot be read ({getattr(error, 'strerror', None) or error}).") from None


def _find_one(text: str, notes: list[str]) -> list[Source]:
    if text.startswith("hf:"):
        return _hub(text.removeprefix("hf:"))
    if text and "://" not in text and not _exists(text):
        if _is_glob(text):
            return _globbed(text, notes)
        parent = Path(text).parent
        if _HUB_NAME.fullmatch(text) and not _FILE_SUFFIX.search(text) and not text.startswith(".") and not parent.is_dir():
            return _hub(text)
    if text and _exists(text) and (folder := Path(text).expanduser()).is_dir():
        return _saved(folder) or _folder(folder, text, notes)
    file = regular_file(text)
    return [Source(file.name, file)]


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _is_glob(text: str) -> bool:
    return glob.has_magic(text) and "\x00" not in text


def _hub(text: str) -> list[Source]:
    from rca_dist.tickets.reading.hub import hub_files

    return [Source(name, path, split) for name, path, split in hub_files(text)]


def _saved(folder: Path) -> list[Source]:
    return [Source(name, path, split) for name, path, split in saved_files(folder)]


def _globbed(text: str, notes: list[str]) -> list[Source]:
    try:
        matches = sorted(glob.iglob(os.path.expanduser(text), recursive=True))  # noqa: PTH111, PTH207
    except (OSError, ValueError, re.error) as error:
        raise UserError(f"data.path={text!r}: not a usable pattern ({error}).") from None
    files = [Path(match) for match in dict.fromkeys(matches) if Path(match).is_file()]
    if not files:
        raise UserError(f"data.path={text!r}: no file matches this pattern.")
    return _exports(files, text, notes)


def _folder(folder: Path, text: str, notes: list[str]) -> list[Source]:
    try:
        items = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{text}: cannot be read ({error.strerror}).") from None
    files = [item for item in items if not item.name.startswith(".") and item.is_file()]
    if not files:
        inside = [item.name for item in items if item.is_dir()][:5]
        more = f" It has folders ({', '.join(inside)}); use {str(folder / '**')!r} to look into them." if inside else ""
        raise UserError(f"{text}: the folder holds no files.{more}")
    return _exports(files, text, notes)


def _exports(files: list[Path], text: str, notes: list[str]) -> list[Source]:
    """The exports among files that were not named one by one; the others go into the notes."""
    reasons = {file: _no_export(file) for file in files}
    skipped = [f"{file.name} ({reason})" for file, reason in reasons.items() if reason]
    kept = [file for file in files if not reasons[file]]
    shown = ", ".join(skipped[:10]) + (f" and {len(skipped) - 10} more" if len(skipped) > 10 else "")
    if not kept:
        raise UserError(f"{text}: no ticket export in it. Left out: {shown}. Name one file to read it anyway.")
    if skipped:
        notes.append(f"{text}: not read: {shown}.")
    return [Source(file.name, file) for file in kept]


def _no_export(file: Path) -> str:
    """Why a file in a folder is not taken for an export; '' when it is one."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    if suffixes[-1:] == [".xls"]:
        return "old Excel file: save it as .xlsx"
    if _NO_EXPORT.match(file.name) or file.name.startswith("~$"):
        return "no export by its name"
    if not suffixes or suffixes[-1] not in _FORMATS:
        return "no export by its suffix"
    if suffixes[-1] == ".txt" and not _looks_delimited(file):
        return "plain text"
    return "" if file.stat().st_size else "empty"


def _looks_delimited(file: Path) -> bool:
    from rca_dist.tickets.reading.content import Content

    try:
        lines = Content(file.name, path=file).head(20_000).replace(b"\x00", b"").splitlines()[:2]
    except UserError:
        return True  # damaged: reading it says so
    counts = [max(line.count(sign) for line in lines[:1]) for sign in (b"\t", b";", b",", b"|")] if lines else []
    return bool(counts) and max(counts) > 0 and len(lines) > 1 and lines[0][-1:] not in (b".", b"!", b"?")


def _with_clear_names(found: list[Source]) -> list[Source]:
    """Two files with one name get as much of their path as tells them apart."""
    names = [source.name for source in found]
    if len(set(names)) == len(names):
        return found
    common = os.path.commonpath([os.path.realpath(source.path.parent) for source in found])
    return [
        Source(os.path.relpath(os.path.realpath(source.path), common), source.path, source.split)
        if names.count(source.name) > 1
        else source
        for source in found
    ]


def _near_names(file: Path) -> str:
    if not file.parent.is_dir():
        return f" The folder {str(file.parent)!r} does not exist either."
    names = sorted(item.name for item in file.parent.iterdir())
    near = _alike(file.name, names)
    return f" Did you mean {' or '.join(near)}?" if near else f" The folder {str(file.parent)!r} has {len(names)} entries."


def _alike(wanted: str, names: list[str]) -> list[str]:
    """Names that differ by a slip or by the suffix: a suffix alone ('.csv') makes no two names alike."""
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(_stem(name), []).append(name)
    near = difflib.get_close_matches(_stem(wanted), by_stem, n=3, cutoff=0.75)
    return [name for found in near for name in by_stem[found]][:3]


def _stem(name: str) -> str:
    return name.lower().lstrip(".").partition(".")[0]
