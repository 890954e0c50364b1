"""Parquet files and Arrow files and streams to records, a batch at a time."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.reading.content import Content

_BATCH = 4096
_ROWS_FROM, _MOST_ROWS_PER_BYTE = 500_000, 10


def parquet_records(content: Content) -> Iterator[tuple[int, Any]]:
    """(record number, record) of a Parquet file. Raises UserError when it is damaged, or claims an absurd size."""
    import pyarrow.parquet

    def batches() -> Iterator[Any]:
        file = pyarrow.parquet.ParquetFile(_source(content))
        _check_size(content, file.metadata.num_rows)
        yield from file.iter_batches(batch_size=_BATCH)

    return _records(batches, content.name, "Parquet")


def arrow_records(content: Content) -> Iterator[tuple[int, Any]]:
    """(record number, record) of an Arrow file or stream, and of a Feather file."""
    import pyarrow.feather

    def batches() -> Iterator[Any]:
        head = content.head(8)
        if head.startswith(b"FEA1"):
            yield from pyarrow.feather.read_table(_source(content)).to_batches(max_chunksize=_BATCH)
        elif head.startswith(b"ARROW1"):
            file = pyarrow.ipc.open_file(_source(content))
            for place in range(file.num_record_batches):
                yield from _slices(file.get_batch(place))
        else:
            for batch in pyarrow.ipc.open_stream(_source(content)):
                yield from _slices(batch)

    return _records(batches, content.name, "Arrow")


def _source(content: Content) -> Any:
    return io.BytesIO(content.whole()) if content.packed or content.path is None else str(content.path)


def _slices(batch: Any) -> Iterator[Any]:
    batch.validate(full=True)
    for start in range(0, batch.num_rows, _BATCH):
        yield batch.slice(start, _BATCH)


def _check_size(content: Content, rows: int) -> None:
    # A row of text takes more than a tenth of a byte however well it is packed; a file of nothing does not.
    if rows > _ROWS_FROM and rows > _MOST_ROWS_PER_BYTE * content.packed_size():
        raise UserError(
            f"{content.name}: claims {rows:,} rows in {content.packed_size():,} bytes; this is no table of tickets."
        )


def _records(batches: Any, name: str, form: str) -> Iterator[tuple[int, Any]]:
    import pyarrow

    number = 0
    try:
        with closing(batches()) as found:
            for batch in found:
                labels = _class_labels(batch.schema)
                for record in batch.to_pylist():
                    number += 1
                    for key, names in labels.items():
                        record[key] = _label(names, record[key])
                    yield number, record
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, TypeError, KeyError) as error:
        if isinstance(error, UserError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{name}: not a readable {form} file ({reason}).") from None


def _class_labels(schema: Any) -> dict[str, list[str]]:
    """Names of coded columns, as `datasets` stores them beside the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {key: item["names"] for key, item in features.items() if item.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {key: names for key, names in found.items() if key in schema.names and isinstance(names, list)}


def _label(names: list[str], code: Any) -> Any:
    return names[code] if isinstance(code, int) and 0 <= code < len(names) else code
