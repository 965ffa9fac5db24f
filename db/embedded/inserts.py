"""From the columns of a batch to lines in the tables of a day."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.spool.batch import NO_BLOB, Kind, SampleFlag, Samples, decode_exactly
from archioc.core.spool.encoding.line_fields import STATISTICS

ChannelIds = npt.NDArray[np.uint32]
"""The number of a channel in the catalog, for each sample."""


def insert_samples(cursor: duckdb.DuckDBPyConnection, samples: Samples, channel: ChannelIds, blobs: tuple[bytes, ...]) -> None:
    """Samples of one day, into the tables for scalars and for arrays."""
    arrays = samples["kind"] == Kind.ARRAY
    _insert_scalars(cursor, samples[~arrays], channel[~arrays], blobs)
    _insert_arrays(cursor, samples[arrays], channel[arrays], blobs)


def insert_alarms(cursor: duckdb.DuckDBPyConnection, alarms: npt.NDArray[np.void], channel: ChannelIds) -> None:
    """Alarm states of one day."""
    if len(alarms):
        cursor.register("arrived", _columns(alarms, "time", "severity", "status") | {"channel": channel})
        cursor.execute("insert into alarm by name select * from arrived")


def _insert_scalars(cursor: duckdb.DuckDBPyConnection, samples: Samples, channel: ChannelIds, blobs: tuple[bytes, ...]) -> None:
    if not len(samples):
        return
    texts, text_flags = _texts(samples, blobs)
    columns = _columns(samples, "time", "value", "severity", "status", "src_time")
    cursor.register("arrived", columns | {"channel": channel, "flags": samples["flags"] | text_flags, "text": texts})
    cursor.execute("insert into sample by name select * from arrived")


def _insert_arrays(cursor: duckdb.DuckDBPyConnection, samples: Samples, channel: ChannelIds, blobs: tuple[bytes, ...]) -> None:
    if not len(samples):
        return
    columns = _columns(samples, "time", "severity", "status", "flags", "src_time", "dbr") | {"channel": channel}
    data = np.empty(len(samples), object)
    found = []
    for at, (which, flags, dbr) in enumerate(zip(*(samples[name].tolist() for name in ("blob", "flags", "dbr")), strict=True)):
        if flags & SampleFlag.STATISTICS:
            found.append(ArrayStatistics.unpack(blobs[which]))
        else:
            data[at] = blobs[which]
            found.append(ArrayStatistics.of(np.frombuffer(blobs[which], ELEMENT_DTYPE[Dbr(dbr)])))
    columns |= {"data": data, "n": np.array([one.n for one in found], np.int64)}
    columns |= {name: np.array([getattr(one, name) for one in found], np.float64) for name in STATISTICS}
    cursor.register("arrived", columns)
    cursor.execute("insert into array_sample by name select * from arrived")


def _columns(lines: npt.NDArray[np.void], *names: str) -> dict[str, Any]:
    return {name: np.ascontiguousarray(lines[name]) for name in names}


def _texts(scalars: Samples, blobs: tuple[bytes, ...]) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.uint8]]:
    """Text or label of each sample, and the flags that tell how its bytes were decoded."""
    texts = np.full(len(scalars), None, object)
    flags = np.zeros(len(scalars), np.uint8)
    texts[scalars["kind"] == Kind.TEXT] = ""
    for at in np.flatnonzero(scalars["blob"] != NO_BLOB).tolist():
        texts[at], flags[at] = decode_exactly(blobs[scalars["blob"][at]])
    return texts, flags
