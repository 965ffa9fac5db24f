"""Samples and alarm states out of the columns that DuckDB answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.sample_columns import Array, SampleColumns, newest_of_each_time
from archioc.db.store import CHUNK


def _common(found: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(found[name]) for name in ("time", "severity", "status", "flags", "src_time")}


def scalar_columns(found: dict[str, Any]) -> SampleColumns:
    """Numbers and texts."""
    n = len(found["time"])
    text: list[str | None] = found["text"].tolist() if "text" in found else [None] * n
    value = np.ma.filled(found["value"], np.nan)  # what DuckDB takes from numpy has NULL for NaN
    columns = SampleColumns(**_common(found), value=value, text=text, arrays=[None] * n)
    return newest_of_each_time(columns)


def array_columns(found: dict[str, Any]) -> SampleColumns:
    """Arrays and what was kept of them."""
    data = found["data"].tolist()
    arrays: list[Array | None] = [
        None if one is None else np.frombuffer(one, ELEMENT_DTYPE[Dbr(dbr)]) for one, dbr in zip(data, found["dbr"].tolist(), strict=True)
    ]
    numbers = zip(*(np.ma.filled(found[name], np.nan).tolist() for name in ("min", "max", "mean", "std")), strict=True)
    reduced = [ArrayStatistics(n, *four) if one is None else None for one, n, four in zip(data, found["n"].tolist(), numbers, strict=True)]
    n = len(arrays)
    columns = SampleColumns(**_common(found), value=np.full(n, np.nan), text=[None] * n, arrays=arrays, reduced=reduced)
    return newest_of_each_time(columns)


NO_ALARMS = AlarmColumns(np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.uint8))


def merge_alarms(first: list[AlarmColumns], second: list[AlarmColumns]) -> Iterator[AlarmColumns]:
    """Two lists of alarm states as one, sorted by time; of two with the same time that of the second counts."""
    chunks = [chunk for chunk in (*first, *second) if len(chunk)]
    if not chunks:
        return
    columns = {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("time", "severity", "status")}
    order = np.argsort(columns["time"], kind="stable")
    order = order[np.append(columns["time"][order][1:] != columns["time"][order][:-1], True)]
    for at in range(0, len(order), CHUNK):
        yield AlarmColumns(**{name: column[order[at : at + CHUNK]] for name, column in columns.items()})
