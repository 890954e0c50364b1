"""The bytes of one export as a stream: from disk or memory, unpacked from gzip while they are read."""

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rca_dist.errors import UserError

_GZIP = b"\x1f\x8b"
LARGEST_UNPACKED = 8 * 2**30
# Text of tickets packs 5 to 50 times smaller; a file that unpacks to hundreds of times its size is no export.
LARGEST_RATIO = 400
RATIO_FROM = 64 * 2**20


@dataclass
class Content:
    """One export: its name, and its bytes at `path` or in `data`. `cut` becomes true when the bytes end too early.

    With `lenient` a cut gzip stream ends where it is cut instead of raising.
    """

    name: str
    path: Path | None = None
    data: bytes | None = None
    lenient: bool = False
    cut: bool = False

    @property
    def packed(self) -> bool:
        """True for gzip, whatever the name says."""
        return self._raw_head() == _GZIP

    def open(self) -> BinaryIO:
        """A new stream over the unpacked bytes. Raises UserError (also on reading) for a damaged or oversized gzip."""
        raw = self._open_raw()
        if not self.packed:
            return raw
        return io.BufferedReader(_Unpacked(raw, self), 1 << 20)

    def head(self, size: int = 4096) -> bytes:
        """The first unpacked bytes."""
        with self.open() as stream:
            return stream.read(size)

    def whole(self) -> bytes:
        """All unpacked bytes."""
        if self.data is not None and not self.packed:
            return self.data
        with self.open() as stream:
            return stream.read()

    def packed_size(self) -> int:
        """Bytes as stored."""
        return len(self.data) if self.data is not None else self.path.stat().st_size if self.path else 0

    def _open_raw(self) -> BinaryIO:
        if self.data is not None:
            return io.BytesIO(self.data)
        assert self.path is not None
        try:
            return self.path.open("rb")
        except OSError as error:
            raise UserError(f"{self.name}: cannot be read ({error.strerror or error}).") from None

    def _raw_head(self) -> bytes:
        with self._open_raw() as stream:
            return stream.read(2)


class _Unpacked(io.RawIOBase):
    """Gzip reader that stops at a size no export has, and turns damage into one clear message."""

    def __init__(self, raw: BinaryIO, content: Content) -> None:
        self._raw, self._content = raw, content
        self._stream = gzip.GzipFile(fileobj=raw)
        self._packed_size = max(content.packed_size(), 1)
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            data = self._stream.read1(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            # Only an early end leaves whole rows before it; other damage makes every byte doubtful.
            if self._content.lenient and isinstance(error, EOFError):
                self._content.cut = True
                return 0
            raise UserError(f"{self._content.name}: the gzip file is cut or damaged; fetch it again.") from None
        self._count += len(data)
        self._check_size()
        buffer[: len(data)] = data
        return len(data)

    def _check_size(self) -> None:
        too_dense = self._count > RATIO_FROM and self._count > LARGEST_RATIO * self._packed_size
        if self._count > LARGEST_UNPACKED or too_dense:
            size = f"{LARGEST_UNPACKED >> 30} GiB" if not too_dense else f"{LARGEST_RATIO} times its size"
            raise UserError(f"{self._content.name}: unpacks to more than {size}; unpack it, look at it, and split it first.")

    def close(self) -> None:
        self._stream.close()
        self._raw.close()
        super().close()
