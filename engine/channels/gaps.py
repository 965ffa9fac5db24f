"""Every gap has a reason: an event at its start, written again with its end when it closes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from archioc.core.events import ChannelEvent, Reason
from archioc.core.timestamp import format_local
from archioc.engine.channels import open_gaps
from archioc.engine.channels.open_gaps import OpenGap
from archioc.engine.sampling.memory import SamplerMemory

GRACE_NS = 5_000_000_000
"""A channel just added is given this long to connect before its wait counts as a gap."""

UNHEARD_NS = 1_000_000_000
"""How long before collecting ended an update may have been stamped that never arrived: delays of the network and of a busy host."""

AHEAD_NS = 60_000_000_000
"""How far the clock of an IOC may be ahead (`engine.sampling.stamps.MAX_FUTURE`)."""

Rows = npt.NDArray[np.integer]


class Gaps:
    """The open gaps of all channels. `events` are taken by the next batch.

    inherited: those that were open when collecting ended, for the channels of which the memory does not know.
    shared: other archivers may write to the same store, so it is told as well which channels are collected here.
    """

    def __init__(self, memory: SamplerMemory, names: list[str], inherited: open_gaps.Gaps, *, shared: bool = False) -> None:
        self._memory = memory
        self._names = names
        self._inherited = dict(inherited)
        self._shared = shared
        self._unannounced: dict[int, int] = {}
        self._texts: dict[int, str] = {}  # of open gaps, by row
        self._expected: dict[int, int] = {}  # rows in a gap that are connected and have sent no value, and since when (ns), oldest first
        self.events: list[ChannelEvent] = []

    def wait_for_first(self, rows: Rows, now: int) -> None:
        """These channels are new: their gap is told only if it lasts. One that they had before a reboot goes on."""
        memory = self._memory
        if self._inherited:
            for row in rows.tolist():
                if gap := self._inherited.pop(self._names[row], None):
                    memory.gap[row], memory.gap_start[row], memory.touched[row] = gap.reason, gap.start_ns, True
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

    def end_collecting(self, rows: Rows, reason: Reason, ended_ns: int) -> None:
        """Collecting ends for these channels. The gap of each begins right after its last sample, which has the clock of its IOC,
        but at most UNHEARD_NS before that, and AHEAD_NS after it: the value before is known until then.
        """
        memory = self._memory
        rows = rows[memory.gap[rows] == 0]
        last = np.where(memory.seen[rows] != 0, memory.last_time[rows] + 1, ended_ns)
        starts = np.clip(last, ended_ns - UNHEARD_NS, ended_ns + AHEAD_NS)
        for start in np.unique(starts).tolist():
            self.open(rows[starts == start], reason, start)

    def end_wait(self, row: int, time_ns: int) -> None:
        """A server has answered for this channel, but not with values: where it is new there is nothing to be told of its wait."""
        if row in self._unannounced:
            self.close(np.array([row]), np.array([time_ns]))

    def close(self, rows: Rows, times: npt.NDArray[np.int64]) -> None:
        """The gaps of these channels, where there are any, end at these times (ns)."""
        memory = self._memory
        in_gap = memory.gap[rows] != 0
        rows, times = rows[in_gap], times[in_gap]
        for row, end in zip(rows.tolist(), times.tolist(), strict=True):
            text = self._texts.pop(row, "")
            self._expected.pop(row, None)
            if self._unannounced.pop(row, None) is None:
                start, reason = int(memory.gap_start[row]), Reason(int(memory.gap[row]))
                self.events.append(ChannelEvent(self._names[row], start, reason, end_ns=max(end, start), text=text))
            elif self._shared:
                self.events.append(ChannelEvent(self._names[row], end, Reason.COLLECTING))
        memory.gap[rows] = 0
        memory.touched[rows] = True

    def leave(self, rows: Rows, time_ns: int, moved: Mapping[int, str]) -> None:
        """These channels are removed: nobody waits for them any more. moved: the shard that has them now, by row."""
        self.close(rows, np.full(len(rows), time_ns))
        for row in rows.tolist():
            self._tell_removed(self._names[row], time_ns, moved.get(row, ""))

    def _tell_removed(self, name: str, time_ns: int, shard: str) -> None:
        """shard: the one that has the channel now; empty where none has. A store of our own is told of those only that have moved."""
        if self._shared or shard:
            self.events.append(ChannelEvent(name, time_ns, Reason.REMOVED, text=f"moved to {shard}" if shard else ""))

    def announce_collected(self, rows: Rows, time_ns: int) -> None:
        """Tell that those of these channels are collected here that have no gap; only where the store is shared."""
        if self._shared:
            rows = rows[self._memory.gap[rows] == 0]
            self.events += [ChannelEvent(self._names[row], time_ns, Reason.COLLECTING) for row in rows.tolist()]

    def change(self, rows: Rows, reason: Reason, time_ns: int, texts: Mapping[int, str] = MappingProxyType({})) -> None:
        """From now on these channels have no samples for another reason. texts: as for `open`."""
        rows = rows[self._memory.gap[rows] != reason]
        self.close(rows, np.full(len(rows), time_ns))
        self.open(rows, reason, time_ns, texts)

    def announce_lasting(self, now: int) -> Rows:
        """Tell the gaps of new channels that have lasted; the rows concerned."""
        waiting = takewhile(lambda one: now - one[1] > GRACE_NS, self._unannounced.items())  # oldest first
        lasting = [row for row, _ in waiting if row not in self._expected]
        for row in lasting:
            since, text = self._unannounced.pop(row), self._texts.setdefault(row, "has not connected since it was added")
            self.events.append(ChannelEvent(self._names[row], since, Reason.DISCONNECTED, text=text))
        return np.array(lasting, dtype=np.intp)

    def explain(self, rows: Rows, text: str) -> None:
        """Why these channels, as far as they are in a gap, do not connect: told with it from now on."""
        memory = self._memory
        for row in rows[memory.gap[rows] == Reason.DISCONNECTED].tolist():
            self._texts[row] = text
            if row not in self._unannounced:
                self.events.append(ChannelEvent(self._names[row], int(memory.gap_start[row]), Reason.DISCONNECTED, text=text))

    def expect_values(self, rows: Rows, now: int) -> None:
        """These channels are connected and switched on since now (ns): the reasons of their gaps have passed, though no value has come."""
        for row in rows[self._memory.gap[rows] != 0].tolist():
            self._expected.pop(row, None)
            self._expected[row] = now

    def announce_silent(self, now: int, refused: Callable[[int], str]) -> Rows:
        """Tell which of these have been silent for long; the rows concerned. refused: why values of a row are refused, if they are."""
        silent = [row for row, _ in takewhile(lambda one: now - one[1] > GRACE_NS, self._expected.items())]
        for row in silent:
            since, why = self._expected[row], refused(row)
            text = f"connected at {format_local(since)[:19]}, " + (f"values are refused: {why}" if why else "no value yet")
            self.change(np.array([row]), Reason.NO_VALUE, since, {row: text})
        return np.array(silent, dtype=np.intp)

    def lose(self, rows: Rows, time_ns: int) -> None:
        """These channels are not connected since this time (ns)."""
        for row in rows.tolist():
            self._expected.pop(row, None)
        self.change(rows[self._memory.gap[rows] == Reason.NO_VALUE], Reason.DISCONNECTED, time_ns)
        self.open(rows, Reason.DISCONNECTED, time_ns)

    def silent(self, rows: Rows) -> list[tuple[int, bytes]]:
        """Which of these channels are connected without a value: their index in `rows`, and since when, in at most 64 bytes."""
        found = np.flatnonzero(self._memory.gap[rows] == Reason.NO_VALUE).tolist()
        return [(at, self._texts.get(int(rows[at]), "").encode()[:64]) for at in found]

    def unannounced(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of these channels are new and have not connected yet."""
        return np.array([row in self._unannounced for row in rows.tolist()], bool)

    def end_inheritance(self, now: int, since_last: Mapping[str, OpenGap], moved: Mapping[str, str]) -> None:
        """All channels of the archive are taken up: others were removed while no engine ran, and their gaps end now (ns).

        since_last: such channels, each with the gap that it has unless it had one before. moved: the shard that has them now.
        """
        names = set(self._names)
        gone = {name: gap for name, gap in {**since_last, **self._inherited}.items() if name not in names}
        for name, gap in gone.items():
            self.events.append(ChannelEvent(name, gap.start_ns, gap.reason, end_ns=max(now, gap.start_ns)))
            self._tell_removed(name, now, moved.get(name, ""))
        self._inherited.clear()

    def standing(self) -> open_gaps.Gaps:
        """The gaps that have been told and not ended."""
        memory, names = self._memory, self._names
        rows = np.flatnonzero(memory.gap)
        cells = zip(rows.tolist(), memory.gap[rows].tolist(), memory.gap_start[rows].tolist(), strict=True)
        return {names[row]: OpenGap(Reason(code), start) for row, code, start in cells if names[row] and row not in self._unannounced}

    def announce_again(self) -> None:
        """Tell of the gaps that stand once more; the store may have missed their beginning."""
        texts = {self._names[row]: text for row, text in self._texts.items()}
        self.events += [ChannelEvent(name, gap.start_ns, gap.reason, text=texts.get(name, "")) for name, gap in self.standing().items()]

    def pop_events(self) -> tuple[ChannelEvent, ...]:
        """All events since this was last called."""
        events, self.events = tuple(self.events), []
        return events
