"""What is told of a channel in a list: how it does now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from archioc.core.directories import Directories
from archioc.core.registry import RegistryChannel
from archioc.core.table.table import ChannelState, ChannelTable, read_row
from archioc.db.store import Reader
from archioc.retrieval.archive import Archive
from archioc.retrieval.query_pool.budget import Budget

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """One channel. Times are ms since 1970 UTC, None where there is none.

    state: a word of the contract (`disconnected`, `archiving`, ...), or `stored` for one that is not archived any more.
    reason: why it is not archived. value, text, time_ms: the newest that was received, of a stored one the newest sample;
    value is None for texts, arrays and what is not finite. event_rate, sample_rate: 1/s. sample_ms: time of the newest sample.
    """

    name: str
    archived: bool
    connected: bool
    state: str
    reason: str = ""
    value: float | None = None
    text: str = ""
    units: str = ""
    severity: int = 0
    time_ms: float | None = None
    event_rate: float = 0.0
    sample_rate: float = 0.0
    sample_ms: float | None = None


def lines_of(archive: Archive, names: Sequence[str], at_ns: int, budget: Budget) -> list[ChannelLine]:
    """A line for each name. Raises RegistryError, RunDirError and what the reader raises."""
    archived = archive.catalogue.names().archived
    with _table_of(archive.directories) as table:
        return [
            _line_of_row(table, archived[name]) if table is not None and name in archived else _line_of_store(archive.reader, name, at_ns)
            for name in budget.watch(names)
        ]


@contextmanager
def _table_of(directories: Directories | None) -> Iterator[ChannelTable | None]:
    """Opened for each request: a new archiver may have made a new one."""
    if directories is None:
        yield None
        return
    table = ChannelTable(directories.run)
    table.open()
    try:
        yield table
    finally:
        table.close()


def _line_of_row(table: ChannelTable, channel: RegistryChannel) -> ChannelLine:
    status, ledger = read_row(table.status, channel.row)[0], table.ledger.cells[channel.row]
    if int(status["generation"]) != channel.generation:
        return ChannelLine(channel.name, archived=True, connected=False, state="new")
    counted = int(ledger["generation"]) == channel.generation
    return ChannelLine(
        name=channel.name,
        archived=True,
        connected=bool(status["connected"]),
        state=ChannelState(int(status["state"])).name.lower(),
        reason=_text(status["reason"]),
        value=_finite(float(status["value"])),
        text=_text(status["text"]),
        units=_text(status["units"]),
        severity=int(status["severity"]),
        time_ms=_milliseconds(int(status["time"])),
        event_rate=float(status["event_rate"]),
        sample_rate=float(status["sample_rate"]),
        sample_ms=_milliseconds(int(ledger["last_time"])) if counted else None,
    )


def _line_of_store(reader: Reader, name: str, at_ns: int) -> ChannelLine:
    newest = reader.at(name, at_ns)
    if newest is None:
        return ChannelLine(name, archived=False, connected=False, state="stored")
    time_ms = _milliseconds(int(newest.time[0]))
    return ChannelLine(
        name=name,
        archived=False,
        connected=False,
        state="stored",
        value=_finite(float(newest.value[0])),
        text=newest.text[0] or "",
        severity=int(newest.severity[0]),
        time_ms=time_ms,
        sample_ms=time_ms,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _milliseconds(time_ns: int) -> float | None:
    return time_ns / NS_PER_MS if time_ns else None


def _text(field: bytes) -> str:
    return bytes(field).decode(errors="replace")
