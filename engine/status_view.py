"""The status block: what the channels and the engine look like just now, for eyes only."""

from __future__ import annotations

import codecs

import numpy as np

from archioc.core.alive import since_boot_ns
from archioc.core.spool.batch import Kind
from archioc.core.table.table import ChannelTable, write_rows
from archioc.engine.channels.channels import Channels
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.updates import Updates

RATE_PERIOD_NS = 2_000_000_000
LAG_PERIOD_NS = 1_000_000_000
MAX_SHOWN = 39
"""Longest text shown: that of a DBR_STRING."""


class StatusView:
    """Writes newest values, rates and the engine's own state into the status block."""

    def __init__(self, table: ChannelTable, memory: SamplerMemory, channels: Channels) -> None:
        self._block, self._memory, self._channels = table.status, memory, channels
        self._rated_at = self._round_at = self._lag_at = 0
        self._worst = 0
        self._received, self._committed = memory.received.copy(), memory.committed.copy()

    def show_updates(self, newest: Updates) -> None:
        """One update of each channel: what the channel looks like now."""
        write_rows(
            self._block,
            newest.row,
            value=newest.value,
            time=newest.stamp,
            received_at=newest.received,
            severity=newest.alarm >> 8,
            status=newest.alarm & 0xFF,
            kind=newest.kind,
            count=newest.count,
        )
        if not newest.kind.any():  # numbers only
            return
        texts = np.flatnonzero((newest.kind == Kind.TEXT) | (newest.kind == Kind.ENUM))
        for at in texts.tolist():
            write_rows(self._block, newest.row[at : at + 1], text=self._text(newest, at))

    def _text(self, updates: Updates, at: int) -> bytes:
        if updates.kind[at] == Kind.TEXT:
            return _shown(updates.blobs[updates.blob[at]])
        labels = self._channels.metadata.labels.get(int(updates.row[at]), ())
        state = int(updates.value[at])
        return _shown(labels[state]) if state < len(labels) else b""

    def refresh(self, now: int, ring_fill: float, clock_suspect: bool) -> None:
        """Once a round (now: ns since 1970): the sign of life; now and then the rates."""
        head = self._block.head
        head["heartbeat"], head["collected_at"], head["ring_fill"] = now, now, ring_fill
        head["collected_boot"], head["clock_suspect"] = since_boot_ns(), clock_suspect
        self._worst = max(self._worst, now - self._round_at) if self._round_at else 0
        self._round_at = now
        if now - self._lag_at >= LAG_PERIOD_NS:
            head["loop_lag"] = self._worst / 1e9
            self._worst, self._lag_at = 0, now
        if not 0 <= now - self._rated_at < RATE_PERIOD_NS:
            self._show_rates(now)

    def _show_rates(self, now: int) -> None:
        memory = self._memory
        seconds = (now - self._rated_at) / 1e9
        if self._rated_at and seconds > 0:
            rows = self._channels.ours()
            events = np.maximum(memory.received[rows] - self._received[rows], 0) / seconds
            samples = np.maximum(memory.committed[rows] - self._committed[rows], 0) / seconds
            self._block.cells["event_rate"][rows] = events
            self._block.cells["sample_rate"][rows] = samples
            self._block.head["event_rate"], self._block.head["sample_rate"] = events.sum(), samples.sum()
        self._rated_at = now
        np.copyto(self._received, memory.received)
        np.copyto(self._committed, memory.committed)


def _shown(raw: bytes) -> bytes:
    """The beginning of a text as UTF-8, cut between two characters; each byte is a Latin-1 character where it is not UTF-8."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(raw[:MAX_SHOWN], final=len(raw) <= MAX_SHOWN)
    except UnicodeDecodeError:
        text = raw[:MAX_SHOWN].decode("latin-1")
    return text.encode()[:MAX_SHOWN].decode(errors="ignore").encode()
