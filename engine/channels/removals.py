"""What the registry tells of channels that were removed: where they have moved, and which went while no engine ran."""

from __future__ import annotations

from archioc.core.registry import RegistryReader
from archioc.engine.channels.gaps import Rows
from archioc.engine.channels.last_run import LastRun
from archioc.engine.channels.open_gaps import OpenGap


class Removals:
    """last: the engine before this one, None where there was none. sharded: channels may move to other shards."""

    def __init__(self, registry: RegistryReader, last: LastRun | None, *, sharded: bool) -> None:
        self._registry, self._last, self._sharded = registry, last, sharded

    def moved(self, rows: Rows, revision: int) -> dict[int, str]:
        """Of these rows of channels removed after a revision those whose channel another shard has now, and which. Raises RegistryError."""
        if not len(rows) or not self._sharded:
            return {}
        return {one.row: one.moved_to for one in self._registry.removed_since(revision) if one.moved_to}

    def since_last_run(self) -> tuple[dict[str, OpenGap], dict[str, str]]:
        """Channels that were removed before this engine began, though the one before it had them. Raises RegistryError.

        By name: the gap that such a channel has, unless it had one before; and the shard that has it now, empty where none has.
        """
        if self._last is None:
            return {}, {}
        found = [one for one in self._registry.removed_since(self._last.revision) if one.name and one.added <= self._last.revision]
        gap = OpenGap(self._last.reason, self._last.ended_ns)
        return {one.name: gap for one in found}, {one.name: one.moved_to for one in found}
