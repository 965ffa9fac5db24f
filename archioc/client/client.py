"""`archioc.Client`: the archive for programs of users."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from archioc.client.frames import alarms_frame, aligned_frame, bins_frame, events_frame, gaps_of, samples_frame, times_of
from archioc.client.metadata import Metadata
from archioc.client.server import Server
from archioc.client.times import Time, range_of, time_of
from archioc.core.errors import UsageError
from archioc.core.events import ChannelEvent
from archioc.core.timestamp import SECOND, format_utc
from archioc.db.query_socket import query_messages as wire
from archioc.db.sample_columns import SampleColumns, concatenate

DEFAULT_URL = "http://127.0.0.1:17668"

MAX_ROWS = 10_000_000
"""Rows of a frame with equal steps."""

_NONE = np.zeros(0, np.int64)
_NO_BYTE = np.zeros(0, np.uint8)
_NO_SAMPLE = SampleColumns(_NONE, np.zeros(0), _NO_BYTE, _NO_BYTE, _NO_BYTE, _NONE, [], [])


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is told of a channel, and the lines that follow."""

    metadata: Metadata
    events: list[ChannelEvent]
    lines: list[dict[str, Any]]


class Client:
    """The archive of one archiver, read over HTTP. Needs pandas: `pip install 'archioc[frame]'`.

    url: where its http process listens, with the path where a web server in front has given it one.
    timeout_s: longest wait for the next piece of an answer (s).

    Channels are named as in EPICS; a protocol before the name (`ca://`) and `.VAL` after it are left out, and a channel that was renamed
    answers to its earlier names. Times are `now`, `-1h` (so long ago), ISO 8601 such as `2026-01-31T12:00:00Z`, or a datetime,
    also that of pandas; without a zone they are local time. The index `time` of each frame is UTC, to the nanosecond.
    Frames of one channel have its metadata in `attrs`, by the names of `Metadata`.

    All methods raise ServerUnavailable (nothing answers at the address, or the answer broke off), StoreError (the archive's store
    cannot be read), UnknownChannel, TimeFormatError and UsageError (a value that cannot be); all of them are ArchiocError.
    A client may be used by several threads.
    """

    def __init__(self, url: str = DEFAULT_URL, timeout_s: float = 90.0) -> None:
        self._server = Server(url, timeout_s)

    def __repr__(self) -> str:
        return f"Client({self._server.url!r})"

    def find(self, pattern: str = "*") -> list[str]:
        """Names of all channels that are archived or have samples and match the glob (`*`, `?`, `[abc]`; case matters), sorted."""
        return self._server.names(pattern)

    def metadata(self, channel: str, at: Time = "now") -> Metadata:
        """What the IOC had told of a channel at a time."""
        at_ns = time_of(at, time.time_ns())
        return self._ask("/api/events", channel, at_ns, at_ns).metadata

    def samples(self, channel: str, start: Time = "-1h", end: Time = "now") -> pd.DataFrame:
        """Samples of a channel: the last one at or before `start`, then all up to and with `end`.

        value: float64, NaN and infinities as they are; of a channel with texts or arrays objects: str, numpy array, or a dict with
        `n`, `min`, `max`, `mean`, `std` of an array that was too large to keep. label: of the enum state, for enums only.
        severity: 0 none, 1 MINOR, 2 MAJOR, 3 INVALID (`Severity`). status: as `Status`. flags: `generated`, `restamped`, ...,
        as `archioc get` has them, usually empty.
        gap: empty; where a gap begins there is a row without a value, severity and status, which has here the reason why.
        """
        start_ns, end_ns = range_of(start, end)
        found = self._ask("/api/samples", channel, start_ns, end_ns)
        return samples_frame(_samples(found), found.events, found.metadata)

    def bins(self, channel: str, start: Time = "-1h", end: Time = "now", count: int = 1000) -> pd.DataFrame:
        """Statistics of the numbers with start <= time < end in bins of equal width, a row for each bin, by its begin.

        count: of bins, 1 to 100 000. The column `count` has how many finite numbers are in the bin; `min`, `max`, `mean`, `std`
        (of the population), `first`, `last` are theirs, NaN where there is none; `non_finite` how many others; `severity` the highest;
        `gap` the reason of the last gap that overlaps with the bin, else empty.
        """
        start_ns, end_ns = range_of(start, end)
        found = self._ask("/api/bins", channel, start_ns, end_ns, bins=str(count))
        bins = wire.unpack_bins(found.lines[0]["bins"])
        return bins_frame(bins, found.events, end_ns, found.metadata)

    def aligned(self, channels: Sequence[str], start: Time = "-1h", end: Time = "now", step_s: float | None = None) -> pd.DataFrame:
        """The values in force of several channels, a column for each, by the name that was asked for.

        A row for the start and for each time at which a value changes or a gap begins; step_s: for the start and every so many seconds (s)
        instead. A value holds until the next; before the first one, and in gaps, it is NaN.
        """
        start_ns, end_ns = range_of(start, end)
        if isinstance(channels, str) or not channels:
            raise UsageError(f"channels {channels!r}: a list of names")
        held = {}
        for channel in channels:
            found = self._ask("/api/samples", channel, start_ns, end_ns)
            held[channel] = samples_frame(_samples(found), found.events, found.metadata)["value"]
        if step_s is None:
            times = np.concatenate([[start_ns], *(times_of(values) for values in held.values())])
            return aligned_frame(held, np.unique(np.maximum(times, start_ns)).astype(np.int64))
        step_ns = round(step_s * SECOND) if 0 < step_s < 1e9 else 0
        if step_ns < 1 or (end_ns - start_ns) // step_ns >= MAX_ROWS:
            raise UsageError(f"step_s {step_s}: at least 1e-9, and so that there are at most {MAX_ROWS} rows")
        return aligned_frame(held, np.arange(start_ns, end_ns + 1, step_ns))

    def events(self, channel: str, start: Time = "-1h", end: Time = "now") -> pd.DataFrame:
        """Why samples are missing, and what else happened: moments in the range, and gaps that overlap with it.

        reason: a word of the contract (events.md). end: of a gap, NaT while it is open and for moments. count: of updates or
        samples that it concerns. text: for people.
        """
        found = self._ask("/api/events", channel, *range_of(start, end))
        return events_frame(found.events, found.metadata)

    def gaps(self, channel: str, start: Time = "-1h", end: Time = "now") -> pd.DataFrame:
        """Those of `events` that are gaps; while one is open, its end is NaT."""
        found = self._ask("/api/events", channel, *range_of(start, end))
        return events_frame(gaps_of(found.events), found.metadata)

    def alarms(self, channel: str, start: Time = "-1h", end: Time = "now") -> pd.DataFrame:
        """The alarm in force at `start`, then each that was written up to `end`: at changes, hourly, and after gaps.

        severity, status: as in `samples`; also of samples that a rate or dead band has left out.
        """
        found = self._ask("/api/alarms", channel, *range_of(start, end))
        return alarms_frame([wire.unpack_alarms(line["alarms"]) for line in found.lines], found.metadata)

    def _ask(self, path: str, channel: str, start_ns: int, end_ns: int, **more: str) -> _Answer:
        span = {"from": format_utc(start_ns), "to": format_utc(end_ns)}
        first, *lines = self._server.lines(path, channel, **span, **more)
        meta = None if first["meta"] is None else wire.unpack_meta(first["meta"])
        return _Answer(Metadata.of(first["channel"], meta), [wire.unpack_event(event) for event in first["events"]], lines)


def _samples(found: _Answer) -> SampleColumns:
    return concatenate([_NO_SAMPLE, *(wire.unpack_columns(line["samples"]) for line in found.lines)])
