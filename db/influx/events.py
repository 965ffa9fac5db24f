"""Events of a channel out of an InfluxDB, told by one archiver or by several."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from operator import attrgetter

from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.encoding.plain_text import original
from archioc.core.table.archiver_health import HEALTH_EVERY_S
from archioc.db.influx.answers import Series, integer, text
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.influxql import of_channel, quote_text, select, time_of, within
from archioc.db.several_archivers import FOREVER, Archiver, Span, common_events
from archioc.db.store import MAX_EVENTS, bounded, concerns

_FIELDS = "reason, end_ns, count, text"

HEALTH_NS = int(HEALTH_EVERY_S * 1e9)
SILENT_NS = 3 * HEALTH_NS
"""An archiver that tells nothing of itself for longer is taken to be dead."""

MINUTE_NS = 60 * 10**9
MAX_WINDOWS = 20
"""Gaps around which health is looked at one by one; of more it is looked at from the first to the last."""

REMEMBERED_S = 5.0
"""How long it is remembered who was silent: reading many channels of one range asks once."""

EventsByArchiver = dict[str, list[ChannelEvent]]
Absences = dict[str, list[Span]]


class InfluxEvents:
    """Reads events from one database. Thread-safe. Methods raise QueryError, StoreUnavailable, StoreDenied."""

    def __init__(self, connection: InfluxConnection, scope: Parameters) -> None:
        self._connection, self._scope = connection, scope
        self._remembered: tuple[float, object, Absences] = (float("-inf"), None, {})

    def of(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments in the range and gaps that overlap with it, sorted by time.

        Where several archivers have told of the channel, only what they all missed is a gap. Raises QueryError for more than MAX_EVENTS.
        """
        found = self._told(channel, start_ns, end_ns)
        if len(found) < 2:
            told: Iterable[ChannelEvent] = (event for its in found.values() for event in its if event.reason is not Reason.COLLECTING)
        else:
            told = common_events(found, self._absences(found, start_ns, end_ns))
        return bounded(channel, (event for event in told if concerns(event, start_ns, end_ns)))

    def archivers(self, channel: str) -> list[str]:
        """The archivers that have told of a channel, sorted."""
        # Without a time 3.x looks at the last day only.
        statement = f'SHOW TAG VALUES FROM "event" WITH KEY = "archiver" WHERE {of_channel(channel)} AND time > 0'
        return sorted(text(value) for series in self._series(statement) for _, value in series["values"])

    def _told(self, channel: str, start_ns: int, end_ns: int) -> EventsByArchiver:
        """Sorted by time. Before the range: gaps that overlap with it, and the last event of each kind."""
        start = time_of(start_ns)
        conditions = (
            f"{within(start_ns, end_ns)} GROUP BY archiver, code LIMIT {MAX_EVENTS + 1}",
            f"time < {start} AND end_ns >= {start} GROUP BY archiver, code LIMIT {MAX_EVENTS + 1}",
            # A channel has one gap of a kind at a time, so one that is still open is the last of its kind.
            f"time < {start} GROUP BY archiver, code ORDER BY time DESC LIMIT 1",
        )
        found: dict[tuple[int, Reason, str], ChannelEvent] = {}
        for condition in conditions:
            for series in self._series(select(_FIELDS, "event", channel, condition)):
                reason, archiver = Reason(int(series["tags"]["code"])), series["tags"].get("archiver") or ""
                for time_ns, _, end_of_gap, count, words in series["values"]:
                    end = None if end_of_gap is None else integer(end_of_gap)
                    told = ChannelEvent(channel, integer(time_ns), reason, end, integer(count or 0), original(text(words or "")))
                    found[time_ns, reason, archiver] = told
        by_archiver: EventsByArchiver = {}
        for (_, _, archiver), event in sorted(found.items()):
            by_archiver.setdefault(archiver, []).append(event)
        return by_archiver

    def _absences(self, found: EventsByArchiver, start_ns: int, end_ns: int) -> Absences:
        """When nothing is known of each archiver; asked for only where two or more had the channel in the range."""
        archivers = {name: Archiver.of(its) for name, its in sorted(found.items())}
        concerned = [name for name, one in archivers.items() if one.collects_within(start_ns, end_ns)]
        if len(concerned) < 2:
            return {}
        now = time.time_ns()
        gaps = [missed.span for name in concerned for missed in archivers[name].gaps]
        windows = windows_of(gaps, time_of(start_ns), time_of(min(end_ns, now)))
        asked, remembered, absences = self._remembered
        if remembered != (concerned, windows) or time.monotonic() - asked > REMEMBERED_S:
            known: dict[str, set[Span]] = {name: set() for name in concerned}
            for window in windows:
                for name, spans in self._silences(concerned, window, now).items():
                    known[name].update(spans)
            absences = {name: sorted(spans, key=attrgetter("start_ns")) for name, spans in known.items()}
            self._remembered = (time.monotonic(), (concerned, windows), absences)
        return absences

    def _silences(self, names: list[str], window: Span, now: int) -> Absences:
        """The absences that overlap with a window, its end included, each as long as it was (now: ns)."""
        start, end = window.start_ns, window.end_ns
        who = "(" + " OR ".join(f'"archiver" = {quote_text(name)}' for name in names) + ")"
        signs: dict[str, dict[str, int]] = {name: {} for name in names}
        for what, condition in (
            ("before", f"time <= {start} GROUP BY archiver ORDER BY time DESC LIMIT 1"),
            ("first", f"time > {start} GROUP BY archiver ORDER BY time LIMIT 1"),
            ("last", f"time <= {end} GROUP BY archiver ORDER BY time DESC LIMIT 1"),
            ("after", f"time > {end} GROUP BY archiver ORDER BY time LIMIT 1"),
        ):
            for series in self._series(f'SELECT channels FROM "archiver" WHERE {who} AND {condition}'):  # noqa: S608 - names are quoted
                signs[series["tags"]["archiver"]][what] = integer(series["values"][0][0])
        between: Absences = {name: [] for name in names}
        if start < end:
            lasted = f'SELECT elapsed(channels, 1ns) AS silence FROM "archiver" WHERE {who} AND {within(start, end)} GROUP BY archiver'  # noqa: S608 - as above
            for series in self._series(f"SELECT silence FROM ({lasted}) WHERE silence > {SILENT_NS} GROUP BY archiver"):  # noqa: S608 - as above
                between[series["tags"]["archiver"]] += [Span(at - silence, integer(at)) for at, silence in series["values"]]
        return {name: list(absences_of(signs[name], between[name], now)) for name in names}

    def _series(self, statement: str) -> Iterator[Series]:
        return self._connection.query(statement, self._scope)


def windows_of(gaps: Iterable[Span], start_ns: int, end_ns: int) -> tuple[Span, ...]:
    """Where it matters within a range whether an archiver was there: around gaps of others, and at both ends; sorted.

    Health is a point every 10 s of each archiver, so it is not looked through as a whole. Windows begin and end with whole minutes,
    so that channels of an IOC that was away have the same.
    """
    found: list[Span] = []
    for gap in sorted(gaps, key=attrgetter("start_ns")):
        if gap.start_ns > end_ns or gap.end_ns < start_ns:
            continue
        window = Span(max(gap.start_ns, start_ns) // MINUTE_NS * MINUTE_NS, -(-min(gap.end_ns, end_ns) // MINUTE_NS) * MINUTE_NS)
        if found and window.start_ns <= found[-1].end_ns:
            window = Span(found[-1].start_ns, max(found.pop().end_ns, window.end_ns))
        found.append(window)
    if len(found) > MAX_WINDOWS:
        found = [Span(found[0].start_ns, found[-1].end_ns)]
    return (Span(start_ns, start_ns), *found, Span(end_ns, end_ns))


def absences_of(signs: dict[str, int], silences: list[Span], now_ns: int) -> Iterator[Span]:
    """When an archiver gave no sign of life, sorted.

    signs: times of its health: the last up to the start of a window (`before`), the first behind that (`first`), the last up to the
    end of the window (`last`) and the first behind that (`after`), where there are such. silences: between two signs in the window.
    It may have collected until the next sign was due.
    """
    before, first, last, after = (signs.get(name) for name in ("before", "first", "last", "after"))
    around = [(before, first), *((span.start_ns, span.end_ns) for span in silences), (last, after)]
    for begin, end in dict.fromkeys(around):
        silent_from = 0 if begin is None else begin
        silent_to = now_ns if end is None else end
        if silent_to - silent_from > SILENT_NS:
            yield Span(0 if begin is None else begin + HEALTH_NS, FOREVER if end is None else end)
