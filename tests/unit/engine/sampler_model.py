"""The sampler as a person would describe it: one update at a time, one channel at a time.

Written from the rules (settings of a channel; the rules on time stamps; generated samples; alarms), not from
the engine. Times are int ns, an interval, a quota cost or a `max_interval` of 0 means none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from archioc.core.spool.batch import Kind, SampleFlag
from tests.unit.engine.arrivals import SECOND, Arrival, Stored

YEAR_1991 = 662_688_000 * SECOND
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND


@dataclass(slots=True)
class Setting:
    """What is wanted of a channel. cost: time of its quota that a sample uses up."""

    enable: bool = True
    scan: bool = False
    interval: int = 0
    deadband: float = 0.0
    deadband_pct: float = 0.0
    max_interval: int = 0
    cost: int = 0
    by_archiver: bool = False
    group_on: bool = True

    @property
    def on(self) -> bool:
        return self.enable and self.group_on

    @property
    def banded(self) -> bool:
        return self.deadband > 0 or self.deadband_pct > 0


@dataclass(frozen=True, slots=True)
class Held:
    """A value that waits for its interval to end."""

    sample: Stored
    received: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Passed:
    """A sample that may be stored; generated ones are outside the quota."""

    sample: Stored
    received: int
    generated: bool = False


@dataclass(frozen=True, slots=True, order=True)
class AlarmState:
    """What is written about the alarm of a channel."""

    row: int
    time: int
    severity: int
    status: int


@dataclass(slots=True)
class ModelClock:
    """Whether our own clock is in doubt. hosts: the host of each row. ahead: hosts that were ahead when last heard."""

    hosts: tuple[str, ...]
    ahead: set[str] = field(default_factory=set)
    suspect: bool = False

    def drain(self, arrivals: list[Arrival], fresh: set[int], by_archiver: set[int]) -> None:
        """fresh: rows whose first update in this drain may be old. by_archiver: rows whose stamps are not used."""
        contradicted, first = False, set(fresh)
        wrong = []
        for one in arrivals:
            past = YEAR_1991 <= one.stamp < one.received - HOUR and one.row not in first | by_archiver
            wrong.append(one.stamp > one.received + MINUTE or past)
            first.discard(one.row)
        for host in set(self.hosts):
            stamps = [bad for one, bad in zip(arrivals, wrong, strict=True) if self.hosts[one.row] == host]
            if not stamps:
                continue
            if sum(stamps) > len(stamps) / 2:
                self.ahead.add(host)
            else:
                self.ahead.discard(host)
                contradicted = True
        many = len(self.ahead) >= 3 and len(self.ahead) > len(set(self.hosts)) / 5
        self.suspect = many or (self.suspect and not contradicted)


@dataclass(slots=True)
class ModelChannel:
    """One channel with its counters; `fresh`: its trace begins or resumes with the next update.

    reference: the update that the dead band is measured from. newest, archived_at: for `max_interval`.
    alarms, bad: what has been written of alarms, and received when the stamps were told to be unusable.
    """

    setting: Setting = field(default_factory=Setting)
    fresh: bool = False
    before: Arrival | None = None
    last_time: int = 0
    due: int = 0
    due_time: int = 0
    peak: int | None = None
    held: Held | None = None
    reference: Arrival | None = None
    newest: Arrival | None = None
    archived_at: int = 0
    used_up_to: int = 0
    lag: int = 0
    times: list[int] = field(default_factory=list)
    alarm: tuple[int, int] | None = None
    stamps_bad: bool = False
    bad_told_at: int = 0
    received: int = 0
    generated: int = 0
    filtered: int = 0
    stored: int = 0
    dropped: int = 0
    late: int = 0
    bad_time: int = 0
    alarms: list[AlarmState] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)

    def change(self, setting: Setting) -> None:
        """New settings; what only those of before needed is forgotten."""
        self.setting = setting
        if not setting.banded:
            self.reference = None
        if not setting.max_interval:
            self.newest, self.archived_at = None, 0

    def drain(self, arrivals: list[Arrival], suspect: bool) -> list[Stored]:
        """What is stored because of these updates, which the engine looks at together."""
        self.peak, self.times = None, []
        passed = [one for arrival in arrivals for one in self.update(arrival, suspect)]
        return self._within_quota(passed, [one.received for one in arrivals], self.times) if arrivals else []

    def update(self, arrival: Arrival, suspect: bool) -> list[Passed]:
        """What may be stored because of this update, if the quota lets it."""
        self.received += 1
        on = self.setting.on
        time, flag, repeated = self._stamp(arrival, suspect, first=self.fresh and len(self.times) == 0)
        self.times.append(time)
        out = self._release() if self.setting.interval == 0 else []  # a value held when the limit was lifted comes first
        if not on:
            self.filtered += 1
            return out
        resumes, self.fresh = self.fresh, False
        if self.setting.max_interval:
            self.newest = arrival
        told_by_copy = resumes and (bool(flag) or arrival.stamp < arrival.received - 7 * 86400 * SECOND)
        self._follow_alarm(arrival, time, resumes, told_by_copy)
        if repeated or (not resumes and self._in_band(arrival)):
            self.filtered += 1
            if resumes:
                self._measure_from(arrival)
        else:
            self._measure_from(arrival)
            true = _sample(arrival, time, flag)
            out += [one for one in self._limit(arrival, true, resumes) if not (told_by_copy and one.sample is true)]
        if resumes:
            out.append(Passed(_sample(arrival, arrival.received, SampleFlag.GENERATED), arrival.received, generated=True))
            self.generated += 0 if told_by_copy and not repeated else 1
        return out

    def _within_quota(self, passed: list[Passed], received: list[int], times: list[int]) -> list[Stored]:
        """Of what passed all else, the generated samples and the first of the others.

        received, times: of all updates that were looked at: when they came, and the times of their samples.
        """
        true = [one for one in passed if not one.generated]
        dropped = true[self._use_up(len(true), received, times) :]
        if dropped:
            self.dropped += len(dropped)
            self.reference = None
        kept = [one for one in passed if not any(one is other for other in dropped)]
        for one in kept:
            self._archived(one.received)
        self.stored += len(kept)
        return [one.sample for one in kept]

    def _use_up(self, count: int, received: list[int], times: list[int]) -> int:
        """How many of so many samples may pass, by the receive time, or by the times of the samples where these allow more.

        A sample uses up its cost of the time since the last one, of which 10 s are kept.
        """
        cost, before = self.setting.cost, self.used_up_to
        lag, self.lag = self.lag, received[-1] - times[-1]
        if not cost or not count:
            return count
        keep = max(10 * SECOND, cost)
        by_receipt = _follow_clock(before, min(received[0], received[-1]), received[-1], keep)
        by_samples = _follow_clock(before - lag, min(times[0], times[-1]), times[-1], keep)
        passing = 0
        while passing < count and (by_receipt + (passing + 1) * cost <= received[-1] or by_samples + (passing + 1) * cost <= times[-1]):
            passing += 1
        self.used_up_to = min(by_receipt + passing * cost, received[-1])
        return passing

    def _follow_alarm(self, arrival: Arrival, time: int, resumes: bool, told_by_copy: bool) -> None:
        alarm = (arrival.severity, arrival.status)
        if alarm != self.alarm and not told_by_copy:
            self.alarms.append(AlarmState(arrival.row, time, *alarm))
        if resumes:
            self.alarms.append(AlarmState(arrival.row, arrival.received, *alarm))
        self.alarm = alarm

    def hourly(self, row: int, now: int) -> None:
        """The hour of this row has come."""
        if self.alarm is not None and self.setting.on and not self.fresh:
            self.alarms.append(AlarmState(row, now, *self.alarm))

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

    def _stamp(self, arrival: Arrival, suspect: bool, *, first: bool) -> tuple[int, SampleFlag, bool]:
        """Time of the sample; why that is the receive time, if it is; whether the update is the one before again."""
        before, self.before = self.before, arrival
        same_stamp = before is not None and before.stamp == arrival.stamp
        content = (arrival.bits, arrival.severity, arrival.status)
        repeated = before is not None and same_stamp and content == (before.bits, before.severity, before.status)
        by_archiver = self.setting.by_archiver
        past = arrival.stamp < arrival.received - HOUR and not first
        unusable = arrival.stamp < YEAR_1991 or ((arrival.stamp > arrival.received + MINUTE or past) and not suspect)
        time = arrival.stamp
        if same_stamp and not repeated and not unusable:
            unusable = arrival.received - arrival.stamp > SECOND
            time = self.last_time + 1
        unusable = unusable and not by_archiver
        if unusable or by_archiver:
            time = arrival.received
        if not repeated:
            if self.setting.on:
                self.late += time < self.last_time
                self._note_stamp(arrival, unusable)
            self.last_time = time
        flag = SampleFlag.ARCHIVER_CLOCK if by_archiver else SampleFlag.RESTAMPED if unusable else SampleFlag(0)
        return time, flag, repeated

    def _note_stamp(self, arrival: Arrival, unusable: bool) -> None:
        """Count it, and tell that stamps have become unusable, at most once in a minute."""
        begins, self.stamps_bad = unusable and not self.stamps_bad, unusable
        self.bad_time += unusable
        if begins and not 0 <= arrival.received - self.bad_told_at < MINUTE:
            self.bad_told_at = arrival.received
            self.bad.append(arrival.received)

    def _limit(self, arrival: Arrival, sample: Stored, forced: bool) -> list[Passed]:
        """An interval is over by the receive time or by the time of the samples, which within a drain does not go back."""
        now, interval, scan = arrival.received, self.setting.interval, self.setting.scan
        if interval == 0:
            return [Passed(sample, now)]
        out: list[Passed] = []
        time = self.peak = sample.time if self.peak is None else max(self.peak, sample.time)
        # at most an interval ahead: a clock was set back, the interval shortened, or the other clock has let values pass
        self.due, self.due_time = min(self.due, now + interval), min(self.due_time, time + interval)
        if forced:
            out = [*self._release(), Passed(sample, now)]
            self._begin(now, time)
            return out
        if (now >= self.due or time >= self.due_time) and self.held is not None:
            out = self._release()
            self.due, self.due_time = (0, 0) if scan else (min(self.due, now) + interval, min(self.due_time, time) + interval)
        if now < self.due and time < self.due_time:
            self._hold(arrival, sample)
        elif scan:
            self._hold(arrival, sample)
            self.due, self.due_time = (now // interval + 1) * interval, (time // interval + 1) * interval
        else:
            out.append(Passed(sample, now))
            self._begin(now, time)
        return out

    def _begin(self, now: int, time: int) -> None:
        self.due, self.due_time = (0, 0) if self.setting.scan else (now + self.setting.interval, time + self.setting.interval)

    def _hold(self, arrival: Arrival, sample: Stored) -> None:
        if self.held is not None:
            self.filtered += 1
        self.held = Held(sample, arrival.received, arrival.kind)

    def _release(self) -> list[Passed]:
        held, self.held = self.held, None
        return [] if held is None else [Passed(held.sample, held.received)]

    def tick(self, now: int) -> list[Stored]:
        """The held value passes when its interval has ended."""
        if self.held is None:
            return []
        interval = self.setting.interval
        due = now if self.held.received > now else min(self.due, self.held.received + interval)
        if due > now:
            return []
        self.due = 0 if self.setting.scan else max(due, now - interval) + interval
        self.due_time = 0 if self.setting.scan else self.due_time + interval
        held = self._release()
        return self._within_quota(held, [now], [held[0].sample.time])

    def repeat(self, now: int) -> list[Stored]:
        """The newest value is written again when none has been archived for `max_interval`."""
        if not self.setting.on or self.fresh or self.newest is None:
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


def _follow_clock(used_up_to: int, first: int, last: int, keep: int) -> int:
    if used_up_to > last + SECOND:  # the clock was set back
        used_up_to = last - keep
    return max(used_up_to, first - keep)


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
