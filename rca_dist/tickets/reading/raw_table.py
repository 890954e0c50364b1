"""The table as read: columns of text, and from which file and row each ticket comes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RawTable:
    """Columns of text as read (all of equal length); `numbers` is each row's number in its file.

    `files` are the files' names, `origins` each row's index in it, `sources` one dict a file (name, format, encoding,
    delimiter, rows, ...), `notes` plain sentences on what was decided while reading, `threads` what pairing posts found.
    """

    name: str
    format: str
    columns: dict[str, list[str]]
    numbers: list[int]
    encoding: str | None = None
    delimiter: str | None = None
    preview: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    files: list[str] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    threads: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows kept; `dropped` counts those left out."""
        return len(self.numbers)

    def place(self, row: int) -> str:
        """Where a row of the table (from 0) stands: 'tickets.csv, row 12'."""
        name = self.files[self.origins[row]] if self.origins else self.name
        return f"{name}, row {self.numbers[row]}"
