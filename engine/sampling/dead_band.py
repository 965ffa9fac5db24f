"""Dead bands: which numbers are too near to the last archived one to be worth a sample.

The band is measured from the last number that got through it. One that is then withheld by a rate
limit counts as archived, for it or a newer one will be; so what is archived in the end is never
further from the truth than the band. An update is judged when it comes, not when it would be written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.updates import Updates


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Dead bands of all rows. width: in the channel's unit; part: of the last archived value (0.01 is 1 %)."""

    width: npt.NDArray[np.float64]
    part: npt.NDArray[np.float64]


@dataclass(slots=True)
class _Reference:
    """What a row's band is measured from, while its updates are judged one by one."""

    known: bool
    value: float
    alarm: int
    width: float
    part: float

    def lets_pass(self, value: float, alarm: int) -> bool:
        if not self.known or alarm != self.alarm:
            return True
        if math.isfinite(value) and math.isfinite(self.value):
            return abs(value - self.value) > max(self.width, self.part * abs(self.value))
        return value != self.value and not (math.isnan(value) and math.isnan(self.value))


def within_band(
    updates: Updates, judged: npt.NDArray[np.intp], forced: npt.NDArray[np.bool_], bands: Bands, memory: SamplerMemory
) -> npt.NDArray[np.intp]:
    """Which of the judged updates a dead band leaves out; the others become what it is measured from.

    judged: indices of updates that are numbers of rows with a band, sorted by row. forced: per update,
    shape (n,): those always pass.
    """
    row = updates.row[judged]
    begins = np.append(True, row[1:] != row[:-1])[: len(row)]
    alone = begins & np.append(begins[1:], True)[: len(row)]
    inside = _judge_together(updates, judged[alone], forced, bands, memory)
    return np.concatenate([inside, _judge_in_turn(updates, judged[~alone], forced, bands, memory)])


def _judge_together(
    updates: Updates, judged: npt.NDArray[np.intp], forced: npt.NDArray[np.bool_], bands: Bands, memory: SamplerMemory
) -> npt.NDArray[np.intp]:
    """Those within their band, of updates of which each is the only one of its row."""
    row, value, alarm = updates.row[judged], updates.value[judged], updates.alarm[judged]
    before = memory.band_value[row]
    finite = np.isfinite(value) & np.isfinite(before)
    with np.errstate(invalid="ignore", over="ignore"):  # of what is not finite, and of the farthest apart
        far = np.abs(value - before) > np.maximum(bands.width[row], bands.part[row] * np.abs(before))
    other = (value != before) & ~(np.isnan(value) & np.isnan(before))
    passes = forced[judged] | (memory.band_known[row] == 0) | (alarm != memory.band_alarm[row]) | np.where(finite, far, other)
    memory.band_known[row[passes]] = 1
    memory.band_value[row[passes]] = value[passes]
    memory.band_alarm[row[passes]] = alarm[passes]
    inside: npt.NDArray[np.intp] = judged[~passes]
    return inside


def _judge_in_turn(
    updates: Updates, judged: npt.NDArray[np.intp], forced: npt.NDArray[np.bool_], bands: Bands, memory: SamplerMemory
) -> npt.NDArray[np.intp]:
    """Those within their band, of updates of which each depends on the one of its row before it."""
    # rounds over all rows, as in `rate_limit`, would cost most where it matters: one fast channel with hundreds of updates in a drain
    inside: list[int] = []
    columns = (updates.row[judged], updates.value[judged], updates.alarm[judged], forced[judged])
    row, now = -1, _Reference(known=False, value=0.0, alarm=0, width=0.0, part=0.0)
    for at, its_row, value, alarm, passes in zip(judged.tolist(), *(column.tolist() for column in columns), strict=True):
        if its_row != row:
            _keep(row, now, memory)
            row, now = its_row, _reference(its_row, bands, memory)
        if passes or now.lets_pass(value, alarm):
            now.known, now.value, now.alarm = True, value, alarm
        else:
            inside.append(at)
    _keep(row, now, memory)
    return np.array(inside, np.intp)


def _reference(row: int, bands: Bands, memory: SamplerMemory) -> _Reference:
    return _Reference(
        known=bool(memory.band_known[row]),
        value=float(memory.band_value[row]),
        alarm=int(memory.band_alarm[row]),
        width=float(bands.width[row]),
        part=float(bands.part[row]),
    )


def _keep(row: int, reference: _Reference, memory: SamplerMemory) -> None:
    if row >= 0:
        memory.band_known[row], memory.band_value[row], memory.band_alarm[row] = reference.known, reference.value, reference.alarm
