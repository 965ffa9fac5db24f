"""Several archivers in one store: of their gaps only that is a gap which all of them missed.

An archiver counts from the first that it tells of a channel until it tells that the channel was removed there (its tenure). Decision:
`docs/decisions/0015-several-archivers.md`. Times are ns since 1970; ranges are half-open, an end of FOREVER stands for none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter

from archioc.core.events import GAPS, ChannelEvent, Reason

FOREVER = 2**63 - 1

BETWEEN = "those that collected it had let go of it, and no other had taken it up yet"
NO_SIGN_OF_LIFE = "no sign of life"

_TENURE_MARKS = GAPS | {Reason.COLLECTING, Reason.REMOVED}
_LATER_NEWS = frozenset({Reason.REJECTED, Reason.LOST_SPOOL_FULL})
"""Of samples collected earlier; they say nothing about whether the channel is still collected."""


@dataclass(frozen=True, slots=True)
class Span:
    """start <= t < end."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Missed:
    """A span in which one archiver collected nothing. word: its reason for people; text: what it told besides."""

    span: Span
    reason: Reason
    word: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Archiver:
    """What one archiver did with a channel. tenures and absences do not overlap among themselves; gaps hardly ever do.

    absences: nothing is known of the archiver then, not even that it was stopped.
    """

    tenures: Sequence[Span]
    gaps: Sequence[Missed]
    absences: Sequence[Span] = ()

    @classmethod
    def of(cls, events: Sequence[ChannelEvent], absences: Sequence[Span] = ()) -> Archiver:
        """From its events, in any order."""
        marks = sorted((event for event in events if event.reason not in _LATER_NEWS), key=attrgetter("time_ns", "reason"))
        return cls(tuple(_tenures(marks)), tuple(_gaps(marks)), tuple(absences))

    def collects_within(self, start_ns: int, end_ns: int) -> bool:
        """Whether the channel is its own at some time of start <= t <= end."""
        return any(span.start_ns <= end_ns and start_ns < span.end_ns for span in self.tenures)


def _tenures(marks: Sequence[ChannelEvent]) -> Iterator[Span]:
    begun: int | None = None
    left = False
    for event in marks:
        if event.reason is Reason.REMOVED:
            if begun is not None and begun < event.time_ns:
                yield Span(begun, event.time_ns)
            begun, left = None, True
        elif begun is None and (not left or event.reason in _TENURE_MARKS):
            begun = event.time_ns
    if begun is not None:
        yield Span(begun, FOREVER)


def _gaps(marks: Sequence[ChannelEvent]) -> Iterator[Missed]:
    """A gap whose end was never told is over when the archiver tells that it collects, or of another gap."""
    relevant = [event for event in marks if event.reason in _TENURE_MARKS]
    times = sorted({event.time_ns for event in relevant})
    later = dict(pairwise(times))
    for event in relevant:
        if event.reason in GAPS:
            end = later.get(event.time_ns, FOREVER) if event.end_ns is None else event.end_ns
            if event.time_ns < end:
                yield Missed(Span(event.time_ns, end), event.reason, event.reason.word, event.text)


def common_events(events: Mapping[str, Sequence[ChannelEvent]], absences: Mapping[str, Sequence[Span]]) -> list[ChannelEvent]:
    """What is told of a channel of several archivers: the gaps that they all missed, and the moments of each with its name.

    events, absences: by archiver; at least one event. Sorted by time.
    """
    archivers = {name: Archiver.of(its, absences.get(name, ())) for name, its in events.items()}
    channel = next(event.channel for its in events.values() for event in its)
    moments = [
        dataclasses.replace(event, archiver=name)
        for name, its in events.items()
        for event in its
        if event.reason not in GAPS and event.reason is not Reason.COLLECTING
    ]
    return sorted([*moments, *missed_by_all(channel, archivers)], key=attrgetter("time_ns", "reason", "archiver"))


def missed_by_all(channel: str, archivers: Mapping[str, Archiver]) -> Iterator[ChannelEvent]:
    """The gaps of a channel, sorted by time; a new one begins where the reason of one of the archivers changes."""
    since, verdict = 0, _COLLECTED
    for at, following in _verdicts(archivers):
        if following == verdict:
            continue
        if verdict != _COLLECTED:
            yield verdict.event(channel, Span(since, at))
        since, verdict = at, following
    if verdict != _COLLECTED:
        yield verdict.event(channel, Span(since, FOREVER))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Who missed a moment, by name: of each the reason. missed is empty where somebody collected, and where nobody had to."""

    missed: tuple[tuple[str, Missed], ...] = ()
    between: bool = False

    def event(self, channel: str, span: Span) -> ChannelEvent:
        """The gap. Its reason is that of the archiver that was the last to cease."""
        end = None if span.end_ns == FOREVER else span.end_ns
        if self.between:
            return ChannelEvent(channel, span.start_ns, Reason.DISABLED, end, text=BETWEEN)
        _, decisive = max(self.missed, key=lambda one: one[1].span.start_ns)
        if len(self.missed) == 1:
            return ChannelEvent(channel, span.start_ns, decisive.reason, end, text=decisive.text)
        parts = (f"{name}: {one.word}" + (f" ({one.text})" if one.text else "") for name, one in self.missed)
        return ChannelEvent(channel, span.start_ns, decisive.reason, end, text="; ".join(parts))


_COLLECTED = _Verdict()


@dataclass(slots=True)
class _State:
    """One archiver at a moment of the sweep."""

    in_tenure: bool = False
    gaps: list[Missed] = field(default_factory=list)
    absence: Missed | None = None

    @property
    def gap(self) -> Missed | None:
        return max(self.gaps, key=lambda one: one.span.start_ns, default=None)


def _verdicts(archivers: Mapping[str, Archiver]) -> Iterator[tuple[int, _Verdict]]:
    """The verdict from each moment on at which anything changes."""
    states = {name: _State() for name in sorted(archivers)}
    to_come = sum(len(archiver.tenures) for archiver in archivers.values())
    begun = False
    changes = [change for name, archiver in archivers.items() for change in _changes(name, archiver)]
    changes.sort(key=attrgetter("time_ns", "begins"))
    for number, change in enumerate(changes):
        state = states[change.archiver]
        if isinstance(change.what, Span):
            state.in_tenure = change.begins
            to_come -= change.begins
            begun = True
        elif change.what.word == NO_SIGN_OF_LIFE:
            state.absence = change.what if change.begins else None
        elif change.begins:
            state.gaps.append(change.what)
        else:
            state.gaps.remove(change.what)
        if number + 1 == len(changes) or changes[number + 1].time_ns > change.time_ns:
            yield change.time_ns, _judge(states, between=begun and to_come > 0)


@dataclass(frozen=True, slots=True)
class _Change:
    """Something begins or ends. Of one moment ends come first, since one interval may follow upon another."""

    time_ns: int
    archiver: str
    begins: bool
    what: Span | Missed


def _changes(name: str, archiver: Archiver) -> Iterator[_Change]:
    absent = (Missed(span, Reason.ENGINE_RESTART, NO_SIGN_OF_LIFE) for span in archiver.absences)
    spans: list[tuple[Span, Span | Missed]] = [(span, span) for span in archiver.tenures]
    spans += [(missed.span, missed) for missed in (*archiver.gaps, *absent)]
    for span, what in spans:
        yield _Change(span.start_ns, name, True, what)
        if span.end_ns != FOREVER:
            yield _Change(span.end_ns, name, False, what)


def _judge(states: Mapping[str, _State], *, between: bool) -> _Verdict:
    """between: some tenure is over, and another will come."""
    held = {name: state for name, state in states.items() if state.in_tenure}
    if not held:
        return _Verdict(between=True) if between else _COLLECTED
    missed: list[tuple[str, Missed]] = []
    for name, state in held.items():
        # Of one alone only its own words count: an archiver whose health is late still collects.
        reason = state.gap or (state.absence if len(held) > 1 else None)
        if reason is None:
            return _COLLECTED
        missed.append((name, reason))
    return _Verdict(tuple(missed))
