"""Channels that are here although they belong to another shard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archioc.core.shard import ALONE, Shard
from archioc.core.timestamp import format_utc


@dataclass(frozen=True, slots=True)
class HandOver:
    """What becomes of a channel that belongs to another shard.

    to: the shard to which it belongs.
    ends_ns: until when it is archived here beside that shard (ns since 1970); 0: it stays, because the file does not name it under
        the name that it has, so that no other shard can know of it.
    """

    to: int
    ends_ns: int

    @property
    def leaves(self) -> bool:
        """Whether it is let go of some day."""
        return self.ends_ns != 0

    def __str__(self) -> str:
        """For people, at most 64 characters."""
        if not self.leaves:
            return f"belongs to shard {self.to}, but the file does not name it"
        return f"moves to shard {self.to}, archived here until {format_utc(self.ends_ns)[:19]}Z"


@dataclass(frozen=True, slots=True)
class Sharing:
    """A shard among the others. leaving, foreign: channels that belong to others and are handed over, or stay."""

    shard: Shard = ALONE
    leaving: int = 0
    foreign: int = 0

    @classmethod
    def of(cls, shard: Shard, handed_over: Iterable[HandOver]) -> Sharing:
        """Count them up."""
        leaves = [one.leaves for one in handed_over]
        return cls(shard, sum(leaves), len(leaves) - sum(leaves))

    @property
    def idle_reason(self) -> str:
        """Why it collects nothing of its own; empty when it does."""
        if not self.shard.is_idle:
            return ""
        still = f"; it hands {self.leaving} over" if self.leaving else ""
        return f"shard {self.shard.index} owns no channels, since shard.count is {self.shard.count}{still}"


NO_SHARING = Sharing()
"""Of an archiver that stands alone."""
