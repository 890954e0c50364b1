"""metrics.jsonl: the record of a run's numbers, one JSON object per row."""

import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rca_dist.runtime.files import DiskProblem, full_disk_said, write_text

log = logging.getLogger(__name__)


class JsonlTracker:
    """Appends one JSON object per row to a file, each written whole and flushed.

    While the disk is full, rows are kept in memory, with one warning: a checkpoint does not count before they are written.
    """

    def __init__(self, path: Path, *, keep_to_step: int = 0, evaluation_due: bool = False) -> None:
        """Open for appending; rows of steps after `keep_to_step` (a resume's checkpoint) are cut first.

        `evaluation_due`: so are evaluations of that very step, which are going to be done again.
        """
        self.path = path
        _cut_back(path, keep_to_step, evaluation_due)
        self._file = path.open("ab", buffering=0)
        self._kept: list[bytes] = []
        self._warned = False

    def log(self, row: Mapping[str, Any]) -> None:
        """Write one line. NaN and infinity become null, which JSON can say."""
        self._kept.append((json.dumps({k: _finite(v) for k, v in row.items()}) + "\n").encode())
        try:
            self._write()
        except DiskProblem as problem:
            if not self._warned:
                self._warned = True
                log.warning("warning: %s; rows are kept in memory meanwhile", problem)

    def _write(self) -> None:
        with full_disk_said(self.path):
            while self._kept:
                whole = self._file.seek(0, os.SEEK_END)
                rest = memoryview(self._kept[0])
                try:
                    while rest:
                        # The system says why not all was taken when it is asked for the rest.
                        rest = rest[self._file.write(rest) :]
                except OSError:
                    self._file.truncate(whole)  # the file ends at a whole line
                    raise
                self._kept.pop(0)

    def flush(self) -> None:
        """Bring all rows to the disk. Raises: DiskProblem when it is full."""
        self._write()
        with full_disk_said(self.path):
            os.fsync(self._file.fileno())

    def summary(self, values: Mapping[str, Any]) -> None:
        """Final numbers are not rows: results.json has them."""

    def finish(self, exit_code: int = 0) -> None:
        """Flush to disk and close. Raises: DiskProblem when it is full."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()


def _cut_back(path: Path, last_step: int, evaluation_due: bool) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            step = row["step"]
        except (ValueError, KeyError, TypeError):
            continue
        again = evaluation_due and step == last_step and any(key.startswith("eval/") for key in row)
        if step <= last_step and last_step > 0 and not again:
            kept.append(line + "\n")
    write_text(path, "".join(kept))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
