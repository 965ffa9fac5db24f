"""What the alarm states of one channel come to in a range: transitions, time in alarm, chattering."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.dbr import Severity
from archioc.core.timestamp import SECOND
from archioc.db.alarm_columns import AlarmColumns

CHATTERING = 3
"""Alarms of one channel within CHATTER_NS from which it is chattering (ANSI/ISA-18.2)."""
CHATTER_NS = 60 * SECOND

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AlarmSummary:
    """One channel. transitions: changes of severity or status. raised: how often it went from no alarm into one.

    seconds: with each severity, by its number. most_in_a_minute: the most alarms raised within 60 s.
    """

    channel: str
    transitions: int
    raised: int
    seconds: tuple[float, ...]
    most_in_a_minute: int

    @property
    def chattering(self) -> bool:
        """Whether it was, at some time."""
        return self.most_in_a_minute >= CHATTERING

    @property
    def in_alarm_s(self) -> float:
        """With any severity."""
        return sum(self.seconds[1:])


def transitions(chunks: Iterable[AlarmColumns]) -> Iterable[AlarmColumns]:
    """States that differ from the one before, and the first: a state is stored again hourly and after gaps."""
    before = (-1, -1)
    for chunk in chunks:
        if not len(chunk):
            continue
        severity, status = (np.concatenate(([was], column)) for was, column in zip(before, (chunk.severity, chunk.status), strict=True))
        new = (np.diff(severity) != 0) | (np.diff(status) != 0)
        before = int(chunk.severity[-1]), int(chunk.status[-1])
        yield AlarmColumns(chunk.time[new], np.minimum(chunk.severity[new], Severity.INVALID), chunk.status[new])


def summarise(channel: str, chunks: Iterable[AlarmColumns], start_ns: int, end_ns: int) -> AlarmSummary:
    """From the states in start <= time <= end and the one in force at the start, sorted by time.

    A state holds until the next one is known; before the first one nothing is known, so the first is no transition.
    """
    seconds = np.zeros(len(Severity))
    raised: list[Times] = []
    count, severity, since = -1, -1, start_ns
    for chunk in transitions(chunks):
        if not len(chunk):
            continue
        times = np.maximum(chunk.time, start_ns)
        severities = np.concatenate(([severity], chunk.severity)).astype(np.int64)
        lasted = np.diff(np.concatenate(([since], times)))
        known = severities[:-1] >= 0
        seconds += np.bincount(severities[:-1][known], lasted[known] / SECOND, len(Severity))
        raised.append(times[(severities[:-1] == 0) & (severities[1:] > 0)])
        count, severity, since = count + len(chunk), int(chunk.severity[-1]), int(times[-1])
    if severity >= 0:
        seconds[severity] += max(end_ns - since, 0) / SECOND
    all_raised = np.concatenate(raised) if raised else np.zeros(0, np.int64)
    return AlarmSummary(channel, max(count, 0), len(all_raised), tuple(seconds.tolist()), _most_within(all_raised, CHATTER_NS))


def _most_within(times: Times, width_ns: int) -> int:
    """The most of these sorted times in any window of this width."""
    if not len(times):
        return 0
    return int((np.searchsorted(times, times + width_ns) - np.arange(len(times))).max())
