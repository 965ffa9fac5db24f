"""The archiver as a whole at one moment, from the heads and the rows of the channel table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from archioc.core.overview import spool_error
from archioc.core.process_counts import ProcessCounts
from archioc.core.table import DROPS, ChannelTable, RowState, StoreState
from ioc.row_view import SILENT_S, is_silent

SPOOL_AGE_S = 60.0
"""A batch that waits longer than this means that the store does not keep up."""


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


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the PVs of the archiver show. The heads are copies of shape (1,)."""

    own: OwnHealth
    now_ns: int
    channels: int
    connected: int
    enabled: int
    engine_silent: bool
    db_silent: bool
    state: ArchiverState
    reason: str
    status_head: npt.NDArray[np.void]
    ledger_head: npt.NDArray[np.void]
    delivery_head: npt.NDArray[np.void]

    def status(self, column: str) -> float:
        """A number of the engine's head."""
        return float(self.status_head[column][0])

    def ledger(self, column: str) -> float:
        """A number of the ledger's head."""
        return float(self.ledger_head[column][0])

    def delivery(self, column: str) -> float:
        """A number of the db process' head."""
        return float(self.delivery_head[column][0])

    @property
    def disconnected_pct(self) -> float:
        """0 to 100; 0 when there are no channels."""
        return 100 * (self.channels - self.connected) / self.channels if self.channels else 0.0

    @property
    def pending(self) -> float:
        """Counted, not the remainder of the other counters."""
        return self.ledger("withheld") + self.delivery("spool_samples")

    @property
    def dropped(self) -> float:
        """Over all reasons."""
        return sum(self.ledger(drop) for drop in DROPS)

    @property
    def store_error(self) -> str:
        """The store's words."""
        return bytes(self.delivery_head["error"][0]).decode(errors="replace")

    @property
    def spool_fill_pct(self) -> float:
        """0 to 100."""
        return 100 * self.delivery("spool_bytes") / self.own.spool_max_bytes

    @property
    def spool_age(self) -> float:
        """Of the oldest batch (s); 0 for an empty spool."""
        return _spool_age(self.delivery_head, self.now_ns)


def look(table: ChannelTable, own: OwnHealth, now_ns: int, *, was_running: bool, stopping: bool) -> Overview:
    """Look at the whole table.

    was_running: whether both other processes have answered at some time; before that the archiver is starting.
    """
    rows = int(table.settings.head["rows"][0])
    settings, status = table.settings.cells[:rows], table.status.cells[:rows]
    used = settings["state"] == RowState.USED
    heads = [block.head.copy() for block in (table.status, table.ledger, table.delivery)]
    engine_silent = is_silent(int(heads[0]["heartbeat"][0]), now_ns)
    db_silent = is_silent(int(heads[2]["heartbeat"][0]), now_ns)
    state, reason = _judge(heads[0], heads[2], now_ns, was_running=was_running, stopping=stopping)
    if state is ArchiverState.RUNNING and own.conflict:
        state, reason = ArchiverState.DEGRADED, own.conflict
    return Overview(
        own=own,
        now_ns=now_ns,
        channels=int(np.count_nonzero(used)),
        connected=int(np.count_nonzero(used & (status["connected"] == 1) & (status["generation"] == settings["generation"]))),
        enabled=int(np.count_nonzero(used & (settings["enable"] == 1))),
        engine_silent=engine_silent,
        db_silent=db_silent,
        state=state,
        reason=reason,
        status_head=heads[0],
        ledger_head=heads[1],
        delivery_head=heads[2],
    )


def _judge(
    status: npt.NDArray[np.void], delivery: npt.NDArray[np.void], now_ns: int, *, was_running: bool, stopping: bool
) -> tuple[ArchiverState, str]:
    """The state of the archiver and the reason in words."""
    if stopping:
        return ArchiverState.STOPPING, "the archiver was told to stop"
    heartbeats = (("engine", int(status["heartbeat"][0])), ("db", int(delivery["heartbeat"][0])))
    silent = [name for name, heartbeat in heartbeats if is_silent(heartbeat, now_ns)]
    if silent:
        names = " and the ".join(f"{name} process" for name in silent)
        if not was_running:
            return ArchiverState.STARTING, f"waiting for the {names}"
        return ArchiverState.FAULT, f"no sign of life from the {names} for more than {SILENT_S:.0f} s"
    if error := spool_error(status[0], delivery[0]):
        return ArchiverState.DEGRADED, f"the spool cannot be used: {error}"
    store_state = int(delivery["store_state"][0])
    if store_state not in {StoreState.UNKNOWN, StoreState.OK}:
        error = bytes(delivery["error"][0]).decode(errors="replace")
        word = StoreState(store_state).name.lower()
        return ArchiverState.DEGRADED, f"the store is {word}: {error}" if error else f"the store is {word}"
    age = _spool_age(delivery, now_ns)
    if age > SPOOL_AGE_S:
        return ArchiverState.DEGRADED, f"the store does not keep up: the oldest batch has waited {age:.0f} s"
    return ArchiverState.RUNNING, ""


def _spool_age(delivery: npt.NDArray[np.void], now_ns: int) -> float:
    oldest = int(delivery["spool_oldest"][0])
    return max(now_ns - oldest, 0) / 1e9 if oldest else 0.0
