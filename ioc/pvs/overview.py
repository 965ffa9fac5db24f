"""The archiver as a whole at one moment, as its PVs show it, and how it is judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from archioc.core.table.archive_totals import ArchiveTotals, count_up
from archioc.core.table.process_counts import ProcessCounts
from archioc.core.table.table import ChannelTable, ProcessState, StoreState
from archioc.ioc.pvs.loss_window import NO_LOSSES, Losses, LossWindow
from archioc.ioc.pvs.row_view import SILENT_S, is_silent
from archioc.ioc.registry.hand_over import NO_SHARING, Sharing

SPOOL_AGE_S = 60.0
"""A batch that waits longer than this means that the store does not keep up."""

UNKNOWN_AGE_S = 10.0
"""The same for a store that has not answered since the db process started."""


class ArchiverState(IntEnum):
    """The order is that of the enum PV `State`."""

    STARTING = 0
    RUNNING = 1
    DEGRADED = 2
    FAULT = 3
    STOPPING = 4


@dataclass(frozen=True, slots=True)
class OwnHealth:
    """What the ioc process knows of itself. loop_lag in s, memory in bytes, started_ns in ns since 1970.

    conflict: why clients may reach another IOC under our names; empty when they cannot.
    http_state: of the http process, which writes no block of the table.
    sharing: among the shards.
    """

    version: str
    started_ns: int
    beats: int
    memory: int
    clients: int
    loop_lag: float
    restarts: ProcessCounts
    spool_max_bytes: int
    conflict: str = ""
    http_state: ProcessState = ProcessState.STOPPED
    sharing: Sharing = NO_SHARING


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the PVs of the archiver show. last_minute: what was lost in it."""

    own: OwnHealth
    totals: ArchiveTotals
    now_ns: int
    engine_silent: bool
    db_silent: bool
    state: ArchiverState
    reason: str
    last_minute: Losses = NO_LOSSES

    def status(self, column: str) -> float:
        """A number of the engine's head."""
        return self.totals.status(column)

    def ledger(self, column: str) -> float:
        """A number of the ledger's head."""
        return self.totals.ledger(column)

    def delivery(self, column: str) -> float:
        """A number of the db process' head."""
        return self.totals.delivery(column)

    @property
    def disconnected_pct(self) -> float:
        """0 to 100; 0 when there are no channels."""
        return 100 * (self.totals.channels - self.totals.connected) / self.totals.channels if self.totals.channels else 0.0

    @property
    def pending(self) -> float:
        """Counted, not the remainder of the other counters."""
        return self.ledger("withheld") + self.delivery("spool_samples")

    @property
    def spool_fill_pct(self) -> float:
        """0 to 100."""
        return 100 * self.delivery("spool_bytes") / self.own.spool_max_bytes

    @property
    def spool_age(self) -> float:
        """Of the oldest batch (s); 0 for an empty spool."""
        return _spool_age(self.totals, self.now_ns)


def read_overview(table: ChannelTable, own: OwnHealth, now_ns: int, window: LossWindow, *, was_running: bool, stopping: bool) -> Overview:
    """Look at the whole table. window: remembers the losses of the last minute.

    was_running: whether both other processes have answered at some time; before that the archiver is starting.
    """
    totals = count_up(table)
    losses = window.update(totals, time.monotonic())
    silent = {name: is_silent(heartbeat, now_ns) for name, heartbeat in _heartbeats(totals).items()}
    state, reason = _judge(totals, [name for name in silent if silent[name]], now_ns, was_running=was_running, stopping=stopping)
    worse = losses.words or _damage(totals) or own.conflict
    if state is ArchiverState.RUNNING and worse:
        state, reason = ArchiverState.DEGRADED, worse
    elif state is ArchiverState.RUNNING:
        reason = own.sharing.idle_reason
    return Overview(own, totals, now_ns, silent["engine"], silent["db"], state, reason, losses)


def _heartbeats(totals: ArchiveTotals) -> dict[str, int]:
    """In ns since 1970, by process."""
    return {"engine": int(totals.status_head["heartbeat"][0]), "db": int(totals.delivery_head["heartbeat"][0])}


def _judge(totals: ArchiveTotals, silent: Sequence[str], now_ns: int, *, was_running: bool, stopping: bool) -> tuple[ArchiverState, str]:
    """The state of the archiver and the reason in words. silent: processes that do not answer."""
    if stopping:
        return ArchiverState.STOPPING, "the archiver was told to stop"
    if silent:
        names = " and the ".join(f"{name} process" for name in silent)
        if not was_running:
            return ArchiverState.STARTING, f"waiting for the {names}"
        return ArchiverState.FAULT, f"no sign of life from the {names} for more than {SILENT_S:.0f} s"
    if totals.spool_error:
        return ArchiverState.DEGRADED, f"the spool cannot be used: {totals.spool_error}"
    store_state = int(totals.delivery("store_state"))
    if store_state not in {StoreState.UNKNOWN, StoreState.OK}:
        word = StoreState(store_state).name.lower()
        return ArchiverState.DEGRADED, f"the store is {word}: {totals.store_error}" if totals.store_error else f"the store is {word}"
    age = _spool_age(totals, now_ns)
    if store_state == StoreState.UNKNOWN and age > UNKNOWN_AGE_S:
        return ArchiverState.DEGRADED, f"the store has not answered yet: the oldest batch has waited {age:.0f} s"
    if age > SPOOL_AGE_S:
        return ArchiverState.DEGRADED, f"the store does not keep up: the oldest batch has waited {age:.0f} s"
    return ArchiverState.RUNNING, ""


def _damage(totals: ArchiveTotals) -> str:
    """Files that are damaged and were set aside, until a person takes them away; empty where there are none."""
    if totals.delivery("store_damaged"):
        return f"files of the store are {totals.store_error}" if totals.store_error else "files of the store are damaged and set aside"
    if totals.delivery("damaged"):
        return f"{totals.delivery('damaged'):.0f} files of the spool are damaged and set aside, in spool/damaged"
    return ""


def _spool_age(totals: ArchiveTotals, now_ns: int) -> float:
    oldest = int(totals.delivery_head["spool_oldest"][0])
    return max(now_ns - oldest, 0) / 1e9 if oldest else 0.0
