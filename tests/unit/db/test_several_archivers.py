"""What several archivers of a channel missed, against a model that asks of every second who collected."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.db.influx.events import HEALTH_NS, MAX_WINDOWS, SILENT_NS, absences_of, windows_of
from archioc.db.several_archivers import BETWEEN, FOREVER, NO_SIGN_OF_LIFE, Archiver, Missed, Span, common_events, missed_by_all
from archioc.retrieval.archive_access.markers import with_markers

SECOND = 1_000_000_000
LAST = 40
"""Seconds that the model looks at; what lasts longer lasts for ever."""

_GAP_REASONS = sorted(GAPS)


@st.composite
def spans(draw: st.DrawFn, most: int) -> list[Span]:
    """Disjoint spans of whole seconds, sorted, the last of which may have no end."""
    edges = sorted(draw(st.sets(st.integers(0, LAST - 1), max_size=2 * most)))
    ends: list[int | None] = [*edges] if len(edges) % 2 == 0 else [*edges, None]
    pairs = zip(ends[::2], ends[1::2], strict=True)
    return [Span((start or 0) * SECOND, FOREVER if end is None else end * SECOND) for start, end in pairs]


@st.composite
def histories(draw: st.DrawFn) -> Archiver:
    gaps = []
    for span in draw(spans(4)):
        reason = draw(st.sampled_from(_GAP_REASONS))
        gaps.append(Missed(span, reason, reason.word, draw(st.sampled_from(("", "why")))))
    return Archiver(draw(spans(2)), gaps, draw(spans(2)))


def _at(found: Sequence[Span], t_ns: int) -> bool:
    return any(span.start_ns <= t_ns < span.end_ns for span in found)


def _told_at(archivers: dict[str, Archiver], t_ns: int) -> tuple[set[Reason], str] | None:
    """The reasons that may be told of a moment, and the text; None where somebody collected, and where nobody had to."""
    held = {name: one for name, one in sorted(archivers.items()) if _at(one.tenures, t_ns)}
    if not held:
        tenures = [span for one in archivers.values() for span in one.tenures]
        inside = any(span.start_ns <= t_ns for span in tenures) and any(span.start_ns > t_ns for span in tenures)
        return ({Reason.DISABLED}, BETWEEN) if inside else None
    reasons, texts = set(), []
    for name, one in held.items():
        gap = next((gap for gap in one.gaps if _at([gap.span], t_ns)), None)
        if gap is not None:
            reasons.add(gap.reason)
            texts.append(f"{name}: {gap.word}" + (f" ({gap.text})" if gap.text else ""))
            if len(held) == 1:
                return {gap.reason}, gap.text
        elif len(held) > 1 and _at(one.absences, t_ns):
            reasons.add(Reason.ENGINE_RESTART)
            texts.append(f"{name}: {NO_SIGN_OF_LIFE}")
        else:
            return None
    return reasons, "; ".join(texts)


@given(st.dictionaries(st.sampled_from(["main", "spare", "third"]), histories(), min_size=1))
def test_a_gap_is_what_all_missed(archivers: dict[str, Archiver]) -> None:
    """At every moment a gap is told if and only if each archiver that had the channel missed it, with the reason of each."""
    gaps = list(missed_by_all("A", archivers))
    ends = [FOREVER if gap.end_ns is None else gap.end_ns for gap in gaps]
    assert all(gap.time_ns < end for gap, end in zip(gaps, ends, strict=True))
    assert all(end <= after.time_ns for end, (_, after) in zip(ends, pairwise(gaps), strict=False))
    for second in range(LAST + 2):
        t_ns = second * SECOND + SECOND // 2
        told = [gap for gap, end in zip(gaps, ends, strict=True) if gap.time_ns <= t_ns < end]
        wanted = _told_at(archivers, t_ns)
        if wanted is None:
            assert not told, second
        else:
            (gap,) = told
            assert gap.reason in wanted[0], second
            assert gap.text == wanted[1], second


@given(histories())
def test_one_alone_is_told_as_it_is(one: Archiver) -> None:
    """With one archiver that never let go of the channel, its gaps are told, whatever its health."""
    one = Archiver([Span(0, FOREVER)], one.gaps, one.absences)
    told = [(gap.time_ns, gap.end_ns or FOREVER, gap.reason, gap.text) for gap in missed_by_all("A", {"main": one})]
    assert told == [(gap.span.start_ns, gap.span.end_ns, gap.reason, gap.text) for gap in one.gaps]


def _event(second: int, reason: Reason, end: int | None = None, text: str = "") -> ChannelEvent:
    return ChannelEvent("A", second * SECOND, reason, None if end is None else end * SECOND, text=text)


def test_a_channel_that_moves_from_one_shard_to_another() -> None:
    """Where the new owner collects before the old one lets go there is no gap; where it does not, the time between is one."""
    old = [_event(10, Reason.COLLECTING), _event(100, Reason.REMOVED)]
    handed_over = common_events({"three": old, "four": [_event(50, Reason.COLLECTING)]}, {})
    assert [(event.reason, event.archiver) for event in handed_over] == [(Reason.REMOVED, "three")]
    late = common_events({"three": old, "four": [_event(130, Reason.COLLECTING)]}, {})
    assert [(event.time_ns, event.end_ns, event.reason) for event in late if event.reason in GAPS] == [
        (100 * SECOND, 130 * SECOND, Reason.DISABLED)
    ]


def test_moments_are_told_with_the_archiver() -> None:
    """Losses of one archiver, and changes of its settings, have its name; that it collects is not told."""
    main = [_event(1, Reason.COLLECTING), _event(5, Reason.LOST_QUOTA), _event(9, Reason.DISCONNECTED, 20)]
    spare = [_event(1, Reason.COLLECTING), _event(5, Reason.SETTINGS_CHANGED, text="rate 0 -> 1")]
    told = common_events({"main": main, "spare": spare}, {})
    assert [(event.reason, event.archiver, event.text) for event in told] == [
        (Reason.SETTINGS_CHANGED, "spare", "rate 0 -> 1"),
        (Reason.LOST_QUOTA, "main", ""),
    ]


def test_a_loss_of_one_ends_no_trace() -> None:
    """Where a trace ends there is a marker; not where one of several archivers has lost samples, since another may have them."""
    told = common_events(
        {
            "main": [_event(1, Reason.COLLECTING), _event(5, Reason.LOST_OVERFLOW), _event(9, Reason.DISCONNECTED, 20)],
            "spare": [_event(1, Reason.COLLECTING), _event(9, Reason.DISCONNECTED, 20)],
        },
        {},
    )
    assert [len(markers) for markers in with_markers([], told)] == [1]
    alone = [_event(5, Reason.LOST_OVERFLOW), _event(9, Reason.DISCONNECTED, 20)]
    assert [len(markers) for markers in with_markers([], alone)] == [2]


def test_each_reason_is_told() -> None:
    """A gap of both names the reason of each, begins anew where one of them changes, and has the code of the last to cease."""
    main = [_event(1, Reason.COLLECTING), _event(10, Reason.DISCONNECTED, 30)]
    spare = [_event(1, Reason.COLLECTING), _event(20, Reason.ARCHIVER_STOP, 25), _event(25, Reason.DISCONNECTED, text="still")]
    told = common_events({"main": main, "spare": spare}, {})
    assert [(event.time_ns // SECOND, (event.end_ns or 0) // SECOND, event.reason, event.text) for event in told] == [
        (20, 25, Reason.ARCHIVER_STOP, "main: disconnected; spare: archiver_stop"),
        (25, 30, Reason.DISCONNECTED, "main: disconnected; spare: disconnected (still)"),
    ]


def test_an_archiver_that_died_for_good() -> None:
    """Nothing ends its trace but its health, so that the gaps of the other are gaps from then on."""
    main, spare = [_event(1, Reason.COLLECTING)], [_event(1, Reason.COLLECTING), _event(50, Reason.DISCONNECTED, 60)]
    assert common_events({"main": main, "spare": spare}, {"main": [], "spare": []}) == []
    (told,) = common_events({"main": main, "spare": spare}, {"main": [Span(30 * SECOND, FOREVER)]})
    assert (told.time_ns, told.end_ns, told.text) == (50 * SECOND, 60 * SECOND, f"main: {NO_SIGN_OF_LIFE}; spare: disconnected")


def test_a_gap_whose_end_was_lost() -> None:
    """A gap that stayed open is over when the archiver tells of the channel again; not at the moment at which it began."""
    stale = Archiver.of([_event(10, Reason.DISCONNECTED), _event(10, Reason.COLLECTING), _event(70, Reason.COLLECTING)])
    assert [gap.span for gap in stale.gaps] == [Span(10 * SECOND, 70 * SECOND)]
    assert stale.tenures == (Span(10 * SECOND, FOREVER),)


def test_news_of_old_samples_begin_no_tenure() -> None:
    """What the store refuses after a removal does not make the channel one of that archiver again."""
    events = [_event(1, Reason.COLLECTING), _event(5, Reason.REMOVED), _event(9, Reason.REJECTED), _event(9, Reason.LOST_SPOOL_FULL)]
    assert Archiver.of([*events, _event(12, Reason.LOST_QUOTA)]).tenures == (Span(SECOND, 5 * SECOND),)


@given(st.sets(st.integers(1, 3000)), st.integers(1, 2999), st.integers(0, 500), st.integers(0, 100))
def test_absences_lie_between_signs_of_life(signs: set[int], start: int, length: int, more: int) -> None:
    """Whatever the range, it is known within it when more than 30 s passed without a sign: from when the next one was due."""
    times = sorted(second * SECOND for second in signs)
    end, now = (start + length) * SECOND, max([*times, (start + length) * SECOND]) + more * SECOND
    marks = {
        "before": [one for one in times if one <= start * SECOND][-1:],
        "first": [one for one in times if one > start * SECOND][:1],
        "last": [one for one in times if one <= end][-1:],
        "after": [one for one in times if one > end][:1],
    }
    within = [one for one in times if start * SECOND <= one <= end]
    silences = [Span(one, other) for one, other in pairwise(within) if other - one > SILENT_NS]
    found = list(absences_of({name: one[0] for name, one in marks.items() if one}, silences, now))
    for second in range(start, start + length + 1):
        t_ns = second * SECOND + SECOND // 2
        before = max((one for one in times if one <= t_ns), default=None)
        after = min((one for one in times if one > t_ns), default=None)
        silent = (now if after is None else after) - (before or 0) > SILENT_NS
        absent = silent and (before is None or t_ns >= before + HEALTH_NS)
        assert _at(found, t_ns) == absent, second


@given(st.lists(spans(40), max_size=2), st.integers(0, LAST), st.integers(0, LAST))
def test_health_is_looked_at_around_all_gaps(gaps: list[list[Span]], start: int, length: int) -> None:
    """Every moment of a gap within the range lies in a window, as do both ends of the range; windows are few and do not overlap."""
    hour = 3600
    begin, end = start * hour * SECOND, (start + length) * hour * SECOND
    long = [Span(span.start_ns * hour, span.end_ns if span.end_ns == FOREVER else span.end_ns * hour) for its in gaps for span in its]
    first, *found, last = windows_of(long, begin, end)
    assert (first, last) == (Span(begin, begin), Span(end, end))
    assert len(found) <= MAX_WINDOWS
    assert all(one.end_ns < other.start_ns for one, other in pairwise(found))
    for gap in long:
        low, high = max(gap.start_ns, begin), min(gap.end_ns, end)
        assert low > high or any(one.start_ns <= low and high <= one.end_ns for one in found)
