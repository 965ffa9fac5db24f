"""The sampler as a person would describe it: one update at a time, one channel at a time.

Written from the rules (settings `enable`, `mode`, `rate`, `deadband`, `deadband_pct`, `max_interval`; the rules on
time stamps; generated samples), not from the engine. Times are int ns, an interval of 0 means no limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from archioc.core.batch import Kind, SampleFlag
from tests.unit.engine.arrivals import SECOND, Arrival, Stored

YEAR_1991 = 662_688_000 * SECOND


@dataclass(slots=True)
class Setting:
    """What is wanted of a channel."""

    enable: bool = True
    scan: bool = False
    interval: int = 0
    deadband: float = 0.0
    deadband_pct: float = 0.0
    max_interval: int = 0

    @property
    def banded(self) -> bool:
        return self.deadband > 0 or self.deadband_pct > 0


@dataclass(frozen=True, slots=True)
class Held:
    """A value that waits for its interval to end."""

    sample: Stored
    received: int
    kind: Kind


@dataclass(slots=True)
class ModelChannel:
    """One channel with its counters; `fresh`: its trace begins or resumes with the next update.

    reference: the update that the dead band is measured from. newest, archived_at: for `max_interval`.
    """

    setting: Setting = field(default_factory=Setting)
    fresh: bool = False
    before: Arrival | None = None
    last_time: int = 0
    due: int = 0
    held: Held | None = None
    reference: Arrival | None = None
    newest: Arrival | None = None
    archived_at: int = 0
    received: int = 0
    generated: int = 0
    filtered: int = 0
    stored: int = 0

    def change(self, setting: Setting) -> None:
        """New settings; what only those of before needed is forgotten."""
        self.setting = setting
        if not setting.banded:
            self.reference = None
        if not setting.max_interval:
            self.newest, self.archived_at = None, 0

    def update(self, arrival: Arrival) -> list[Stored]:
        """What is stored because of this update."""
        self.received += 1
        time, restamped, repeated = self._stamp(arrival)
        out = self._release() if self.setting.interval == 0 else []  # a value held when the limit was lifted comes first
        if not self.setting.enable:
            self.filtered += 1
            self.stored += len(out)
            return out
        resumes, self.fresh = self.fresh, False
        if self.setting.max_interval:
            self.newest = arrival
        told_by_copy = resumes and (restamped or arrival.stamp < arrival.received - 7 * 86400 * SECOND)
        if repeated or (not resumes and self._in_band(arrival)):
            self.filtered += 1
            if resumes:
                self._measure_from(arrival)
        else:
            self._measure_from(arrival)
            true = _sample(arrival, time, SampleFlag.RESTAMPED if restamped else SampleFlag(0))
            passed = self._limit(arrival, true, resumes)
            out += [one for one in passed if not (told_by_copy and one is true)]
        if resumes:
            out.append(_sample(arrival, arrival.received, SampleFlag.GENERATED))
            self._archived(arrival.received)
            self.generated += 0 if told_by_copy and not repeated else 1
        self.stored += len(out)
        return out

    def _in_band(self, arrival: Arrival) -> bool:
        """Whether the number is no further from the one before that got through than the dead band is wide."""
        setting, before = self.setting, self.reference
        if not setting.banded or arrival.kind is not Kind.NUMBER or before is None:
            return False
        if (arrival.severity, arrival.status) != (before.severity, before.status):
            return False
        assert isinstance(arrival.value, float)
        assert isinstance(before.value, float)
        if math.isnan(arrival.value) or math.isnan(before.value):
            return math.isnan(arrival.value) and math.isnan(before.value)
        if math.isinf(arrival.value) or math.isinf(before.value):
            return arrival.value == before.value
        distance = abs(arrival.value - before.value)
        return distance <= setting.deadband or distance <= setting.deadband_pct / 100 * abs(before.value)

    def _measure_from(self, arrival: Arrival) -> None:
        if self.setting.banded and arrival.kind is Kind.NUMBER:
            self.reference = arrival

    def _archived(self, received: int) -> None:
        if self.setting.max_interval:
            self.archived_at = max(self.archived_at, received)

    def _stamp(self, arrival: Arrival) -> tuple[int, bool, bool]:
        """Time of the sample; whether that is the receive time for want of a good stamp; whether it is the update before again."""
        before, self.before = self.before, arrival
        same_stamp = before is not None and before.stamp == arrival.stamp
        content = (arrival.bits, arrival.severity, arrival.status)
        repeated = before is not None and same_stamp and content == (before.bits, before.severity, before.status)
        restamped = arrival.stamp < YEAR_1991 or arrival.stamp > arrival.received + 60 * SECOND
        time = arrival.stamp
        if same_stamp and not repeated and not restamped:
            restamped = arrival.received - arrival.stamp > SECOND
            time = self.last_time + 1
        if restamped:
            time = arrival.received
        if not repeated:
            self.last_time = time
        return time, restamped, repeated

    def _limit(self, arrival: Arrival, sample: Stored, forced: bool) -> list[Stored]:
        now, interval, scan = arrival.received, self.setting.interval, self.setting.scan
        if interval == 0:
            self._archived(now)
            return [sample]
        out: list[Stored] = []
        self.due = min(self.due, now + interval)  # the clock was set back, or the interval shortened
        if forced:
            out = [*self._release(), sample]
            self._archived(now)
            self.due = 0 if scan else now + interval
            return out
        if now >= self.due and self.held is not None:
            out = self._release()
            self.due = 0 if scan else self.due + interval
        if now < self.due:
            self._hold(arrival, sample)
        elif scan:
            self._hold(arrival, sample)
            self.due = (now // interval + 1) * interval
        else:
            out.append(sample)
            self._archived(now)
            self.due = now + interval
        return out

    def _hold(self, arrival: Arrival, sample: Stored) -> None:
        if self.held is not None:
            self.filtered += 1
        self.held = Held(sample, arrival.received, arrival.kind)

    def _release(self) -> list[Stored]:
        held, self.held = self.held, None
        if held is None:
            return []
        self._archived(held.received)
        return [held.sample]

    def tick(self, now: int) -> list[Stored]:
        """The held value passes when its interval has ended."""
        if self.held is None:
            return []
        interval = self.setting.interval
        due = now if self.held.received > now else min(self.due, self.held.received + interval)
        if due > now:
            return []
        self.due = 0 if self.setting.scan else max(due, now - interval) + interval
        self.stored += 1
        return self._release()

    def repeat(self, now: int) -> list[Stored]:
        """The newest value is written again when none has been archived for `max_interval`."""
        if not self.setting.enable or self.fresh or self.newest is None:
            return []
        if self.archived_at <= now < self.archived_at + self.setting.max_interval:
            return []
        self.archived_at = now
        self._measure_from(self.newest)
        self.generated += 1
        self.stored += 1
        return [_sample(self.newest, now, SampleFlag.GENERATED)]

    def restart(self) -> None:
        """Another engine takes up; only an array that was held, and what could be written again, is not there any more."""
        self.newest = None
        if self.held is not None and self.held.kind is Kind.ARRAY:
            self.held = None
            self.filtered += 1
        self.fresh = False


def _sample(arrival: Arrival, time: int, flag: SampleFlag) -> Stored:
    text = isinstance(arrival.value, bytes)
    return Stored(
        row=arrival.row,
        time=time,
        bits=0 if text else arrival.bits,
        blob=arrival.value if isinstance(arrival.value, bytes) else b"",
        src_time=arrival.stamp if flag else 0,
        flags=int(flag),
        severity=arrival.severity,
        status=arrival.status,
    )
