"""InfluxDB as a store: writing spool files and what is to be known for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import structlog

from archioc.core.audit import AuditRecord
from archioc.core.config.store import InfluxStore, InfluxVersion
from archioc.core.config.store import Store as StoreSettings
from archioc.core.errors import QueryError, StoreDenied, StoreRejected, StoreTooLarge
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import COUNTS, SAMPLE, Batch
from archioc.core.spool.encoding import destination_of
from archioc.core.spool.encoding.compression import content_size, decompress
from archioc.core.spool.encoding.escaping import channel_of_line, split_lines
from archioc.core.spool.encoding.line_protocol import DEFAULT_ARCHIVER, LineEncoder
from archioc.core.spool.spool import SpoolFile
from archioc.core.timestamp import format_utc
from archioc.db.erasure import Erasure
from archioc.db.influx.answers import understood
from archioc.db.influx.bisection import MAX_BODY, Lines, Verdict, send_lines
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.erasing import MEASUREMENTS, condition_of
from archioc.db.influx.generations import InfluxOne, InfluxServer, TimeLimits, server_of
from archioc.db.influx.reader import InfluxReader
from archioc.db.rejections import ADVICE, BEYOND, OUTSIDE, rejection_events
from archioc.db.store import Refusal, WriteOutcome, rows_of_samples

_log = structlog.get_logger()

LOOK_AHEAD_NS = 7 * 86_400 * 10**9
"""A file that was committed less than this before the end of the retention is looked through before
it is posted. Older samples of a younger file are rare; the server's answer tells of them."""

RETENTION_HOLDS_S = 60.0
"""No sample is given up for a retention that was asked for longer ago."""

_SAFE_SHARE = 0.8
"""An event whose time has this part of the server's limit behind it is written with the time of now: it might be refused."""

LANES = 2
"""Bodies on their way at once: the server reads one while the other waits for its disk. More gain nothing (on two cores)."""

LANES_OF_3 = 8
"""3.x answers only when it next writes its log, by default once a second, whatever the size of the body."""

WARN_EVERY_S = 600.0
"""How often the limits of the server are looked at."""


class InfluxDatabase(InfluxReader):
    """A database (1.x) or bucket (2.x, 3.x) on an InfluxDB server. archiver: name of the one that writes."""

    def __init__(self, settings: InfluxStore, archiver: str = DEFAULT_ARCHIVER) -> None:
        self._settings, self._archiver = settings, archiver
        database, _, policy = settings.bucket.partition("/")
        super().__init__(InfluxConnection(settings), database, policy)
        self._path = "/write"
        self._lanes = LANES
        self._asking = threading.Lock()
        self._server: InfluxServer = InfluxOne(self._connection, settings)
        self._ahead_ns = 0
        self._limits = TimeLimits()
        self._retention_asked = self._warning_asked = -np.inf
        self._warning = ""

    @property
    def destination(self) -> str:
        """Which spool files this store takes."""
        return destination_of(StoreSettings(influxdb=self._settings))

    @property
    def lanes(self) -> int:
        """How many files the server is best given at once."""
        return self._lanes

    @property
    def damaged(self) -> int:
        """It has no files of ours."""
        return 0

    def interrupt(self) -> None:
        """Its queries have time limits of their own, and are cut off with their connections."""

    @property
    def warning(self) -> str:
        """What will go wrong soon on the server."""
        return "; ".join(filter(None, (self._warning, self._limits.warning)))

    def prepare(self) -> None:
        """Find the server's version; make the database or bucket where it is missing and we may."""
        try:
            self._get_ready()
        except (StoreRejected, StoreTooLarge, QueryError) as error:  # not about samples: none has been sent yet
            raise StoreDenied(str(error)) from None

    def _get_ready(self) -> None:
        ping = self._connection.ping()
        version = _version(ping.version)
        if self._settings.version is InfluxVersion.AUTO and version is None:
            raise StoreDenied(f"{self._settings.url}: answers /ping without telling a version: is this an InfluxDB? (else set `version`)")
        self._path = "/api/v2/write" if self._writes_native(version) else "/write"
        if version is not None and version[0] == 2 and self._path == "/api/v2/write" and not self._settings.org:
            # The server would say 400 to each write, which would look as if the samples were bad.
            raise StoreDenied(f"{self._settings.url}: InfluxDB {ping.version} needs an `org`")
        self._ahead_ns = int(ping.ahead * 1e9)
        major = version[0] if version else {InfluxVersion.V1: 1}.get(self._settings.version, 2)
        self._lanes = LANES_OF_3 if major >= 3 else LANES
        self._server = server_of(major, self._connection, self._settings)
        with understood(f"{self._settings.url}: {self._settings.bucket}"):
            self._server.make()
        self._keep_up_to_date(0.0, 0.0)
        _log.info("store_ready", url=self._settings.url, bucket=self._settings.bucket, version=version, path=self._path)

    def write(self, file: SpoolFile) -> WriteOutcome:
        """Post a file; lines that the server refuses for good are found out and told."""
        self._keep_up_to_date(np.inf, WARN_EVERY_S)
        answer: StoreRejected | StoreTooLarge | None = None
        if self._fits_as_it_is(file):
            try:
                self._post(file.payload)
            except (StoreRejected, StoreTooLarge) as said:
                answer = said
            else:
                return WriteOutcome.all_stored(file)
        self._keep_up_to_date(RETENTION_HOLDS_S, np.inf)
        lines = _lines(file)
        return self._outcome(file, lines, send_lines(lines, self._post, self._cut_ns(), answer))

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        """Store events of our own: those whose time the server does not take with the time of now, as an event must survive its cause.

        One that the server refuses all the same is told in the log: there is nothing to keep of it.
        """
        verdict = self._send_events(events)
        if late := [events[at] for at in (*verdict.too_old, *verdict.outside)]:
            now = time.time_ns()
            again = [replace(event, time_ns=now, text=f"{event.text} (batch of {format_utc(event.time_ns)})") for event in late]
            refused = {at: words for at, words in verdict.refused.items() if at not in verdict.outside}
            verdict = self._send_events(again)
            verdict.refused |= refused
        if verdict.refused or verdict.too_old:
            words = next(iter(verdict.refused.values()), BEYOND)
            _log.error("store_refused_events", events=len(verdict.refused) + len(verdict.too_old), first=words)

    def _send_events(self, events: Sequence[ChannelEvent]) -> Verdict:
        return send_lines(self._lines_of(events), self._post)

    def erase(self, erasure: Erasure, order: AuditRecord | None) -> Iterator[int]:
        """Delete what lies in a span, one measurement after the other; the number of samples in each. order: None: only count."""
        if order is not None:
            self._get_ready()
            send_lines(self._lines_of(erasure.events(order), (order,)), self._post)
        counted = self._samples.fields_of_each_sample()
        for measurement in MEASUREMENTS:
            with understood(f"deletion in {measurement}"):
                fields = ", ".join(f"count({field})" for field in counted.get(measurement, ()))
                statement = f'SELECT {fields} FROM "{measurement}" WHERE {condition_of(erasure)}'  # noqa: S608 - quoted
                count = sum(int(one or 0) for series in self._series(statement) for one in series["values"][0][1:]) if fields else 0
                if order is not None:
                    self._server.erase(measurement, erasure)
            yield count

    def _lines_of(self, events: Sequence[ChannelEvent], audit: tuple[AuditRecord, ...] = ()) -> Lines:
        batch = Batch(np.zeros(0, SAMPLE), (), {}, np.zeros(0, COUNTS), tuple(events), audit=audit)
        return Lines.parse(split_lines(LineEncoder(self.destination, self._archiver).lines(batch)))

    def _writes_native(self, version: tuple[int, int] | None) -> bool:
        if self._settings.version is not InfluxVersion.AUTO:
            return self._settings.version is InfluxVersion.V2
        # A user with a password is known to the 1.x paths of every version, to /api/v2 of none after 1.x.
        return version is not None and version >= (1, 8) and self._settings.username is None

    def _post(self, gzipped: bytes) -> None:
        parameters: Parameters = [("precision", "ns")]
        if self._path == "/write":
            parameters += self._scope
        else:
            parameters += [("bucket", self._settings.bucket), ("org", self._settings.org)]
        body = gzipped if self._settings.gzip else decompress(gzipped)
        self._connection.write(self._path, parameters, body, gzipped=self._settings.gzip)

    def _keep_up_to_date(self, retention_s: float, warning_s: float) -> None:
        """Ask for retention and limits where what is known of them is older than this; files are written by several threads."""
        with self._asking:
            if time.monotonic() - self._retention_asked > retention_s:
                with understood(f"{self._settings.url}: retention of {self._settings.bucket}"):
                    self._limits = self._server.limits()
                self._retention_asked = time.monotonic()
            if time.monotonic() - self._warning_asked > warning_s:
                self._look_for_warning()

    def _look_for_warning(self) -> None:
        before = self._warning
        with understood(f"{self._settings.url}: limits"):
            self._warning = self._server.warning()
        self._warning_asked = time.monotonic()
        if self._warning and self._warning != before:
            _log.warning("store_warning", text=self._warning)

    def _cut_ns(self) -> int | None:
        """Before this (ns since 1970) the server keeps nothing, by its own clock; None: no limit is known."""
        return None if self._limits.retention is None else time.time_ns() + self._ahead_ns - int(self._limits.retention * 1e9)

    def _telling_ns(self, file: SpoolFile) -> int:
        """The time of events about a file: that of its commit, so that a file that is sent again tells the same, or now where the server
        would not take that.
        """
        reach = min((limit for limit in (self._limits.retention, self._limits.past) if limit is not None), default=None)
        if reach is None or file.committed_ns > time.time_ns() + self._ahead_ns - int(reach * 1e9 * _SAFE_SHARE):
            return file.committed_ns
        return time.time_ns()

    def _fits_as_it_is(self, file: SpoolFile) -> bool:
        """Whether nothing is known that the server would not take of it."""
        if content_size(file.payload) > MAX_BODY:
            return False
        cut_ns = self._cut_ns()
        if cut_ns is None or file.committed_ns - LOOK_AHEAD_NS >= cut_ns:
            return True
        return not (_lines(file).times < cut_ns).any()

    def _outcome(self, file: SpoolFile, lines: Lines, verdict: Verdict) -> WriteOutcome:
        if not (verdict.too_old or verdict.refused):
            return WriteOutcome.all_stored(file)
        entries = rows_of_samples(file)
        beyond, kept = (_count(entries, which, len(file.counts)) for which in (verdict.too_old, verdict.refused))
        refusals = _refusals(lines.lines, verdict)
        words = refusals[0].message if refusals else ""
        present, first = np.unique(entries, return_index=True)
        channels = {entry: channel_of_line(lines.lines[at]) for entry, at in zip(present.tolist(), first.tolist(), strict=True)}
        outside = f"{len(verdict.outside)} lines are {OUTSIDE}: {ADVICE}" if verdict.outside else ""
        remark = "; ".join(filter(None, (outside or words, f"{beyond.sum()} samples are {BEYOND}" if beyond.any() else "")))
        why = OUTSIDE if verdict.outside and len(verdict.outside) == len(verdict.refused) else words
        events = tuple(rejection_events(channels, beyond + kept, beyond, self._telling_ns(file), why))
        return WriteOutcome(beyond + kept, kept, refusals, events, remark)


def _lines(file: SpoolFile) -> Lines:
    return Lines.parse(split_lines(decompress(file.payload)))


def _count(entries: npt.NDArray[np.intp], lines: Sequence[int] | dict[int, str], length: int) -> npt.NDArray[np.int64]:
    """How many of these lines are samples of each entry of the counts; metadata and events follow the samples."""
    which = np.fromiter(lines, np.intp, len(lines))
    return np.bincount(entries[which[which < len(entries)]], minlength=length).astype(np.int64)


def _refusals(lines: Sequence[bytes], verdict: Verdict) -> tuple[Refusal, ...]:
    """Refused lines in their order, those that stand together with the same words as one."""
    found: list[tuple[list[bytes], str]] = []
    last = -2
    for at, words in sorted(verdict.refused.items()):
        if not found or at != last + 1 or found[-1][1] != words:
            found.append(([], words))
        found[-1][0].append(lines[at])
        last = at
    return tuple(Refusal(b"\n".join(group), words) for group, words in found)


def _version(text: str) -> tuple[int, int] | None:
    """Major and minor number from `1.6.7~rc0`, `2.7.1`, `3.0.0-core`; None from anything else."""
    numbers = text.split(".")
    if len(numbers) < 2 or not (numbers[0].isdecimal() and numbers[1].isdecimal()):
        return None
    return int(numbers[0]), int(numbers[1])
