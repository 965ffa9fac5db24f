"""InfluxDB as a store: writing spool files and what is to be known for it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import structlog

from archioc.core.audit import AuditRecord
from archioc.core.config.store import Create, InfluxStore, InfluxVersion
from archioc.core.errors import QueryError, StoreDenied, StoreRejected, StoreTooLarge
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import COUNTS, SAMPLE, Batch
from archioc.core.spool.encoding.compression import compress, content_size, decompress
from archioc.core.spool.encoding.escaping import split_lines
from archioc.core.spool.encoding.line_protocol import DEFAULT_ARCHIVER, LineEncoder
from archioc.core.spool.spool import SpoolFile
from archioc.core.timestamp import format_utc
from archioc.db.archive_record import ArchiveRecord
from archioc.db.erasure import Erasure
from archioc.db.influx.answers import NotFound, understood
from archioc.db.influx.archive_sign import newest_sign, sign_line
from archioc.db.influx.bisection import MAX_BODY, Lines, Verdict, send_lines
from archioc.db.influx.connection import Parameters
from archioc.db.influx.erasing import erase
from archioc.db.influx.generations import server_of
from archioc.db.influx.known import KnownDatabase
from archioc.db.influx.one import InfluxOne
from archioc.db.influx.outcomes import outcome_of
from archioc.db.influx.server import ArchiveGone, InfluxServer, TimeLimits, gone
from archioc.db.rejections import BEYOND
from archioc.db.store import WriteOutcome

_log = structlog.get_logger()

LOOK_AHEAD_NS = 7 * 86_400 * 10**9
"""A file that was committed less than this before the end of the retention is looked through before
it is posted. Older samples of a younger file are rare; the server's answer tells of them."""

RETENTION_HOLDS_S = 60.0
"""No sample is given up for a retention that was asked for longer ago."""

_CHECK = "check"
"""The id of the sign that `archioc check` makes."""

_MISSING = re.compile(r"(?:database|bucket)[^;]* not found|database not found")
"""What servers say of a database or bucket that is not there."""

_SAFE_SHARE = 0.8
"""An event whose time has this part of the server's limit behind it is written with the time of now: it might be refused."""

LANES = 2
"""Bodies on their way at once: the server reads one while the other waits for its disk. More gain nothing (on two cores)."""

LANES_OF_3 = 8
"""3.x answers only when it next writes its log, by default once a second, whatever the size of the body."""

WARN_EVERY_S = 600.0
"""How often the limits of the server are looked at."""

MENDED_S = 30.0
"""The same while there is a warning: somebody may have seen to it."""


class InfluxDatabase(KnownDatabase):
    """A database (1.x) or bucket (2.x, 3.x) on an InfluxDB server.

    archiver: name of the one that writes. record: what its state directory knows of the archives that it has written to.
    """

    def __init__(self, settings: InfluxStore, archiver: str = DEFAULT_ARCHIVER, record: ArchiveRecord | None = None) -> None:
        super().__init__(settings, archiver, record)
        self._path = "/write"
        self._lanes = LANES
        self._asking = threading.Lock()
        self._server: InfluxServer = InfluxOne(self._connection, settings)
        self._ahead_ns = 0
        self._limits = TimeLimits()
        self._retention_asked = self._warning_asked = -np.inf
        self._warning = ""

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
        return "; ".join(filter(None, (self._warning, self._limits.warning, self._limits.disagreement(self._settings))))

    def prepare(self) -> None:
        """Find the server's version; make the database or bucket where it is missing and we may."""
        with _no_refusal_of_samples():
            known = self.known
            self._get_ready(may_create=known is None or self._settings.create is Create.ALWAYS)

    def try_out(self) -> str:
        """What a first start would find, for people: a point is written and read, nothing is made. Raises StoreUnavailable, StoreDenied."""
        with _no_refusal_of_samples():
            try:
                self._get_ready(may_create=False)
                now = time.time_ns()
                self._post(compress(sign_line(self._archiver, _CHECK, now, now)))
            except (ArchiveGone, NotFound) as error:
                if self.known is not None or not (isinstance(error, ArchiveGone) or _MISSING.search(str(error))):
                    raise
                return f"{self._settings.url}: {self._settings.bucket} is not there yet: the first start makes it"
            found = newest_sign(self._connection, self._scope, _CHECK)
        if found is None or found < now:
            raise StoreDenied(f"{self._settings.url}: a point written to {self._settings.bucket} cannot be read back")
        told = f"; {self.warning}" if self.warning else ""
        return f"{self._settings.url}: {self._settings.bucket} can be written and read{told}"

    def _get_ready(self, *, may_create: bool) -> None:
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
            known = self.known
            self._server.make(may_create=may_create)
            self.use_policy(self._server.choose_policy(known.policy if known is not None else "", may_change=may_create))
        self._keep_up_to_date(0.0, 0.0)
        _log.info("store_ready", url=self._settings.url, bucket=self._settings.bucket, version=version, path=self._path)

    def write(self, file: SpoolFile) -> WriteOutcome:
        """Post a file; lines that the server refuses for good are found out and told."""
        self._keep_up_to_date(np.inf, MENDED_S if self._warning else WARN_EVERY_S)
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
        return outcome_of(file, lines, send_lines(lines, self._post, self._cut_ns(), answer), self._telling_ns(file))

    @property
    def retention_ns(self) -> int | None:
        """How long the server keeps samples (ns); None: no limit is known."""
        return None if self._limits.retention is None else int(self._limits.retention * 1e9)

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
            self._get_ready(may_create=False)
            send_lines(self._lines_of(erasure.events(order), (order,)), self._post)
        return erase(erasure, self._samples.fields_of_each_sample(), self._series, None if order is None else self._server.erase)

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
            parameters += [("bucket", self.place), ("org", self._settings.org)]
        body = gzipped if self._settings.gzip else decompress(gzipped)
        try:
            self._connection.write(self._path, parameters, body, gzipped=self._settings.gzip)
        except NotFound as error:
            raise NotFound("; ".join(filter(None, (str(error), self._why_missing())))) from None

    def _why_missing(self) -> str:
        """What more is known where the server says that the database or bucket is not there."""
        if self.known is not None and self._settings.create is not Create.ALWAYS:
            return gone(self._settings, self._settings.bucket)
        return f"it could not be made: {self._server.refused}" if self._server.refused else ""

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


def _lines(file: SpoolFile) -> Lines:
    return Lines.parse(split_lines(decompress(file.payload)))


@contextmanager
def _no_refusal_of_samples() -> Iterator[None]:
    """No refusal is about samples here: none has been sent yet."""
    try:
        yield
    except (StoreRejected, StoreTooLarge, QueryError) as error:
        raise StoreDenied(str(error)) from None


def _version(text: str) -> tuple[int, int] | None:
    """Major and minor number from `1.6.7~rc0`, `2.7.1`, `3.0.0-core`; None from anything else."""
    numbers = text.split(".")
    if len(numbers) < 2 or not (numbers[0].isdecimal() and numbers[1].isdecimal()):
        return None
    return int(numbers[0]), int(numbers[1])
