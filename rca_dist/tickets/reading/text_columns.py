"""Growing columns of text: rows of cells, or records with named fields, gathered without keeping the rows."""

from collections.abc import Sequence

from rca_dist.errors import UserError

_CHUNK = 4096
_SHORT = 32
_MOST_SHARED = 2000
_MOST_CELLS = 50_000_000
_MOST_NAMES = 2000


class RowColumns:
    """Columns that grow by whole rows; equal short cells of a column (states, groups) share one string."""

    def __init__(self, header: Sequence[str]) -> None:
        self.names = unique_names(header)
        self.numbers: list[int] = []
        self._cells: list[list[str]] = [[] for _ in self.names]
        self._shared: list[dict[str, str] | None] = [{} for _ in self.names]
        self._waiting: list[list[str]] = []

    def add(self, number: int, cells: list[str]) -> None:
        """Take one row (as many cells as names) and its number in the file."""
        self.numbers.append(number)
        self._waiting.append(cells)
        if len(self._waiting) >= _CHUNK:
            self._settle()

    def columns(self) -> dict[str, list[str]]:
        """The columns by name."""
        self._settle()
        return dict(zip(self.names, self._cells, strict=True))

    def _settle(self) -> None:
        for place, cells in enumerate(zip(*self._waiting, strict=True)):
            shared = self._shared[place]
            if shared is None:
                self._cells[place].extend(cells)
                continue
            self._cells[place].extend([shared.setdefault(cell, cell) if len(cell) <= _SHORT else cell for cell in cells])
            if len(shared) > _MOST_SHARED:
                self._shared[place] = None
        self._waiting.clear()


class RecordColumns:
    """Columns that grow by records with any fields; a field that a record lacks is empty there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.numbers: list[int] = []
        self._cells: dict[str, list[str]] = {}
        self._shared: dict[str, str] = {}

    def add(self, number: int, row: dict[str, str]) -> None:
        """Take one record and its number in the file. Raises UserError for records without a common form."""
        count = len(self.numbers)
        for key, cell in row.items():
            column = self._cells.get(key)
            if column is None:
                column = self._cells[key] = []
                self._check_form()
            if len(column) < count:
                column.extend([""] * (count - len(column)))
            column.append(self._share(cell))
        self.numbers.append(number)

    def columns(self) -> dict[str, list[str]]:
        """The columns by name, in order of first appearance."""
        count = len(self.numbers)
        self._check_form()
        for column in self._cells.values():
            column.extend([""] * (count - len(column)))
        return self._cells

    def _check_form(self) -> None:
        names, count = len(self._cells), len(self.numbers)
        if names > _MOST_NAMES and names * count > _MOST_CELLS:
            raise UserError(f"{self.name}: {names} different field names in {count} records; this is no table of tickets.")

    def _share(self, cell: str) -> str:
        if len(cell) > _SHORT:
            return cell
        if len(self._shared) < 20 * _MOST_SHARED:
            return self._shared.setdefault(cell, cell)
        return self._shared.get(cell, cell)


def unique_names(header: Sequence[str]) -> list[str]:
    """Empty headers get 'Unnamed: i', repeated ones a running suffix (Comment, Comment.1, Comment.2)."""
    seen: set[str] = set()
    copies: dict[str, int] = {}
    names: list[str] = []
    for index, cell in enumerate(header):
        base = " ".join(cell.split()) or f"Unnamed: {index}"
        candidate, copy = base, copies.get(base, 0)
        while candidate in seen:
            copy += 1
            candidate = f"{base}.{copy}"
        copies[base] = copy
        seen.add(candidate)
        names.append(candidate)
    return names
