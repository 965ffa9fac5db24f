"""A database that is known again: what was written there before, and whether it is still there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from contextlib import suppress

from archioc.core.config.store import InfluxStore
from archioc.core.config.store import Store as StoreSettings
from archioc.core.spool.encoding import destination_of
from archioc.core.spool.encoding.compression import compress
from archioc.core.spool.spool import SpoolFile
from archioc.db.archive_record import ArchiveRecord, KnownArchive
from archioc.db.influx.answers import understood
from archioc.db.influx.archive_sign import newest_sign, sign_line
from archioc.db.influx.connection import InfluxConnection
from archioc.db.influx.read_back import count, expected_of, lacking
from archioc.db.influx.reader import InfluxReader
from archioc.db.store import Lacking

_AGING_NS = 300 * 10**9
"""Samples that reach the end of the retention within this time are not missed."""


class KnownDatabase(InfluxReader):
    """A database with what its archiver's state directory knows of it (`record`; None: nothing)."""

    def __init__(self, settings: InfluxStore, archiver: str, record: ArchiveRecord | None) -> None:
        self._settings, self._archiver, self._record = settings, archiver, record
        database, _, policy = settings.bucket.partition("/")
        known = None
        with suppress(OSError):  # `prepare` will tell
            known = self.known
        super().__init__(InfluxConnection(settings), database, policy or (known.policy if known is not None else ""))

    @property
    def destination(self) -> str:
        """Which spool files this store takes."""
        return destination_of(StoreSettings(influxdb=self._settings))

    @property
    def known(self) -> KnownArchive | None:
        """What is known of this archive; None when we have never written there."""
        return None if self._record is None else self._record.find(self.destination)

    @property
    @abstractmethod
    def retention_ns(self) -> int | None:
        """How long the server keeps samples (ns); None: no limit is known."""

    @abstractmethod
    def _post(self, gzipped: bytes) -> None:
        """Write a body. Raises StoreUnavailable, StoreDenied, StoreRejected, StoreTooLarge."""

    @abstractmethod
    def _cut_ns(self) -> int | None:
        """Before this (ns since 1970) the server keeps nothing; None: no limit is known."""

    @property
    def connections(self) -> int:
        """How many connections to the server were opened so far."""
        return self._connection.opened

    def newest_sign(self) -> int | None:
        """The time (ns) of the newest sign of this state directory in the archive; None when there is none, or it has none.

        Raises StoreUnavailable, StoreDenied, QueryError.
        """
        with understood(f"{self._settings.url}: signs of {self._settings.bucket}"):
            return newest_sign(self._connection, self._scope, self._record.archive_id) if self._record is not None else None

    def sign(self, now_ns: int, since_ns: int) -> None:
        """Sign the archive (both ns), and remember that. Raises StoreUnavailable, StoreDenied, StoreRejected, OSError."""
        if self._record is not None:
            self._post(compress(sign_line(self._archiver, self._record.archive_id, since_ns, now_ns)))
            self._record.note(self.destination, KnownArchive(since_ns, now_ns, self.policy))

    def lacking(self, files: Iterable[SpoolFile]) -> Lacking:
        """What is not there of batches that were acknowledged. Raises StoreUnavailable, StoreDenied, QueryError."""
        cut_ns = self._cut_ns()
        expected = expected_of(files, 0 if cut_ns is None else cut_ns + _AGING_NS)
        with understood(f"{self._settings.url}: numbers of samples in {self._settings.bucket}"):
            return lacking(self._connection, self._scope, expected)

    def count(self, start_ns: int, end_ns: int) -> int:
        """How many numbers there are with start <= time <= end, of all channels. Raises StoreUnavailable, StoreDenied, QueryError."""
        with understood(f"{self._settings.url}: number of samples in {self._settings.bucket}"):
            return count(self._connection, self._scope, start_ns, end_ns)
