"""What the IOCs have told last about their channels: metadata, and the names of states as bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from archioc.core.dbr import DBR_CTRL_OFFSET, Dbr
from archioc.core.spool.batch import ChannelMeta
from archioc.core.table.table import ChannelTable, write_rows
from archioc.engine.ca.metadata import CTRL_BYTES, decode_labels, decode_metadata
from archioc.engine.channels.channel_types import UNKNOWN, ChannelTypes
from archioc.engine.sampling.memory import SamplerMemory

MOST_DIGITS = 17
"""More digits than a number of 64 bits has are no precision."""


class ChannelMetadata:
    """By row. of: newest metadata. labels: states of enums, as the IOC sent them."""

    def __init__(self, table: ChannelTable, names: list[str], types: ChannelTypes, memory: SamplerMemory) -> None:
        self._table, self._names, self._types, self._memory = table, names, types, memory
        self.of: dict[int, ChannelMeta] = {}
        self.labels: dict[int, tuple[bytes, ...]] = {}

    def decode(self, row: int, dbr: int, time_ns: int, raw: bytes) -> ChannelMeta | None:
        """Metadata (DBR_CTRL_x) of a channel has come at this time; what is to be stored, None where nothing is new."""
        if self._types.dbr[row] not in (UNKNOWN, dbr - DBR_CTRL_OFFSET):
            return None  # of the type it had before
        raw = raw[: CTRL_BYTES[dbr - DBR_CTRL_OFFSET]]  # the ring may be that of an engine that kept the value as well
        status, elements = self._table.status.cells[row], int(self._types.elements[row])
        count = int(status["count"]) if elements == UNKNOWN else elements
        meta = decode_metadata(self._names[row], time_ns, bytes(status["host"]).decode(), count, dbr, raw)
        if meta.dbr == Dbr.ENUM:
            self._take_labels(row, decode_labels(raw))
        else:
            self.labels.pop(row, None)
        before = self.of.get(row)
        if before is not None and _without_time(before) == _without_time(meta):
            return None  # the older object stays: new ones that live long, made by the thousand after an outage, would scatter the memory
        self.of[row] = meta
        write_rows(self._table.status, np.array([row]), units=meta.units.encode()[:15], precision=_shown_precision(meta))
        return meta

    def _take_labels(self, row: int, labels: tuple[bytes, ...]) -> None:
        before = self.labels.get(row)
        if before == labels:
            return
        if before is not None:
            self._memory.labelled[row] = 0  # the state has another name now, which goes with the next sample
            self._memory.touched[row] = True
        self.labels[row] = labels

    def as_of(self, now: int, rows: Iterable[int]) -> list[ChannelMeta]:
        """The newest metadata of these channels, as far as there are any, under a time (ns) of now."""
        return [dataclasses.replace(self.of[row], time_ns=now) for row in rows if row in self.of]

    def forget(self, row: int) -> None:
        """The channel has gone; another may get its row."""
        self.of.pop(row, None)
        self.labels.pop(row, None)


def _shown_precision(meta: ChannelMeta) -> int:
    """As the channel table has it; what no IOC means (a record's PREC is 0 to 15) is not known."""
    return meta.precision + 1 if meta.precision is not None and 0 <= meta.precision <= MOST_DIGITS else 0


def _without_time(meta: ChannelMeta) -> tuple[object, ...]:
    return tuple(getattr(meta, name) for name in meta.__slots__ if name != "time_ns")
