"""What stands for channels in names of PVs where a name has no room: in a DBR_STRING."""

from __future__ import annotations

import re

from archioc.core.table.table import ChannelTable, RowState
from archioc.ioc.ca.pv import STRING_BYTES
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.writer import Registry

_REFERENCE = re.compile(r"#([0-9]{1,9})-([0-9]{1,10})", re.ASCII)


def reference(channel: ArchivedChannel) -> str:
    """The name where it has room, else row and generation, which no other channel will ever have together."""
    return channel.name if len(channel.name.encode()) <= STRING_BYTES else f"#{channel.row}-{channel.generation}"


class ChannelRefs:
    """Finds the channels of references."""

    def __init__(self, registry: Registry, table: ChannelTable) -> None:
        self._registry, self._table = registry, table
        self._version = -1
        self._by_row: dict[int, str] = {}

    def name(self, given: str) -> str:
        """The name of the channel that is meant; what is given where that is no reference, or one to a channel that is gone."""
        match = _REFERENCE.fullmatch(given)
        if match is None or given in self._registry.channels:
            return given
        row, generation = int(match[1]), int(match[2])
        cells = self._table.settings.cells
        if row >= len(cells) or cells["state"][row] != RowState.USED or cells["generation"][row] != generation:
            return given
        if self._version != self._registry.names_version:
            self._version = self._registry.names_version
            self._by_row = {channel.row: name for name, channel in self._registry.channels.items() if reference(channel) != name}
        return self._by_row.get(row, given)
