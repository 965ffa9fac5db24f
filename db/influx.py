"""InfluxDB as a store: finding out what the server is, making the database, writing."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from archioc.core.config_store import InfluxStore, InfluxVersion
from archioc.core.config_store import Store as StoreSettings
from archioc.core.encoding import destination_of
from archioc.core.encoding.compression import decompress
from archioc.core.errors import QueryError, StoreDenied, StoreRejected
from archioc.core.spool import SpoolFile
from db.influx_bisection import write_lines
from db.influx_connection import InfluxConnection, Parameters
from db.influx_language import quote_name
from db.influx_queries import InfluxReader
from db.store import WriteOutcome

_log = structlog.get_logger()


class InfluxDatabase(InfluxReader):
    """A database (1.x) or bucket (2.x, 3.x) on an InfluxDB server."""

    def __init__(self, settings: InfluxStore) -> None:
        self._settings = settings
        self._database, _, self._policy = settings.bucket.partition("/")
        super().__init__(InfluxConnection(settings), self._database, self._policy)
        self._path = "/write"

    @property
    def destination(self) -> str:
        """Which spool files this store takes."""
        return destination_of(StoreSettings(influxdb=self._settings))

    def prepare(self) -> None:
        """Find the server's version; make the database or bucket where it is missing and we may."""
        version = _version(self._connection.ping())
        if self._settings.version is InfluxVersion.AUTO and version is None:
            raise StoreDenied(f"{self._settings.url}: answers /ping without telling a version: is this an InfluxDB? (else set `version`)")
        self._path = "/api/v2/write" if self._writes_native(version) else "/write"
        major = version[0] if version else {InfluxVersion.V1: 1}.get(self._settings.version, 2)
        make: dict[int, Callable[[], None]] = {1: self._make_database, 2: self._make_bucket}
        if major in make:  # 3.x makes a database when it is first written to
            make[major]()
        _log.info("store_ready", url=self._settings.url, bucket=self._settings.bucket, version=version, path=self._path)

    def write(self, file: SpoolFile) -> WriteOutcome:
        """Post a file; lines that the server refuses for good are found out and told."""
        return write_lines(file, self._post)

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

    def _make_database(self) -> None:
        """1.x: an existing database is left as it is, its retention too."""
        duration = f"{int(self._settings.retention)}s" if self._settings.retention else "INF"
        databases = self._first_column("SHOW DATABASES")
        try:
            if self._database not in databases:
                limit = f" WITH DURATION {duration}" if self._settings.retention and not self._policy else ""
                self._create(f"CREATE DATABASE {quote_name(self._database)}{limit}")
            policies = f"SHOW RETENTION POLICIES ON {quote_name(self._database)}"
            if self._policy and self._policy not in self._first_column(policies):
                place = f"{quote_name(self._policy)} ON {quote_name(self._database)}"
                self._create(f"CREATE RETENTION POLICY {place} DURATION {duration} REPLICATION 1")
        except (QueryError, StoreDenied) as error:
            # A user who may write need not be one who may create: the first write will tell.
            _log.warning("store_database_not_checked", database=self._database, error=str(error))

    def _make_bucket(self) -> None:
        """2.x: an existing bucket is left as it is."""
        try:
            parameters: Parameters = [("name", self._settings.bucket), ("org", self._settings.org)]
            if self._connection.json("/api/v2/buckets", "GET", parameters)["buckets"]:
                return
            rules = [{"type": "expire", "everySeconds": int(self._settings.retention)}] if self._settings.retention else []
            bucket = {"name": self._settings.bucket, "orgID": self._org_id(), "retentionRules": rules}
            self._connection.json("/api/v2/buckets", "POST", [], bucket)
            _log.info("store_bucket_made", bucket=self._settings.bucket)
        except (StoreDenied, StoreRejected) as error:
            _log.warning("store_bucket_not_checked", bucket=self._settings.bucket, error=str(error))

    def _org_id(self) -> str:
        orgs = self._connection.json("/api/v2/orgs", "GET", [("org", self._settings.org)])["orgs"]
        if not orgs:
            raise StoreDenied(f"{self._settings.url}: has no organisation {self._settings.org!r}")
        return str(orgs[0]["id"])

    def _create(self, statement: str) -> None:
        for _ in self._connection.query(statement, [], method="POST"):
            pass
        _log.info("store_database_made", statement=statement)

    def _first_column(self, statement: str) -> list[str]:
        try:
            return [values[0] for series in self._connection.query(statement, []) for values in series.get("values", ())]
        except QueryError as error:
            raise StoreDenied(f"{self._settings.url}: {statement}: {error}") from None


def _version(text: str) -> tuple[int, int] | None:
    """Major and minor number from `1.6.7~rc0`, `2.7.1`, `3.0.0-core`; None from anything else."""
    numbers = text.split(".")
    if len(numbers) < 2 or not (numbers[0].isdecimal() and numbers[1].isdecimal()):
        return None
    return int(numbers[0]), int(numbers[1])
