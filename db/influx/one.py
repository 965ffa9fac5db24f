"""InfluxDB 1.x: making the database, its retention policies and limits."""

from __future__ import annotations

from typing import Any

import structlog

from archioc.core.config.store import InfluxStore
from archioc.core.errors import QueryError, StoreDenied
from archioc.db.erasure import Erasure
from archioc.db.influx.answers import NotInfluxDB, understood
from archioc.db.influx.connection import InfluxConnection
from archioc.db.influx.erasing import erase_in_one
from archioc.db.influx.go_duration import go_duration
from archioc.db.influx.influxql import quote_name
from archioc.db.influx.server import ArchiveGone, TimeLimits, credible, gone

_log = structlog.get_logger()

WARN_AT = 0.8
"""Share of a limit of the server from which on it is told."""


class InfluxOne:
    """1.x: a database with retention policies; everything is InfluxQL."""

    def __init__(self, connection: InfluxConnection, settings: InfluxStore) -> None:
        self._connection, self._settings = connection, settings
        self._database, _, self._policy = settings.bucket.partition("/")
        self._used = self._policy
        self._changed = self.refused = ""

    def make(self, *, may_create: bool) -> None:
        """A user who may write need not be one who may create: then the first write will tell."""
        self.refused = ""
        try:
            missing = self._database not in [row["name"] for row in self._rows("SHOW DATABASES")]
            self._make(missing=missing, may_create=may_create)
        except (NotInfluxDB, ArchiveGone):
            raise
        except (QueryError, StoreDenied) as error:
            self.refused = str(error)
            _log.warning("store_database_not_checked", database=self._database, error=self.refused)

    def _make(self, *, missing: bool, may_create: bool) -> None:
        copies = self._settings.replication
        if missing and not may_create:
            raise ArchiveGone(gone(self._settings, f"database {self._database}"))
        duration = f"{int(self._settings.retention)}s" if self._settings.retention else "INF"
        if missing:
            limits = [f"DURATION {duration}"] if self._settings.retention and not self._policy else []
            limits += [f"REPLICATION {copies}"] if copies and not self._policy else []
            self._create(f"CREATE DATABASE {quote_name(self._database)}{' WITH ' if limits else ''}{' '.join(limits)}")
        if self._policy and self._policy not in [row["name"] for row in self._policies()]:
            if not may_create:
                raise ArchiveGone(gone(self._settings, f"retention policy {self._policy} of database {self._database}"))
            place = f"{quote_name(self._policy)} ON {quote_name(self._database)}"
            self._create(f"CREATE RETENTION POLICY {place} DURATION {duration} REPLICATION {copies or 1}")

    def choose_policy(self, noted: str, *, may_change: bool) -> str:
        """The one that `bucket` names, else the one of before, else the default one of today. A change of the default is a warning."""
        self._changed = ""
        if self._policy:
            return self._policy
        try:
            policies = {str(row["name"]): bool(row["default"]) for row in self._policies()}
        except NotInfluxDB:
            raise
        except (QueryError, StoreDenied):
            self._used = noted
            return noted
        default = next((name for name, is_default in policies.items() if is_default), "")
        self._used = noted if noted in policies else default
        if noted and noted not in policies and not may_change:
            raise ArchiveGone(gone(self._settings, f"retention policy {noted} of database {self._database}"))
        if self._used != default:
            self._changed = (
                f"the default retention policy of {self._database} is now {default}; samples go on to {self._used} "
                f"(to change that: bucket: {self._database}/{default})"
            )
        return self._used

    def limits(self) -> TimeLimits:
        """Those of the policy that is written to."""
        try:
            policies = self._policies()
        except NotInfluxDB:
            raise
        except (QueryError, StoreDenied) as error:
            _log.info("store_retention_not_known", database=self._database, error=str(error))
            return TimeLimits()
        for row in policies:
            if row["name"] == self._used or (not self._used and row["default"]):
                past, future = (go_duration(str(row.get(name, ""))) or None for name in ("pastWriteLimit", "futureWriteLimit"))
                return TimeLimits(credible(go_duration(str(row["duration"]))), past, future, known=True)
        return TimeLimits()

    def erase(self, measurement: str, erasure: Erasure) -> None:
        """In all retention policies of the database: a DELETE cannot do less."""
        erase_in_one(self._connection, [("db", self._database)], measurement, erasure)

    def warning(self) -> str:
        """In the index `inmem`, the default of 1.x, a tag may have only so many values: as many channels.

        Servers before 1.7 do not tell which index they have; they are taken to have that one.
        """
        try:
            return "; ".join(filter(None, (self._changed, self._warning_of_limits())))
        except (QueryError, StoreDenied) as error:
            _log.info("store_limits_not_known", database=self._database, error=str(error))
            return self._changed

    def _warning_of_limits(self) -> str:
        with understood("SHOW STATS, SHOW DIAGNOSTICS"):
            shards = [tags for tags in self._connection.tags("SHOW STATS FOR 'shard'") if tags["database"] == self._database]
            if shards and all(tags.get("indexType") == "tsi1" for tags in shards):
                return ""
            limit = next(iter(self._rows("SHOW DIAGNOSTICS FOR 'config-data'")), {}).get("max-values-per-tag")
            if not isinstance(limit, int) or limit <= 0:
                return ""
            count = f'SHOW TAG VALUES EXACT CARDINALITY ON {quote_name(self._database)} FROM "sample" WITH KEY = "pv"'
            used = max((int(row["count"]) for row in self._rows(count)), default=0)
        if used < WARN_AT * limit:
            return ""
        return f"{used} channels of at most {limit} in {self._database}: raise max-values-per-tag of InfluxDB, or use index-version tsi1"

    def _policies(self) -> list[dict[str, Any]]:
        return self._rows(f"SHOW RETENTION POLICIES ON {quote_name(self._database)}")

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        return self._connection.rows(statement)

    def _create(self, statement: str) -> None:
        self._connection.execute(statement)
        _log.info("store_database_made", statement=statement)
