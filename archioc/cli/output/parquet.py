"""Parquet files, by DuckDB: columns are gathered in a scratch file on disk, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import orjson

from archioc.cli.output.channel_result import ChannelResult
from archioc.cli.output.sample_text import flag_words, label_of, plain_value
from archioc.cli.output.sample_writers import GAP_FLAG
from archioc.core.errors import OutputError
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import SampleFlag
from archioc.db.sample_columns import SampleColumns

SAMPLE_COLUMNS = {
    "channel": "varchar",
    "time": "timestamp_ns",
    "time_ns": "bigint",
    "value": "double",
    "text": "varchar",
    "label": "varchar",
    "elements": "double[]",
    "severity": "utinyint",
    "status": "utinyint",
    "flags": "varchar",
    "src_time_ns": "bigint",
}
"""Columns of samples in a Parquet file, with DuckDB's types. `text` has texts, and as JSON arrays of texts and statistics of arrays."""

BIN_COLUMNS = {"channel": "varchar", "time": "timestamp_ns", "time_ns": "bigint", "count": "bigint", "gap": "varchar"}
"""Columns of bins before those of their statistics, which are double."""

MEMORY = "160MB"

_FLAGS = np.array([flag_words(flags) for flags in range(2 * max(SampleFlag))], object)


class ParquetTable:
    """A table that becomes a Parquet file. columns: DuckDB type by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], place: Path) -> None:
        self._connection, self._place = connection, place
        connection.execute(f"create table content ({', '.join(f'{_quoted(name)} {kind}' for name, kind in columns.items())})")

    def add(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Lines behind those that are there; a column that is left out is empty."""
        self._connection.register("arrived", dict(columns))
        self._connection.execute("insert into content by name select * from arrived")

    def save(self) -> None:
        """Write the file."""
        self._connection.execute("copy content to ? (format parquet, compression zstd)", [str(self._place)])


@contextmanager
def parquet_table(place: Path, columns: Mapping[str, str]) -> Iterator[ParquetTable]:
    """A table that is written to `place` when the block ends without an error; its scratch file lies beside. Raises OutputError."""
    try:
        with duckdb.connect(str(place.with_suffix(".scratch"))) as connection:
            connection.execute("set memory_limit = ?", [MEMORY])
            connection.execute("set threads = 1")
            table = ParquetTable(connection, columns, place)
            yield table
            table.save()
    except duckdb.Error as error:
        raise OutputError(f"{place.name}: cannot be written: {error}") from None


class ParquetWriter:
    """Writes samples into a table with SAMPLE_COLUMNS. gaps: with a line without a value where each gap begins."""

    def __init__(self, table: ParquetTable, *, gaps: bool = False) -> None:
        self._table, self._gaps = table, gaps

    def write(self, found: ChannelResult) -> None:
        """Write one channel, or a part of it that follows the one before."""
        for piece in found.in_order(found.gaps if self._gaps else ()):
            self._table.add(_gap_columns(found.channel, piece) if isinstance(piece, ChannelEvent) else _columns(found.channel, piece))

    def finish(self) -> None:
        """The table is written by whoever has made it."""


def _columns(channel: str, chunk: SampleColumns) -> dict[str, npt.NDArray[Any]]:
    """Samples as columns; those that no sample fills are left out."""
    n = len(chunk)
    columns: dict[str, npt.NDArray[Any]] = {
        "channel": np.full(n, channel, object),
        "time": chunk.time.astype("M8[ns]"),
        "time_ns": chunk.time,
        "value": chunk.value,
        "severity": chunk.severity,
        "status": chunk.status,
        "flags": _FLAGS[chunk.flags],
        "src_time_ns": chunk.src_time,
    }
    texts, labels, elements = (np.full(n, None, object) for _ in range(3))
    for at in _not_numbers(chunk):
        labels[at] = label_of(chunk, at) or None
        value = plain_value(chunk, at)
        if isinstance(value, str) and labels[at] is None and chunk.text[at] is not None:
            texts[at] = value
        elif isinstance(value, list) and np.issubdtype(_array(chunk, at).dtype, np.number):
            elements[at] = _array(chunk, at).astype("f8").tolist()
        elif isinstance(value, list | dict):
            texts[at] = orjson.dumps(value).decode()
    given = {"text": texts, "label": labels, "elements": elements}
    return columns | {name: column for name, column in given.items() if any(value is not None for value in column)}


def _not_numbers(chunk: SampleColumns) -> list[int]:
    parts = zip(chunk.text, chunk.arrays, chunk.reduced, strict=True)
    return [at for at, (text, array, reduced) in enumerate(parts) if text is not None or array is not None or reduced is not None]


def _array(chunk: SampleColumns, at: int) -> npt.NDArray[Any]:
    array = chunk.arrays[at]
    assert array is not None
    return array


def _gap_columns(channel: str, gap: ChannelEvent) -> dict[str, npt.NDArray[Any]]:
    time = np.array([gap.time_ns], np.int64)
    words = np.array([GAP_FLAG + gap.reason.word], object)
    return {"channel": np.array([channel], object), "time": time.astype("M8[ns]"), "time_ns": time, "flags": words}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
