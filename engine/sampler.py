"""From updates to samples: which of them are archived, under which time, and what is added.

All columns at once; see `stamps` for the time rules, `dead_band`, and `rate_limit` for rate and scan.
The rules come in this order: enabled? the same as before? dead band? rate?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.batch import NO_BLOB, SAMPLE, Kind, SampleFlag, Samples
from engine.dead_band import Bands, within_band
from engine.memory import SamplerMemory
from engine.newest_values import NewestValues
from engine.rate_limit import NONE, Limited, limit_rate
from engine.stamps import MAX_PAST, Stamped, stamp_updates
from engine.updates import Updates

MAX_STORED_TEXT = 40
SLOWEST = 1e-8
"""Hz, a sample in three years: lower rates count as this one, so that times stay within 64 bits."""


class Wanted:
    """Settings of all rows as the sampler needs them.

    interval: ns, 0 = no limit. longest: ns, `max_interval`, 0 = never. repeating: rows that have one.
    banded: rows with a dead band; any_band: whether there is one.
    """

    def __init__(self, rows: int) -> None:
        self.enable = np.zeros(rows, bool)
        self.scan = np.zeros(rows, bool)
        self.interval = np.zeros(rows, "i8")
        self.longest = np.zeros(rows, "i8")
        self.repeating = np.empty(0, np.intp)
        self.bands = Bands(np.zeros(rows), np.zeros(rows))
        self.banded = np.zeros(rows, bool)
        self.any_band = False

    def take(self, rows: npt.NDArray[np.integer], cells: npt.NDArray[np.void]) -> None:
        """Settings of some rows from the channel table (dtype SETTINGS)."""
        self.enable[rows] = cells["enable"] != 0
        self.scan[rows] = cells["mode"] == 1
        self.interval[rows] = np.where(cells["rate"] > 0, 1e9 / np.maximum(cells["rate"], SLOWEST), 0)
        self.longest[rows] = cells["max_interval"] * 1e9
        self.repeating = np.flatnonzero(self.longest)
        self.bands.width[rows] = cells["deadband"]
        self.bands.part[rows] = cells["deadband_pct"] / 100
        self.banded[rows] = (cells["deadband"] > 0) | (cells["deadband_pct"] > 0)
        self.any_band = bool(self.banded.any())


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Samples (sorted by row) with their blobs; rows whose trace began or resumed, and when (ns); each row's newest update."""

    samples: Samples
    blobs: list[bytes]
    resumed: npt.NDArray[np.int64]
    resumed_at: npt.NDArray[np.int64]
    newest: Updates


class Sampler:
    """Holds the memory of all channels; one thread uses it.

    fresh: rows whose next update starts or resumes a trace, so that its value is also written at
    receive time.
    """

    def __init__(self, rows: int) -> None:
        self.memory = SamplerMemory(rows)
        self.wanted = Wanted(rows)
        self.fresh = np.zeros(rows, bool)
        self._held_blobs: dict[int, bytes] = {}
        self._newest = NewestValues(rows)

    def take_settings(self, rows: npt.NDArray[np.integer], cells: npt.NDArray[np.void]) -> None:
        """Settings of some rows from the channel table (dtype SETTINGS). What only a setting of before needed is given up."""
        memory, wanted = self.memory, self.wanted
        wanted.take(rows, cells)
        unbanded = rows[~wanted.banded[rows] & (memory.band_known[rows] != 0)]
        memory.band_known[unbanded] = 0
        final = rows[(wanted.longest[rows] == 0) & (memory.archived_at[rows] != 0)]
        memory.archived_at[final] = 0
        self._newest.forget(rows[wanted.longest[rows] == 0])
        memory.touched[unbanded] = memory.touched[final] = True

    def restore(self) -> None:
        """Bring back what was withheld when the engine before this one ended.

        A withheld array or long text lived in that engine's memory only; the IOC sends the current one on connect.
        """
        memory = self.memory
        self.discard(np.flatnonzero((memory.withheld != 0) & (memory.w_lost != 0)))
        for row in np.flatnonzero((memory.withheld != 0) & (memory.w_kind == Kind.TEXT)).tolist():
            self._held_blobs[row] = bytes(memory.w_text[row])

    def discard(self, rows: npt.NDArray[np.integer]) -> None:
        """Give up the withheld values of these rows, which cannot be stored any more."""
        self.memory.withheld[rows] = 0
        self.memory.filtered[rows] += 1
        self.memory.touched[rows] = True
        for row in rows.tolist():
            self._held_blobs.pop(row, None)

    def leave_out(self, rows: npt.NDArray[np.integer]) -> None:
        """Updates of these rows, each named as often as it sent one, have come and are not to be sampled."""
        np.add.at(self.memory.received, rows, 1)
        np.add.at(self.memory.filtered, rows, 1)
        self.memory.touched[rows] = True

    def lose(self, row: int) -> None:
        """An update of this row has come and could not be taken into the ring."""
        self.memory.received[row] += 1
        self.memory.dropped_overflow[row] += 1
        self.memory.touched[row] = True

    def forget(self, row: int, generation: int) -> None:
        """Begin a new channel in a row."""
        self.memory.forget(row, generation)
        self._held_blobs.pop(row, None)
        self._newest.forget(np.array([row]))
        self.fresh[row] = False

    def accept(self, updates: Updates) -> Sampled:
        """Sample these updates, at least one."""
        updates = updates.take(np.argsort(updates.row, kind="stable"))
        row = updates.row
        starts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
        memory = self.memory
        lanes = row[starts]
        memory.touched[lanes] = True
        memory.received[lanes] += np.diff(np.append(starts, len(row)))
        stamped = stamp_updates(updates, starts, memory)
        enabled = self.wanted.enable[row]
        keep = enabled & ~stamped.repeated
        resumed = starts[self.fresh[lanes] & enabled[starts]]
        self.fresh[row[resumed]] = False
        forced = np.zeros(len(row), bool)
        forced[resumed] = True
        if self.wanted.any_band:
            judged = np.flatnonzero(self.wanted.banded[row] & (updates.kind == Kind.NUMBER) & (keep | forced))
            keep[within_band(updates, judged, forced, self.wanted.bands, memory)] = False
        only_generated = resumed[stamped.restamped[resumed] | (updates.stamp[resumed] < updates.received[resumed] - MAX_PAST)]
        only_generated = only_generated[keep[only_generated]]
        passed, released, blobs_released = self._limit(updates, lanes, stamped, keep, forced)
        passes = np.zeros(len(row), bool)
        passes[passed] = True
        passes[only_generated] = False
        passed = np.flatnonzero(passes)
        memory.generated[row[resumed]] += 1
        memory.generated[row[only_generated]] -= 1
        true = _samples(updates, passed, stamped.time[passed], stamped.restamped[passed])
        copies = _samples(updates, resumed, updates.received[resumed], np.ones(len(resumed), bool))
        copies["flags"] = updates.flags[resumed] | SampleFlag.GENERATED
        memory.filtered[lanes] += np.add.reduceat((~keep).astype("i8"), starts)
        joined = np.concatenate([released, true, copies])
        blobs = blobs_released + updates.blobs
        joined["blob"][len(released) :][joined["blob"][len(released) :] != NO_BLOB] += len(blobs_released)
        if len(joined) > len(true):
            arrival = np.concatenate([np.full(len(released), -1), 2 * passed, 2 * resumed + 1])  # a copy follows its original
            joined = joined[np.lexsort((arrival, joined["row"]))]
        np.add.at(memory.committed, joined["row"], 1)
        newest = updates.take(np.append(starts[1:], len(row)) - 1)
        if len(self.wanted.repeating):
            self._note_archived(row[passed], updates.received[passed])
            self._note_archived(row[resumed], updates.received[resumed])
            self._newest.remember(newest.take(np.flatnonzero((self.wanted.longest[lanes] > 0) & self.wanted.enable[lanes])))
        return Sampled(joined, blobs, row[resumed].astype("i8"), updates.received[resumed], newest)

    def _limit(
        self,
        updates: Updates,
        lanes: npt.NDArray[np.uint32],
        stamped: Stamped,
        keep: npt.NDArray[np.bool_],
        forced: npt.NDArray[np.bool_],
    ) -> tuple[npt.NDArray[np.intp], Samples, list[bytes]]:
        """Indices of the updates that pass, and the formerly withheld samples that pass before them. lanes: the rows, each once."""
        interval = self.wanted.interval[updates.row]
        free = np.flatnonzero(keep & (interval == 0))
        bound = np.flatnonzero(keep & (interval > 0))
        unlimited = lanes[(self.memory.withheld[lanes] != 0) & (self.wanted.interval[lanes] == 0)]  # the limit has just been lifted
        if not len(bound):
            return free, *self._take_held(unlimited)
        row = updates.row[bound]
        limited = limit_rate(row, updates.received[bound], forced[bound], interval[bound], self.wanted.scan[row], self.memory)
        released, blobs = self._take_held(np.concatenate([unlimited, limited.released]))
        np.add.at(self.memory.filtered, limited.rows, limited.replaced)
        self._hold(updates, stamped, bound, limited)
        return np.concatenate([free, bound[limited.passed]]), released, blobs

    def _hold(self, updates: Updates, stamped: Stamped, bound: npt.NDArray[np.intp], limited: Limited) -> None:
        memory = self.memory
        gone = limited.rows[limited.withheld == NONE]
        memory.withheld[gone] = 0
        new = limited.withheld >= 0
        rows, source = limited.rows[new], bound[limited.withheld[new]]
        memory.withheld[rows] = 1
        memory.w_time[rows] = stamped.time[source]
        memory.w_src_time[rows] = np.where(stamped.restamped[source], updates.stamp[source], 0)
        memory.w_flags[rows] = np.where(stamped.restamped[source], SampleFlag.RESTAMPED, 0) | updates.flags[source]
        memory.w_value[rows] = updates.value[source]
        memory.w_received[rows] = updates.received[source]
        memory.w_severity[rows] = updates.alarm[source] >> 8
        memory.w_status[rows] = updates.alarm[source] & 0xFF
        memory.w_kind[rows] = updates.kind[source]
        memory.w_dbr[rows] = updates.dbr[source]
        memory.w_lost[rows] = updates.kind[source] == Kind.ARRAY
        with_blob = updates.blob[source] != NO_BLOB
        for row, at in zip(rows[with_blob].tolist(), updates.blob[source][with_blob].tolist(), strict=True):
            self._held_blobs[row] = updates.blobs[at]
            memory.w_text[row] = updates.blobs[at][:MAX_STORED_TEXT]
            memory.w_lost[row] |= len(updates.blobs[at]) > MAX_STORED_TEXT

    def _take_held(self, rows: npt.NDArray[np.integer]) -> tuple[Samples, list[bytes]]:
        """The withheld samples of these rows, which wait no longer."""
        memory = self.memory
        out = np.zeros(len(rows), SAMPLE)
        out["row"] = rows
        for field in ("time", "src_time", "value", "severity", "status", "kind", "dbr", "flags"):
            out[field] = getattr(memory, f"w_{field}")[rows]
        out["blob"] = NO_BLOB
        blobs: list[bytes] = []
        for at in np.flatnonzero((out["kind"] == Kind.TEXT) | (out["kind"] == Kind.ARRAY)).tolist():
            out["blob"][at] = len(blobs)
            blobs.append(self._held_blobs.pop(int(rows[at])))
        memory.withheld[rows] = 0
        memory.touched[rows] = True
        self._note_archived(rows, memory.w_received[rows])
        return out, blobs

    def _note_archived(self, rows: npt.NDArray[np.integer], received: npt.NDArray[np.int64]) -> None:
        """Values received at these times (ns) are archived."""
        repeats = self.wanted.longest[rows] > 0
        np.maximum.at(self.memory.archived_at, rows[repeats], received[repeats])

    def repeat(self, now: int, connected: npt.NDArray[np.bool_]) -> tuple[Samples, list[bytes]]:
        """The newest values of channels that have had none archived for `max_interval`, as generated samples at this time (ns).

        connected: of all rows, shape (rows,). A channel whose trace has still to resume is not among them.
        """
        memory, wanted, rows = self.memory, self.wanted, self.wanted.repeating
        rows = rows[self._newest.known[rows] & wanted.enable[rows] & connected[rows] & ~self.fresh[rows]]
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

    def release(self, rows: npt.NDArray[np.integer]) -> tuple[Samples, list[bytes]]:
        """Let the withheld values of these rows pass now: their interval is over, or their channel goes away."""
        samples, blobs = self._take_held(rows)
        np.add.at(self.memory.committed, rows, 1)
        return samples, blobs

    def overdue(self, now: int) -> npt.NDArray[np.intp]:
        """Rows whose withheld value may pass (now: ns). Sets when their next sample may pass."""
        memory, wanted = self.memory, self.wanted
        waiting: npt.NDArray[np.intp] = np.flatnonzero(memory.withheld)
        interval = wanted.interval[waiting]
        due = np.minimum(memory.due[waiting], memory.w_received[waiting] + interval)
        due[memory.w_received[waiting] > now] = now  # the clock was set back
        over = due <= now
        waiting, interval, due = waiting[over], interval[over], due[over]
        memory.due[waiting] = np.where(wanted.scan[waiting], 0, np.maximum(due, now - interval) + interval)
        return waiting


def _samples(updates: Updates, which: npt.NDArray[np.intp], time: npt.NDArray[np.int64], foreign: npt.NDArray[np.bool_]) -> Samples:
    """Samples made of some updates; foreign: stamped by us, so that the IOC's own stamp is kept beside."""
    out = np.zeros(len(which), SAMPLE)
    out["row"], out["time"] = updates.row[which], time
    out["value"], out["blob"] = updates.value[which], updates.blob[which]
    out["severity"], out["status"] = updates.alarm[which] >> 8, updates.alarm[which] & 0xFF
    out["kind"], out["dbr"] = updates.kind[which], updates.dbr[which]
    out["src_time"] = np.where(foreign, updates.stamp[which], 0)
    out["flags"] = np.where(foreign, SampleFlag.RESTAMPED, 0) | updates.flags[which]
    return out
