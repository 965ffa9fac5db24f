"""The channel table: what the three processes know about each channel, in shared memory.

Four blocks, each written by one process only, with a row per channel:

    settings   ioc      what is wanted of the channel
    status     engine   what it looks like now (every drain, for eyes)
    ledger     engine   what has been accounted for (every commit, journaled: see `ledger`)
    delivery   db       what has become of its samples (every delivery, journaled)

and one block with a cell per group, by its number:

    groups     engine   whether its channels are archived

A row carries a generation. A block's row speaks of the channel only while its generation equals that
of the settings row. What must be read together is under the row's sequence number: odd while it
is being written.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archioc.core.errors import RunDirError, TableFull
from archioc.core.registry import MAX_GROUPS
from archioc.core.table.columns import DELIVERY, DELIVERY_HEAD, LEDGER, LEDGER_HEAD, SETTINGS, SETTINGS_HEAD, STATUS, STATUS_HEAD
from archioc.core.table.group_status import GROUP_STATUS
from archioc.core.table.mapped_file import MappedFile

VERSION = 8

Rows = npt.NDArray[np.integer]
"""Row numbers."""


class RowState(IntEnum):
    """What a settings row is used for."""

    FREE = 0
    USED = 1
    REMOVED = 2
    """The engine still has to let go of it."""


class ChannelState(IntEnum):
    """What a channel is doing (the order is that of the enum PV `State`)."""

    CONNECTING = 0
    ARCHIVING = 1
    DISABLED = 2
    GROUP_OFF = 3
    DISCONNECTED = 4
    REJECTED = 5


class ProcessState(IntEnum):
    """What a process of the archiver is doing (the order is that of the enum PVs)."""

    STOPPED = 0
    STARTING = 1
    RUNNING = 2
    STOPPING = 3


class LedgerAct(IntEnum):
    """What the engine's journal announces."""

    COMMIT = 0
    """A commit without a spool file."""
    COMMIT_FILE = 1
    """A commit whose batch is published in the spool."""
    DROP = 2
    """A batch is given up because the spool is full."""


class StoreState(IntEnum):
    """How the store answers (the order is that of the enum PV `Db:State`)."""

    UNKNOWN = 0
    OK = 1
    UNREACHABLE = 2
    DENIED = 3
    REJECTING = 4
    DEGRADED = 5


_NO_HEAD = np.dtype([("reserved", "<i8")])

_FILES = (
    ("settings", b"ArchSet", SETTINGS_HEAD, SETTINGS),
    ("status", b"ArchSta", STATUS_HEAD, STATUS),
    ("ledger", b"ArchLed", LEDGER_HEAD, LEDGER),
    ("delivery", b"ArchDel", DELIVERY_HEAD, DELIVERY),
)


class ChannelTable:
    """The blocks of the table in a run directory. blocks: the four with a row per channel."""

    settings: MappedFile
    status: MappedFile
    ledger: MappedFile
    delivery: MappedFile
    groups: MappedFile

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.blocks: list[MappedFile] = []
        for name, magic, head, cell in _FILES:
            block = MappedFile(run_dir / f"{name}.table", magic, VERSION, head, cell)
            setattr(self, name, block)
            self.blocks.append(block)
        self.groups = MappedFile(run_dir / "groups.table", b"ArchGrp", VERSION, _NO_HEAD, GROUP_STATUS)

    def create(self, capacity: int) -> None:
        """Make an empty table for `capacity` channels and open it."""
        for block in self.blocks:
            block.create(capacity)
        self.groups.create(MAX_GROUPS + 1)
        try:
            self.groups.reserve(MAX_GROUPS + 1)
        except OSError as error:
            raise RunDirError(f"{self.groups.path}: no memory for it: {error.strerror}") from None
        self.open()

    def open(self, *, read_only: bool = False) -> None:
        """Map an existing table; read_only: for those who only look at it. Raises RunDirError."""
        for block in (*self.blocks, self.groups):
            block.open(read_only=read_only)
        if len({len(block.cells) for block in self.blocks}) != 1:
            raise RunDirError(f"{self.run_dir}: the blocks of the channel table differ in size")

    def close(self) -> None:
        """Let go of the mappings."""
        for block in (*self.blocks, self.groups):
            block.close()

    @property
    def capacity(self) -> int:
        """Number of rows."""
        return len(self.settings.cells)

    def reserve(self, upto: int) -> None:
        """Back the rows before `upto` with memory. Raises TableFull when there is no room for them."""
        if upto > self.capacity:
            raise TableFull(f"{upto} channels, but archiver.max_channels is {self.capacity}")
        try:
            for block in self.blocks:
                block.reserve(upto)
        except OSError as error:
            raise TableFull(f"no memory for {upto} channels in {self.run_dir}: {error.strerror}") from None


def write_rows(block: MappedFile, rows: Rows, **columns: object) -> None:
    """Write columns of some rows as one change under their sequence numbers.

    Rows must not repeat. Only the process that owns the block may call this.
    """
    cells, rows = block.cells, rows.astype(np.intp, copy=False)  # which numpy picks fastest by
    cells["seq"][rows] += np.uint32(1)
    for name, values in columns.items():
        cells[name][rows] = values
    cells["seq"][rows] += np.uint32(1)


def read_row(block: MappedFile, row: int, attempts: int = 1000) -> npt.NDArray[np.void]:
    """A consistent copy of one row, shape (1,).

    Gives the newest copy even when the writer died in the middle of a change: after `attempts`
    tries an odd sequence number is taken as it is.
    """
    cells = block.cells
    copy = copy_row(block, row)
    for _ in range(attempts):
        if copy["seq"][0] % 2 == 0 and cells["seq"][row] == copy["seq"][0]:
            break
        copy = copy_row(block, row)
    return copy


def copy_row(block: MappedFile, row: int) -> npt.NDArray[np.void]:
    """A copy of one row for reading, shape (1,), each of its cells whole by itself."""
    # By way of bytes: numpy copies the cells of a structured array field by field, which takes 3 to 20 times as long.
    return np.frombuffer(block.cells[row : row + 1].tobytes(), block.cells.dtype)
