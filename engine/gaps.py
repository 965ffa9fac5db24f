"""Every gap has a reason: an event at its start, written again with its end when it closes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from archioc.core.events import ChannelEvent, Reason
from engine.memory import SamplerMemory

GRACE_NS = 5_000_000_000
"""A channel just added is given this long to connect before its wait counts as a gap."""

Rows = npt.NDArray[np.integer]


class Gaps:
    """The open gaps of all channels. `events` are taken by the next batch."""

    def __init__(self, memory: SamplerMemory, names: list[str]) -> None:
        self._memory = memory
        self._names = names
        self._unannounced: dict[int, int] = {}
        self._texts: dict[int, str] = {}  # of open gaps, by row
        self.events: list[ChannelEvent] = []

    def wait_for_first(self, rows: Rows, now: int) -> None:
        """These channels are new: their gap is told only if it lasts."""
        memory = self._memory
        rows = rows[memory.gap[rows] == 0]
        memory.gap[rows] = Reason.DISCONNECTED
        memory.gap_start[rows] = now
        memory.touched[rows] = True
        self._unannounced.update(dict.fromkeys(rows.tolist(), now))

    def open(self, rows: Rows, reason: Reason, time_ns: int, texts: Mapping[int, str] = MappingProxyType({})) -> None:
        """A gap begins for those of these channels that have none. texts: what its event tells besides, by row."""
        memory = self._memory
        rows = rows[memory.gap[rows] == 0]
        memory.gap[rows] = reason
        memory.gap_start[rows] = time_ns
        memory.touched[rows] = True
        opened = rows.tolist()
        self._texts.update((row, texts[row]) for row in opened if row in texts)
        self.events += [ChannelEvent(self._names[row], time_ns, reason, text=texts.get(row, "")) for row in opened]

    def close(self, rows: Rows, times: npt.NDArray[np.int64]) -> None:
        """The gaps of these channels, where there are any, end at these times (ns)."""
        memory = self._memory
        in_gap = memory.gap[rows] != 0
        rows, times = rows[in_gap], times[in_gap]
        for row, end in zip(rows.tolist(), times.tolist(), strict=True):
            text = self._texts.pop(row, "")
            if self._unannounced.pop(row, None) is None:
                start, reason = int(memory.gap_start[row]), Reason(int(memory.gap[row]))
                self.events.append(ChannelEvent(self._names[row], start, reason, end_ns=max(end, start), text=text))
        memory.gap[rows] = 0
        memory.touched[rows] = True

    def change(self, rows: Rows, reason: Reason, time_ns: int, texts: Mapping[int, str] = MappingProxyType({})) -> None:
        """From now on these channels have no samples for another reason. texts: as for `open`."""
        rows = rows[self._memory.gap[rows] != reason]
        self.close(rows, np.full(len(rows), time_ns))
        self.open(rows, reason, time_ns, texts)

    def announce_lasting(self, now: int) -> Rows:
        """Tell the gaps of new channels that have lasted; the rows concerned."""
        lasting = [row for row, since in self._unannounced.items() if now - since > GRACE_NS]
        for row in lasting:
            since = self._unannounced.pop(row)
            self.events.append(ChannelEvent(self._names[row], since, Reason.DISCONNECTED, text="has not connected since it was added"))
        return np.array(lasting, dtype=np.intp)

    def unannounced(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of these channels are new and have not connected yet."""
        return np.array([row in self._unannounced for row in rows.tolist()], bool)

    def forget(self, row: int) -> None:
        """The channel is removed; its open gap ends with it."""
        self._unannounced.pop(row, None)
        self._texts.pop(row, None)

    def take(self) -> tuple[ChannelEvent, ...]:
        """All events since this was last called."""
        events, self.events = tuple(self.events), []
        return events
