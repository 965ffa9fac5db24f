"""From updates to samples: which of them are archived, under which time, and what is added.

All columns at once. The rules come in this order, each in a file of its own: archived at all? (`sampling_settings`) the time, and the
same as before? (`stamps`) dead band? (`dead_band`) rate or scan? (`rate_limit`, `held_samples`) quota? (`quota`). Beside the samples
go the alarms (`alarms`). An example, rows 4 and 7, row 7 limited to 10 Hz, the second update of row 4 the same as its first:

    row        4      4      7      7          sorted by row; runs.starts = [0, 2], runs.rows = [4, 7]
    received   0 ms   5 ms   1 ms   40 ms
    stamped    kept   same   kept   kept       stamped.repeated = [F, T, F, F]
    keep       T      F      T      T          filtered[4] += 1
    passes     T      F      T      F          the second update of row 7 is held until its interval ends
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import NO_BLOB, SAMPLE, Kind, SampleFlag, Samples
from archioc.core.void_view import as_void
from archioc.engine.sampling.alarms import Alarms, AlarmStates
from archioc.engine.sampling.bad_stamps import BadStamp, note_bad_stamps
from archioc.engine.sampling.clock_check import HostClocks
from archioc.engine.sampling.dead_band import within_band
from archioc.engine.sampling.drain import Drain, Index, Mask, Resumed, Runs
from archioc.engine.sampling.held_samples import HeldSamples
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.newest_values import NewestValues
from archioc.engine.sampling.quota import Span, within_quota
from archioc.engine.sampling.rate_limit import limit_rate
from archioc.engine.sampling.sampling_settings import Rows, SamplingSettings
from archioc.engine.sampling.stamps import MAX_PAST, MAX_PAST_LIVE, Stamped, look_ahead, look_behind, stamp_updates
from archioc.engine.sampling.updates import I8, Updates

_NO_SAMPLES: Samples = np.empty(0, SAMPLE)
_NO_TIMES: I8 = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What became of a drain. samples: sorted by row. resumed: rows whose trace began or resumed, and when (ns).

    newest: each row's newest update. alarms: dtype ALARM. bad_stamps: what is to be told of them.
    """

    samples: Samples
    blobs: list[bytes]
    resumed: npt.NDArray[np.int64]
    resumed_at: npt.NDArray[np.int64]
    newest: Updates
    alarms: AlarmStates
    bad_stamps: list[BadStamp]


@dataclass(slots=True, eq=False)
class _Passing:
    """What passes so far: a mask over the updates, and withheld samples of before, which come first, with their receive times (ns)."""

    updates: Mask
    released: Samples
    blobs: list[bytes]
    received: I8


class Sampler:
    """Holds the memory of all channels; one thread uses it.

    fresh: rows whose next update starts or resumes a trace, so that its value is also written at
    receive time. max_past: `ca.max_past` (ns).
    """

    def __init__(self, rows: int, max_past: int = MAX_PAST_LIVE) -> None:
        self._max_past = max_past
        self.memory = SamplerMemory(rows)
        self.wanted = SamplingSettings(rows)
        self.fresh = np.zeros(rows, bool)
        self.clocks = HostClocks(rows)
        self.withheld = HeldSamples(self.memory, self.wanted)
        self._newest = NewestValues(rows)
        self._alarms = Alarms(self.memory, self.wanted)

    def load_settings(self, rows: Rows, cells: npt.NDArray[np.void]) -> None:
        """Settings of some rows from the channel table (dtype SETTINGS). What only a setting of before needed is given up."""
        memory, wanted = self.memory, self.wanted
        memory.use(rows)
        wanted.load(rows, cells)
        unbanded = rows[~wanted.banded[rows] & (memory.band_known[rows] != 0)]
        memory.band_known[unbanded] = 0
        final = rows[(wanted.longest[rows] == 0) & (memory.archived_at[rows] != 0)]
        memory.archived_at[final] = 0
        self._newest.forget(rows[wanted.longest[rows] == 0])
        memory.touched[unbanded] = memory.touched[final] = True

    def forget(self, rows: Rows, generations: npt.NDArray[np.integer]) -> None:
        """Begin new channels in these rows."""
        self.memory.forget(rows, generations)
        self.withheld.forget(rows)
        self._newest.forget(rows)
        self.fresh[rows] = False

    def leave_out(self, rows: Rows) -> None:
        """Updates of these rows, each named as often as it sent one, have come and are not to be sampled."""
        np.add.at(self.memory.received, rows, 1)
        np.add.at(self.memory.filtered, rows, 1)
        self.memory.touched[rows] = True

    def lose(self, rows: Rows) -> None:
        """Updates of these rows, each named as often as it sent one, have come and could not be taken into the ring."""
        rows, number = np.unique(rows, return_counts=True)
        self.memory.received[rows] += number
        if len(rows):
            self.memory.count_dropped("dropped_overflow", rows, number)

    def accept(self, updates: Updates) -> Sampled:
        """Sample these updates, at least one."""
        drain = self._drain(updates)
        memory, updates = self.memory, drain.updates
        memory.touched[drain.rows] = True
        memory.received[drain.rows] += drain.runs.ends - drain.runs.starts
        stamped = self._stamp(drain)
        bad_stamps = note_bad_stamps(drain, stamped, memory)
        resumed = self._resume(drain, stamped)
        alarms = self._alarms.transitions(drain, stamped, resumed)
        keep, forced = self._judge_bands(drain, stamped, resumed)
        passing = self._limit(drain, stamped, keep, forced)
        self._count_copies(drain, resumed, keep)
        passing.updates[resumed.at[resumed.by_copy]] = False
        memory.committed[drain.rows] += self._apply_quota(drain, stamped, passing)
        passed, newest = np.flatnonzero(passing.updates), drain.newest()
        self._remember_newest(drain, newest, passing, passed, resumed)
        samples = _joined(updates, stamped, passed, passing, resumed.at)
        resumed_rows, resumed_at = drain.row[resumed.at].astype("i8"), updates.received[resumed.at]
        return Sampled(samples, passing.blobs + updates.blobs, resumed_rows, resumed_at, newest, alarms, bad_stamps)

    def _drain(self, updates: Updates) -> Drain:
        if (updates.row[1:] < updates.row[:-1]).any():
            updates = updates.select(np.argsort(updates.row, kind="stable"))
        return Drain(updates, Runs(updates.row), self.wanted.on(updates.row))

    def _stamp(self, drain: Drain) -> Stamped:
        updates, wanted = drain.updates, self.wanted
        by_archiver = wanted.by_archiver[drain.row] if wanted.any_by_archiver else None
        wrong = look_ahead(updates)
        behind = look_behind(updates, self._max_past)
        if behind.any():
            wrong |= behind & ~self._believed(drain)
        stamped = stamp_updates(drain, self.memory, by_archiver, self.clocks.judge(updates, wrong), wrong)
        if stamped.late.any():
            np.add.at(self.memory.late, drain.row[stamped.late & drain.on], 1)
        return stamped

    def _believed(self, drain: Drain) -> Mask:
        """Updates whose stamp may lie in the past: the first ones after a connection, and those of channels whose stamps are no clock."""
        believed: Mask = self.wanted.trusted[drain.row] | self.wanted.by_archiver[drain.row]
        believed[drain.runs.starts] |= self.fresh[drain.rows]
        return believed

    def _resume(self, drain: Drain, stamped: Stamped) -> Resumed:
        """The updates with which a trace begins or resumes; one with an old or unusable stamp counts at receive time only."""
        starts, updates = drain.runs.starts, drain.updates
        resumed = starts[self.fresh[drain.rows] & drain.on[starts]]
        self.fresh[drain.row[resumed]] = False
        by_copy: Mask = (stamped.flags[resumed] != 0) | (updates.stamp[resumed] < updates.received[resumed] - MAX_PAST)
        return Resumed(resumed, by_copy)

    def _count_copies(self, drain: Drain, resumed: Resumed, keep: Mask) -> None:
        """The values of these updates are also written at receive time, some of them in place of an update that would pass."""
        rows, instead = drain.row[resumed.at], resumed.by_copy & keep[resumed.at]
        self.memory.generated[rows[~instead]] += 1
        self.memory.committed[rows] += 1

    def _judge_bands(self, drain: Drain, stamped: Stamped, resumed: Resumed) -> tuple[Mask, Mask]:
        """Updates of archived channels that neither repeat the one before nor lie in a dead band; and those that pass whatever they are."""
        updates, runs = drain.updates, drain.runs
        keep = drain.on & ~stamped.repeated
        forced = np.zeros(len(drain), bool)
        forced[resumed.at] = True
        if self.wanted.any_band:
            judged = np.flatnonzero(self.wanted.banded[drain.row] & (updates.kind == Kind.NUMBER) & (keep | forced))
            keep[within_band(updates, judged, forced, self.wanted.bands, self.memory)] = False
        if not keep.all():
            self.memory.filtered[drain.rows] += np.add.reduceat(~keep, runs.starts, dtype="i8")
        return keep, forced

    def _limit(self, drain: Drain, stamped: Stamped, keep: Mask, forced: Mask) -> _Passing:
        """What rate and scan let pass."""
        held = self.memory.withheld[drain.rows]
        if not (self.wanted.any_interval or held.any()):
            return _Passing(keep.copy(), _NO_SAMPLES, [], _NO_TIMES)
        unlimited = drain.rows[held != 0]
        unlimited = unlimited[self.wanted.interval[unlimited] == 0]  # the limit has just been lifted
        interval = self.wanted.interval[drain.row]
        limit = interval > 0
        bound = np.flatnonzero(keep & limit)
        if not len(bound):
            return self._passing(keep.copy(), unlimited)
        row, received, time = drain.row[bound], drain.updates.received[bound], stamped.time[bound]
        limited = limit_rate(row, received, time, forced[bound], interval[bound], self.wanted.scan[row], self.memory)
        np.add.at(self.memory.filtered, limited.rows, limited.replaced)
        passes = keep & ~limit
        passes[bound[limited.passed]] = True
        passing = self._passing(passes, np.concatenate([unlimited, limited.released]))
        self.withheld.hold(drain.updates, stamped, bound, limited)
        return passing

    def _remember_newest(self, drain: Drain, newest: Updates, passing: _Passing, passed: Index, resumed: Resumed) -> None:
        """For `max_interval`: when values were archived, and the newest of each channel."""
        if not len(self.wanted.repeating):
            return
        updates = drain.updates
        self._note_archived(passing.released["row"], passing.received)
        self._note_archived(drain.row[passed], updates.received[passed])
        self._note_archived(drain.row[resumed.at], updates.received[resumed.at])
        archived = drain.on[drain.runs.starts]
        repeats = (self.wanted.longest[drain.rows] > 0) & archived
        self._newest.remember(newest if repeats.all() else newest.select(np.flatnonzero(repeats)), self.wanted.small_only)

    def _passing(self, updates: Mask, released: Rows) -> _Passing:
        return _Passing(updates, *self.withheld.pop(released), self.memory.w_received[released])

    def _apply_quota(self, drain: Drain, stamped: Stamped, passing: _Passing) -> I8:
        """Take what is beyond the quota out of what passes; how many of each row pass."""
        updates, runs, rows = drain.updates, drain.runs, drain.rows
        cost = self.wanted.quota_cost[rows]
        count = np.add.reduceat(passing.updates, runs.starts, dtype="i8")
        released_of = np.searchsorted(rows, passing.released["row"]) if len(passing.released) else np.empty(0, np.intp)
        count[released_of] += 1
        if not cost.any():
            return count
        received = Span(updates.received[runs.starts], updates.received[runs.newest])
        sampled = Span(stamped.time[runs.starts], stamped.time[runs.newest])
        allowed = within_quota(rows, count, received, sampled, cost, self.memory)
        over = np.flatnonzero(allowed < count)
        if not len(over):
            return count
        self._book_dropped(rows[over], (count - allowed)[over])
        before: I8 = np.cumsum(passing.updates) - passing.updates
        place: I8 = before - np.repeat(before[runs.starts], runs.ends - runs.starts)
        waited = np.zeros(len(rows), "i8")
        waited[released_of] = 1
        passing.updates &= place < np.repeat(allowed - waited, runs.ends - runs.starts)
        waits_no_more = allowed[released_of] > 0
        passing.released, passing.received = passing.released[waits_no_more], passing.received[waits_no_more]
        return allowed

    def _book_dropped(self, rows: Rows, count: I8 | int) -> None:
        """So many samples of these rows were beyond their quota; the next one is archived, however near it is to the last."""
        self.memory.count_dropped("dropped_quota", rows, count)
        self.memory.band_known[rows] = 0

    def _note_archived(self, rows: Rows, received: I8) -> None:
        """Values received at these times (ns) are archived."""
        repeats = self.wanted.longest[rows] > 0
        if not repeats.all():
            rows, received = rows[repeats], received[repeats]
        np.maximum.at(self.memory.archived_at, rows, received)

    def repeat(self, now: int, connected: Mask) -> tuple[Samples, list[bytes]]:
        """The newest values of channels that have had none archived for `max_interval`, as generated samples at this time (ns).

        connected: of all rows, shape (rows,). A channel whose trace has still to resume is not among them.
        """
        memory, wanted, rows = self.memory, self.wanted, self.wanted.repeating
        if not len(rows):
            return np.empty(0, SAMPLE), []
        rows = rows[self._newest.known[rows] & wanted.on(rows) & connected[rows] & ~self.fresh[rows]]
        since = now - memory.archived_at[rows]
        rows = rows[(since < 0) | (since >= wanted.longest[rows])]  # before 0: the clock was set back
        samples, blobs = self._newest.samples(rows, now)
        memory.archived_at[rows] = now
        memory.generated[rows] += 1
        memory.committed[rows] += 1
        memory.touched[rows] = True
        numbers = samples[wanted.banded[rows] & (samples["kind"] == Kind.NUMBER)]
        memory.band_known[numbers["row"]], memory.band_value[numbers["row"]] = 1, numbers["value"]
        memory.band_alarm[numbers["row"]] = numbers["severity"].astype("u2") << 8 | numbers["status"]
        return samples, blobs

    def repeat_alarms(self, now: int, connected: Mask) -> AlarmStates:
        """The alarm states that are due again at this time (ns). connected: of all rows, shape (rows,)."""
        return self._alarms.hourly(now, connected, self.fresh)

    def alarms_again(self, now: int, connected: Mask) -> AlarmStates:
        """The alarm states of all channels at this time (ns). connected: as above."""
        return self._alarms.again(now, connected, self.fresh)

    def release(self, rows: Rows, now: int) -> tuple[Samples, list[bytes]]:
        """Let the withheld values of these rows pass now (ns), within their quota: their interval is over, or their channel goes away."""
        memory = self.memory
        samples, blobs = self.withheld.pop(rows)
        if not len(rows):
            return samples, blobs
        received, sampled = Span.at(np.full(len(rows), now)), Span.at(samples["time"])
        passes = within_quota(rows, np.ones(len(rows), "i8"), received, sampled, self.wanted.quota_cost[rows], memory) > 0
        if not passes.all():
            self._book_dropped(rows[~passes], 1)
        memory.committed[rows[passes]] += 1
        self._note_archived(rows[passes], memory.w_received[rows[passes]])
        return samples[passes], blobs


def _joined(updates: Updates, stamped: Stamped, passed: Index, passing: _Passing, resumed: Index) -> Samples:
    """All samples of a drain, sorted by row: those withheld before, those that passed, and the copies of those that resumed."""
    released, blobs_before = passing.released, len(passing.blobs)
    samples = _samples(updates, passed, stamped.time, stamped.flags)
    if len(resumed):
        copies = _samples(updates, resumed, updates.received, np.full(len(updates), SampleFlag.GENERATED, "u1"))
        samples = np.concatenate([as_void(samples), as_void(copies)]).view(SAMPLE)
    if blobs_before:
        samples["blob"][samples["blob"] != NO_BLOB] += blobs_before
    if not (len(released) or len(resumed)):
        return samples
    samples = np.concatenate([as_void(released), as_void(samples)]).view(SAMPLE)
    arrival = np.concatenate([np.full(len(released), -1), 2 * passed, 2 * resumed + 1])  # a copy follows its original
    ordered: Samples = as_void(samples)[np.lexsort((arrival, samples["row"]))].view(SAMPLE)
    return ordered


def _samples(updates: Updates, which: Index, time: I8, flags: npt.NDArray[np.uint8]) -> Samples:
    """Samples made of some updates. time (ns), flags (SampleFlag): of all updates.

    Where there is one of these flags, the IOC's own stamp is kept beside; the flags that an update has already tell of its value only.
    """
    if len(which) < len(updates):
        updates, time, flags = updates.select(which), time[which], flags[which]
    out = np.zeros(len(updates), SAMPLE)
    out["row"], out["time"] = updates.row, time
    out["value"], out["blob"] = updates.value, updates.blob
    out["severity"], out["status"] = updates.alarm >> 8, updates.alarm & 0xFF
    out["kind"], out["dbr"] = updates.kind, updates.dbr
    out["flags"] = flags | updates.flags
    if flags.any():
        out["src_time"] = np.where(flags != 0, updates.stamp, 0)
    return out
