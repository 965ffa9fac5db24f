"""What the channel table of an archiver shows of one channel, and of the processes behind it."""

from __future__ import annotations

from dataclasses import dataclass

from archioc.core.alive import AliveDamaged, read_alive
from archioc.core.directories import Directories, is_locked
from archioc.core.errors import RunDirError
from archioc.core.table.table import ChannelState, ChannelTable, StoreState, read_row


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """The newest that came of a channel; all but `state` and `reason` are 0 or NaN where nothing has come.

    time_ns: IOC stamp of the newest value, received_ns: when it came. filtered: updates left out since the counters began.
    withheld: a value waits for its interval to end.
    """

    state: ChannelState
    reason: str
    value: float
    time_ns: int
    received_ns: int
    filtered: int
    withheld: bool


@dataclass(frozen=True, slots=True)
class LiveArchiver:
    """running: whether an archiver runs. collected_ns: when it last collected (ns), 0 for never; stopped: in order.

    store_error, spool_error: why the store or the spool does not take anything now; empty when they do.
    """

    running: bool
    collected_ns: int
    stopped: bool
    store_error: str
    spool_error: str
    channel: LiveChannel | None


def read_live(directories: Directories, row: int | None, generation: int) -> LiveArchiver:
    """From the run directory, or after a reboot from the file `alive`. row: of the channel, None when it has none."""
    table = ChannelTable(directories.run)
    try:
        table.open(read_only=True)
    except RunDirError:
        return LiveArchiver(is_locked(directories), *_alive(directories), "", "", None)
    try:
        status, delivery = table.status.head[0], table.delivery.head[0]
        store_state = StoreState(int(delivery["store_state"]))
        store_error = _text(delivery["error"]) or store_state.name.lower()
        collected, stopped = _alive(directories)
        return LiveArchiver(
            running=is_locked(directories),
            collected_ns=int(status["collected_at"]) or collected,
            stopped=stopped,
            store_error=store_error if store_state in {StoreState.UNREACHABLE, StoreState.DENIED} else "",
            spool_error=_text(status["spool_error"]) or _text(delivery["spool_error"]),
            channel=None if row is None else _channel(table, row, generation),
        )
    finally:
        table.close()


def _channel(table: ChannelTable, row: int, generation: int) -> LiveChannel | None:
    if row >= table.capacity:
        return None
    status, ledger = read_row(table.status, row)[0], table.ledger.cells[row]
    if int(status["generation"]) != generation:
        return None
    counted = int(ledger["generation"]) == generation
    return LiveChannel(
        ChannelState(int(status["state"])),
        _text(status["reason"]),
        float(status["value"]),
        int(status["time"]),
        int(status["received_at"]),
        int(ledger["filtered"]) if counted else 0,
        bool(ledger["withheld"]) if counted else False,
    )


def _alive(directories: Directories) -> tuple[int, bool]:
    """When collecting ended, and whether by a stop in order; 0 when nothing is known."""
    try:
        found = read_alive(directories.alive)
    except (AliveDamaged, OSError):
        found = None
    return (found.time_ns, found.stopped) if found else (0, False)


def _text(cell: bytes) -> str:
    return bytes(cell).decode(errors="replace")
