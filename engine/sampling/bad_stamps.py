"""Unusable time stamps: each is counted; that those of a channel become unusable is told once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.timestamp import format_span
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.stamps import EARLIEST, MAX_FUTURE, SECOND, Mask, Stamped
from archioc.engine.sampling.updates import Updates, run_ends, run_starts, value_before

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


def note_bad_stamps(updates: Updates, stamped: Stamped, starts: npt.NDArray[np.intp], memory: SamplerMemory, on: Mask) -> list[BadStamp]:
    """Count the unusable stamps among updates sorted by row; what is to be told of them.

    starts: index of the first update of each row. on: whether an update is of a channel that is archived.
    """
    if not stamped.unusable.any() and not memory.bad_stamp[updates.row[starts]].any():
        return []
    judged = np.flatnonzero(on & ~stamped.repeated)
    if not len(judged):
        return []
    row, bad = updates.row[judged], stamped.unusable[judged]
    first = run_starts(row)
    lanes = row[first]
    began = judged[bad & ~value_before(bad, first, memory.bad_stamp[lanes] != 0)]
    memory.bad_stamp[lanes] = bad[run_ends(first, len(row)) - 1]
    np.add.at(memory.bad_time, row[bad], 1)
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
