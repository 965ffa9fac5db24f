"""Why there is no sample, and what else happened to a channel.

The codes are part of the contract (`docs/reference/contract/events.md`): a code is never given
another meaning, new ones are added at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Reason(IntEnum):
    """What an event tells. Those in `GAPS` have a start and an end."""

    DISCONNECTED = 1
    DISABLED = 2
    ARCHIVER_STOP = 3
    ENGINE_RESTART = 4
    LOST_OVERFLOW = 5
    LOST_SPOOL_FULL = 6
    REJECTED = 7
    BAD_TIME = 8
    TYPE_CHANGED = 9
    SETTINGS_CHANGED = 10
    LOST_QUOTA = 11
    GROUP_OFF = 12
    COLLECTING = 13
    REMOVED = 14
    NO_VALUE = 15
    STORE_DAMAGED = 16
    STORE_LOST = 17
    SENT_AGAIN = 18
    DELETED = 19

    @property
    def word(self) -> str:
        """The reason as it is written to stores, PVs and the command line."""
        return self.name.lower()


GAPS = frozenset(
    {
        Reason.DISCONNECTED,
        Reason.DISABLED,
        Reason.ARCHIVER_STOP,
        Reason.ENGINE_RESTART,
        Reason.GROUP_OFF,
        Reason.NO_VALUE,
        Reason.STORE_DAMAGED,
        Reason.STORE_LOST,
        Reason.DELETED,
    }
)


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """Something that happened to a channel.

    time_ns: when it began (ns since 1970); with the channel and the reason it identifies the event,
        so that an event written again with `end_ns` closes the open one.
    end_ns: when a gap closed; None while it is open, and for events that are moments.
    count: how many updates it concerns, 0 where that means nothing.
    archiver: which of several archivers of the channel tells it; empty where there is one only, and of a gap that they all missed.
    """

    channel: str
    time_ns: int
    reason: Reason
    end_ns: int | None = None
    count: int = 0
    text: str = ""
    archiver: str = ""
