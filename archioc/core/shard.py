"""One of several archivers that share the channels of one configuration.

Which of them archives a channel is in `archioc.core.ownership`.
"""

from __future__ import annotations

from dataclasses import dataclass

PLACEHOLDER = "{shard}"
"""Stands for the number of the shard in `archiver.name`, `prefix`, `state_dir` and `run_dir`."""


@dataclass(frozen=True, slots=True)
class Shard:
    """This archiver among others. One that stands alone is shard 0 of 1.

    index: from 0; one that is not below `count` owns no channel.
    count: how many shards there are.
    handover_s: how long a channel that belongs to another shard is archived here beside it (s).
    prefix: of the control PVs, with the placeholder.
    """

    index: int = 0
    count: int = 1
    handover_s: float = 60.0
    prefix: str = PLACEHOLDER

    @property
    def is_idle(self) -> bool:
        """Whether it owns no channel, because there are not so many shards."""
        return self.index >= self.count

    def prefix_of(self, index: int) -> str:
        """Start of the names of the control PVs of a shard."""
        return self.prefix.replace(PLACEHOLDER, str(index))

    def describe(self, index: int) -> str:
        """A shard for people: `shard 3 (ARCH3:)`."""
        return f"shard {index} ({self.prefix_of(index)})"


ALONE = Shard()
"""An archiver that shares its channels with no other."""
