"""Counters read from a store as a whole, without the archiver: by the layouts of `docs/reference/contract/files.md`."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from tests.processes.raw_witness import stamps_of

STORED = np.dtype([("row", "<i8"), ("time", "<i8"), ("value", "<f8"), ("severity", "<i8"), ("status", "<i8"), ("flags", "<i8")])
"""row: index of the channel's name. time: ns since 1970."""

_OF_A_DAY = """
select c.name, s.time, s.value, s.severity, s.status, s.flags from sample s join catalog.channel c on c.id = s.channel
qualify row_number() over (partition by s.channel, s.time order by s.rowid desc) = 1
"""


def in_embedded_store(directory: Path, names: Sequence[str]) -> npt.NDArray[np.void]:
    """All samples of these channels, dtype STORED, in any order. The archiver must have stopped."""
    row_of = {name: row for row, name in enumerate(names)}
    parts = [np.empty(0, STORED)]
    for file in sorted(directory.glob("2*.duckdb")):
        with duckdb.connect(str(file), read_only=True) as connection:
            connection.execute(f"attach '{directory / 'catalog.duckdb'}' as catalog (read_only)")
            found = connection.execute(_OF_A_DAY).fetchnumpy()
        part = np.empty(len(found["time"]), STORED)
        part["row"] = [row_of[name] for name in found["name"]]
        for field in ("time", "value", "severity", "status", "flags"):
            part[field] = found[field]
        parts.append(part)
    return np.concatenate(parts)


def in_influxdb(url: str, database: str, names: Sequence[str]) -> npt.NDArray[np.void]:
    """All samples of these channels, dtype STORED, in any order."""
    row_of = {name: row for row, name in enumerate(names)}
    parts = [np.empty(0, STORED)]
    for series in _series(url, database, "SELECT value, severity, status, flags FROM sample GROUP BY pv"):
        columns = list(zip(*series["values"], strict=True))
        part = np.zeros(len(series["values"]), STORED)
        part["row"], part["time"], part["value"] = row_of[series["tags"]["pv"]], columns[0], columns[1]
        for field, column in zip(("severity", "status", "flags"), columns[2:], strict=True):
            part[field] = [value or 0 for value in column]
        parts.append(part)
    return np.concatenate(parts)


def _series(url: str, database: str, text: str) -> Iterator[dict[str, Any]]:
    body = urllib.parse.urlencode({"q": text, "db": database, "epoch": "ns", "chunked": "true", "chunk_size": "10000"}).encode()
    with urllib.request.urlopen(f"{url}/query", data=body, timeout=120) as response:
        for line in response:
            for result in json.loads(line)["results"]:
                assert "error" not in result, result
                yield from result.get("series", [])


def check_stored(updates: npt.NDArray[np.void], stored: npt.NDArray[np.void], number: int) -> None:
    """The stored counts of each of so many channels rise by one from sample to sample, and each update is one of them."""
    stored = stored[np.lexsort((stored["time"], stored["row"]))]
    same = stored["row"][1:] == stored["row"][:-1]
    assert np.count_nonzero(~same) == number - 1
    holes = np.flatnonzero(same & (np.diff(stored["value"]) != 1))
    assert not len(holes), f"{len(holes)} holes, first between {stored[holes[0]]} and {stored[holes[0] + 1]}"
    row = updates["row"].astype("i8")
    begin = np.flatnonzero(np.append(True, ~same))
    place = begin[row] + (updates["value"] - stored["value"][begin[row]]).astype("i8")
    kept = stored[np.clip(place, 0, len(stored) - 1)]
    equal = (kept["row"] == row) & (kept["time"] == stamps_of(updates))
    for field in ("value", "severity", "status"):
        equal &= kept[field] == updates[field]
    assert equal.all(), f"{np.count_nonzero(~equal)} of {len(updates)} updates are not stored, first {updates[~equal][0]}"
