"""What the channel table says of channels, as the management calls of the Archiver Appliance need it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.channel import Mode
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.registry import RegistryChannel
from archioc.core.spool.batch import Kind
from archioc.core.table.columns import DROPS
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import ChannelState, ChannelTable
from archioc.core.timestamp import SECOND
from archioc.retrieval.archive import Archive

BYTES_BESIDE = 10
"""Of a sample beside its value: time, severity, status."""

NEVER = "Never"
"""What is told for a time that is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class ChannelRow:
    """The rows of one channel; all zero where the process that writes them has not written about this channel yet."""

    name: str
    settings: np.void
    status: np.void
    ledger: np.void

    @property
    def paused(self) -> bool:
        """Whether somebody has switched archiving off."""
        return not self.settings["enable"]

    @property
    def connected(self) -> bool:
        """Whether its IOC is connected."""
        return bool(self.status["connected"])

    @property
    def never_connected(self) -> bool:
        """Whether it has not been connected since it was added, or since the machine was started."""
        return not self.status["ever_connected"]

    @property
    def state(self) -> ChannelState:
        """What it is doing."""
        return ChannelState(int(self.status["state"]))

    @property
    def method(self) -> str:
        """SCAN or MONITOR."""
        return Mode(int(self.settings["mode"])).name

    @property
    def period_s(self) -> float:
        """Shortest time between samples; 0 where every update is archived."""
        rate = float(self.settings["rate"])
        return 1 / rate if rate > 0 else 0.0

    @property
    def is_array(self) -> bool:
        """Whether its newest value is an array, which may be empty."""
        return int(self.status["kind"]) == Kind.ARRAY

    @property
    def dropped(self) -> int:
        """Samples lost for any reason."""
        return sum(int(self.ledger[drop]) for drop in DROPS)

    @property
    def bytes_per_sample(self) -> int:
        """Before compression."""
        return BYTES_BESIDE + ELEMENT_DTYPE[Dbr(int(self.status["dbr"]))].itemsize * max(int(self.status["count"]), 1)

    @property
    def host(self) -> str:
        """Host and port of its IOC."""
        return bytes(self.status["host"]).decode(errors="replace")


def rows_of(archive: Archive, names: Iterable[str]) -> dict[str, ChannelRow]:
    """Those of the names that are archived, in their order. Numbers are for eyes: one that is just being written may be half old.

    Raises RunDirError while the archiver is stopped, RegistryError.
    """
    archived = archive.catalogue.names().archived
    channels = [archived[name] for name in dict.fromkeys(names) if name in archived]
    if not channels or archive.directories is None:
        return {}
    table = ChannelTable(archive.directories.run)
    table.open(read_only=True)
    with closing(table):
        settings, status, ledger = (_copy(block, channels) for block in (table.settings, table.status, table.ledger))
    columns = zip(channels, settings, status, ledger, strict=True)
    return {channel.name: ChannelRow(channel.name, *rows) for channel, *rows in columns}


def time_text(time_ns: int) -> str:
    """A time as the Appliance tells it to people: `Nov/22/2026 17:00:00 UTC`."""
    if time_ns <= 0:
        return NEVER
    moment = np.datetime64(time_ns // SECOND, "s").item()
    return f"{_MONTHS[moment.month - 1]}/{moment:%d/%Y %H:%M:%S} UTC"


def _copy(block: MappedFile, channels: list[RegistryChannel]) -> npt.NDArray[np.void]:
    found = block.cells[[channel.row for channel in channels]]
    found[found["generation"] != [channel.generation for channel in channels]] = np.zeros((), found.dtype)
    return found


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
