"""Unusable time stamps: each is counted; that those of a channel become unusable is told once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archioc.core.timestamp import format_span
from archioc.engine.sampling.drain import Drain, Runs
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.stamps import EARLIEST, MAX_FUTURE, SECOND, Stamped
from archioc.engine.sampling.updates import Updates

TELL_AGAIN = 60 * SECOND
"""A channel whose stamps turn bad again and again tells so at most this often (ns)."""


LONG_AGO = 60 * SECOND
"""A stamp so far behind (ns) is described by its age, whatever else may be wrong with it."""


@dataclass(frozen=True, slots=True)
class BadStamp:
    """The stamps of a row became unusable with the update received at this time (ns)."""

    row: int
    received: int
    text: str


def note_bad_stamps(drain: Drain, stamped: Stamped, memory: SamplerMemory) -> list[BadStamp]:
    """Count the unusable stamps of archived channels; those that an event is to report."""
    if not stamped.unusable.any() and not memory.bad_stamp[drain.rows].any():
        return []
    judged = np.flatnonzero(drain.on & ~stamped.repeated)
    if not len(judged):
        return []
    updates, bad = drain.updates, stamped.unusable[judged]
    runs = Runs(drain.row[judged])
    began = judged[bad & ~runs.value_before(bad, memory.bad_stamp[runs.rows] != 0)]
    memory.bad_stamp[runs.rows] = bad[runs.newest]
    np.add.at(memory.bad_time, drain.row[judged][bad], 1)
    return [
        BadStamp(int(updates.row[at]), int(updates.received[at]), _fault(updates, at))
        for at in began.tolist()
        if _worth(updates, at, memory)
    ]


def _worth(updates: Updates, at: int, memory: SamplerMemory) -> bool:
    """Whether an event of this one is not too soon after the last."""
    row, received = int(updates.row[at]), int(updates.received[at])
    if 0 <= received - int(memory.bad_told_at[row]) < TELL_AGAIN:
        return False
    memory.bad_told_at[row] = received
    return True


def _fault(updates: Updates, at: int) -> str:
    """What is wrong with a stamp, for people."""
    stamp, received = int(updates.stamp[at]), int(updates.received[at])
    if stamp < EARLIEST:
        return "the IOC's stamp is unset"
    if stamp > received + MAX_FUTURE:
        return f"the IOC's stamp is {(stamp - received) / SECOND:.0f} s in the future"
    if received - stamp > LONG_AGO:
        return f"the IOC's stamp is {format_span((received - stamp) / SECOND)} in the past"
    return f"another value came under the same stamp, {(received - stamp) / SECOND:.1f} s old"
