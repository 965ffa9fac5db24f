"""Values that a rate limit withholds until their interval ends; at most one of a channel.

They lie in the sampler's memory, so that another engine can let them pass; only arrays, and texts
beyond MAX_STORED_TEXT bytes, are in this process alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import NO_BLOB, SAMPLE, Kind, Samples
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.rate_limit import NOTHING_HELD, Limited
from archioc.engine.sampling.sampling_settings import SamplingSettings
from archioc.engine.sampling.stamps import Stamped
from archioc.engine.sampling.updates import Updates

MAX_STORED_TEXT = 40

Rows = npt.NDArray[np.integer]
NO_ROWS = np.empty(0, np.intp)


class HeldSamples:
    """The withheld values of all rows."""

    def __init__(self, memory: SamplerMemory, wanted: SamplingSettings) -> None:
        self._memory, self._wanted = memory, wanted
        self._blobs: dict[int, bytes] = {}
        self._some = True  # a value may be withheld

    def restore(self) -> None:
        """Bring back what was withheld when the engine before this one ended.

        A withheld array or long text lived in that engine's memory only; the IOC sends the current one on connect.
        """
        memory = self._memory
        self.discard(np.flatnonzero((memory.withheld != 0) & (memory.w_lost != 0)))
        for row in np.flatnonzero((memory.withheld != 0) & (memory.w_kind == Kind.TEXT)).tolist():
            self._blobs[row] = bytes(memory.w_text[row])

    def discard(self, rows: Rows) -> None:
        """Give up the values of these rows, which cannot be stored any more."""
        self._memory.withheld[rows] = 0
        self._memory.filtered[rows] += 1
        self._memory.touched[rows] = True
        for row in rows.tolist():
            self._blobs.pop(row, None)

    def forget(self, rows: Rows) -> None:
        """Other channels begin in these rows."""
        for row in self._blobs.keys() & set(rows.tolist()):
            del self._blobs[row]

    def hold(self, updates: Updates, stamped: Stamped, bound: npt.NDArray[np.intp], limited: Limited) -> None:
        """Take over what the rate limit withholds of the updates at the indices `bound`."""
        memory = self._memory
        gone = limited.rows[limited.withheld == NOTHING_HELD]
        memory.withheld[gone] = 0
        new = limited.withheld >= 0
        rows, source = limited.rows[new], bound[limited.withheld[new]]
        memory.withheld[rows] = 1
        self._some = self._some or len(rows) > 0
        memory.w_time[rows] = stamped.time[source]
        memory.w_src_time[rows] = np.where(stamped.flags[source] != 0, updates.stamp[source], 0)
        memory.w_flags[rows] = stamped.flags[source] | updates.flags[source]
        memory.w_value[rows] = updates.value[source]
        memory.w_received[rows] = updates.received[source]
        memory.w_severity[rows] = updates.alarm[source] >> 8
        memory.w_status[rows] = updates.alarm[source] & 0xFF
        memory.w_kind[rows] = updates.kind[source]
        memory.w_dbr[rows] = updates.dbr[source]
        memory.w_lost[rows] = updates.kind[source] == Kind.ARRAY
        with_blob = updates.blob[source] != NO_BLOB
        for row, at in zip(rows[with_blob].tolist(), updates.blob[source][with_blob].tolist(), strict=True):
            self._blobs[row] = updates.blobs[at]
            memory.w_text[row] = updates.blobs[at][:MAX_STORED_TEXT]
            memory.w_lost[row] |= len(updates.blobs[at]) > MAX_STORED_TEXT

    def pop(self, rows: Rows) -> tuple[Samples, list[bytes]]:
        """The withheld samples of these rows, which wait no longer."""
        memory = self._memory
        out = np.zeros(len(rows), SAMPLE)
        if not len(rows):
            return out, []
        out["row"] = rows
        for field in ("time", "src_time", "value", "severity", "status", "kind", "dbr", "flags"):
            out[field] = getattr(memory, f"w_{field}")[rows]
        out["blob"] = NO_BLOB
        blobs: list[bytes] = []
        for at in np.flatnonzero((out["kind"] == Kind.TEXT) | (out["kind"] == Kind.ARRAY)).tolist():
            out["blob"][at] = len(blobs)
            blobs.append(self._blobs.pop(int(rows[at])))
        memory.withheld[rows] = 0
        memory.touched[rows] = True
        return out, blobs

    def overdue(self, now: int) -> npt.NDArray[np.intp]:
        """Rows whose value may pass (now: ns). Sets when their next sample may pass."""
        memory, wanted = self._memory, self._wanted
        if not self._some:
            return NO_ROWS
        waiting: npt.NDArray[np.intp] = np.flatnonzero(memory.withheld[: memory.used].view(bool))
        if not len(waiting):
            self._some = False
            return waiting
        interval = wanted.interval[waiting]
        due = np.minimum(memory.due[waiting], memory.w_received[waiting] + interval)
        due[memory.w_received[waiting] > now] = now  # the clock was set back
        over = due <= now
        waiting, interval, due = waiting[over], interval[over], due[over]
        memory.due[waiting] = np.where(wanted.scan[waiting], 0, np.maximum(due, now - interval) + interval)
        memory.due_time[waiting] = np.where(wanted.scan[waiting], 0, memory.due_time[waiting] + interval)
        return waiting
