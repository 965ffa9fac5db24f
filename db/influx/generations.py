"""What the generations of InfluxDB differ in: finding or making the database, its retention, its limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from archioc.core.config.store import MIN_RETENTION_S, InfluxStore
from archioc.core.errors import QueryError, StoreDenied, StoreRejected
from archioc.db.erasure import Erasure
from archioc.db.influx.answers import NotFound, NotInfluxDB, understood
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.erasing import erase_in_one, erase_in_two, refuse_in_three
from archioc.db.influx.go_duration import go_duration
from archioc.db.influx.influxql import quote_name

_log = structlog.get_logger()

WARN_AT = 0.8
"""Share of a limit of the server from which on it is told."""

_LONGEST_RETENTION_S = 1e10
"""Longer than all times that InfluxDB knows."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Which times of samples a server takes, before and after its own clock (s); None: no limit, or it cannot be found out.

    retention: older ones are gone for good. past, future: the write window of 1.13 and later, which a person can widen.
    """

    retention: float | None = None
    past: float | None = None
    future: float | None = None

    @property
    def warning(self) -> str:
        """What a person should know of the write window; empty where there is none."""
        past = f"older than {self.past:g} s" if self.past else ""
        future = f"more than {self.future:g} s ahead" if self.future else ""
        if not (past or future):
            return ""
        return (
            f"the server refuses samples {' and '.join(filter(None, (past, future)))} (PAST LIMIT, FUTURE LIMIT of its retention policy): "
            "after an outage what has waited longer goes to the quarantine"
        )


class InfluxServer(Protocol):
    """One server with its database or bucket.

    Methods raise StoreUnavailable, and StoreDenied where it cannot go on without what was refused, or where an answer to `make` or
    `limits` is not that of an InfluxDB.
    """

    def make(self) -> None:
        """Make the database or bucket where it is missing and we may; what is there stays as it is."""
        ...

    def limits(self) -> TimeLimits:
        """Samples of which times it takes."""
        ...

    def erase(self, measurement: str, erasure: Erasure) -> None:
        """Delete what a measurement has of it. Raises QueryError too, and StoreDenied where the server cannot delete."""
        ...

    def warning(self) -> str:
        """What will go wrong soon, for people; empty when nothing is known of."""
        ...


def server_of(major: int, connection: InfluxConnection, settings: InfluxStore) -> InfluxServer:
    """The server by the first number of its version."""
    if major == 1:
        return InfluxOne(connection, settings)
    return InfluxTwo(connection, settings) if major == 2 else InfluxThree(connection, settings)


class InfluxOne:
    """1.x: a database with retention policies; everything is InfluxQL."""

    def __init__(self, connection: InfluxConnection, settings: InfluxStore) -> None:
        self._connection, self._settings = connection, settings
        self._database, _, self._policy = settings.bucket.partition("/")

    def make(self) -> None:
        """A user who may write need not be one who may create: then the first write will tell."""
        duration = f"{int(self._settings.retention)}s" if self._settings.retention else "INF"
        try:
            if self._database not in [row["name"] for row in self._rows("SHOW DATABASES")]:
                limit = f" WITH DURATION {duration}" if self._settings.retention and not self._policy else ""
                self._create(f"CREATE DATABASE {quote_name(self._database)}{limit}")
            if self._policy and self._policy not in [row["name"] for row in self._policies()]:
                place = f"{quote_name(self._policy)} ON {quote_name(self._database)}"
                self._create(f"CREATE RETENTION POLICY {place} DURATION {duration} REPLICATION 1")
        except NotInfluxDB:
            raise
        except (QueryError, StoreDenied) as error:
            _log.warning("store_database_not_checked", database=self._database, error=str(error))

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
            if row["name"] == self._policy or (not self._policy and row["default"]):
                past, future = (go_duration(str(row.get(name, ""))) or None for name in ("pastWriteLimit", "futureWriteLimit"))
                return TimeLimits(_credible(go_duration(str(row["duration"]))), past, future)
        return TimeLimits()

    def erase(self, measurement: str, erasure: Erasure) -> None:
        """In all retention policies of the database: a DELETE cannot do less."""
        erase_in_one(self._connection, [("db", self._database)], measurement, erasure)

    def warning(self) -> str:
        """In the index `inmem`, the default of 1.x, a tag may have only so many values: as many channels.

        Servers before 1.7 do not tell which index they have; they are taken to have that one.
        """
        try:
            return self._warning_of_limits()
        except (QueryError, StoreDenied) as error:
            _log.info("store_limits_not_known", database=self._database, error=str(error))
            return ""

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


class InfluxTwo:
    """2.x: a bucket of an organisation, and a mapping (DBRP) through which InfluxQL reaches it."""

    def __init__(self, connection: InfluxConnection, settings: InfluxStore) -> None:
        self._connection, self._settings = connection, settings
        self._database, _, self._policy = settings.bucket.partition("/")
        self._org: Parameters = [("org", settings.org)]
        self._problem = self._mismatch = ""

    def make(self) -> None:
        """The bucket, and its mapping; a token that may only write goes on without."""
        self._problem = self._mismatch = ""
        try:
            self._mismatch = self._map(self._bucket() or self._make_bucket())
        except NotInfluxDB:
            raise
        except (StoreDenied, StoreRejected) as error:
            self._problem = str(error)
            _log.warning("store_bucket_not_checked", bucket=self._settings.bucket, error=self._problem)

    def limits(self) -> TimeLimits:
        """The rule `expire` of the bucket."""
        try:
            bucket = self._bucket()
        except NotInfluxDB:
            raise
        except (StoreDenied, StoreRejected) as error:
            _log.info("store_retention_not_known", bucket=self._settings.bucket, error=str(error))
            return TimeLimits()
        rules = bucket.get("retentionRules") if bucket else None
        if not isinstance(rules, list):
            return TimeLimits()
        return TimeLimits(next((_credible(float(rule["everySeconds"])) for rule in rules if rule.get("everySeconds")), None))

    def erase(self, measurement: str, erasure: Erasure) -> None:
        """In the bucket."""
        erase_in_two(self._connection, [*self._org, ("bucket", self._settings.bucket)], measurement, erasure)

    def warning(self) -> str:
        """Samples may be written that cannot be read; a token may also read without seeing how its bucket is mapped."""
        if self._mismatch:
            return self._mismatch
        scope: Parameters = [("db", self._database)] + ([("rp", self._policy)] if self._policy else [])
        try:
            for _ in self._connection.query("SELECT value FROM sample WHERE time > now() LIMIT 1", scope):
                pass
        except (QueryError, StoreDenied) as error:
            return f"reading bucket {self._settings.bucket} will fail: " + "; ".join(filter(None, (str(error), self._problem)))
        return ""

    def _bucket(self) -> dict[str, Any] | None:
        """None where there is none, and where the token may not see it."""
        try:
            found = self._connection.json("/api/v2/buckets", "GET", [("name", self._settings.bucket), *self._org])["buckets"]
        except NotFound:
            return None
        return found[0] if found else None

    def _make_bucket(self) -> dict[str, Any]:
        orgs = self._connection.json("/api/v2/orgs", "GET", self._org)["orgs"]
        if not orgs:
            missing = f"neither bucket {self._settings.bucket} nor org {self._settings.org}"
            raise StoreDenied(f"{self._settings.url}: the token may see {missing}")
        rules = [{"type": "expire", "everySeconds": int(self._settings.retention)}] if self._settings.retention else []
        bucket = {"name": self._settings.bucket, "orgID": orgs[0]["id"], "retentionRules": rules}
        made: dict[str, Any] = self._connection.json("/api/v2/buckets", "POST", [], bucket)
        _log.info("store_bucket_made", bucket=self._settings.bucket)
        return made

    def _map(self, bucket: dict[str, Any]) -> str:
        """Make the mapping where there is none; what is wrong with the one that is there."""
        policy = self._policy or "autogen"
        listed = self._connection.json("/api/v2/dbrps", "GET", [("db", self._database), *self._org]).get("content") or []
        mapped = [one for one in listed if one["database"] == self._database and one["retention_policy"] == policy]
        if any(one["bucketID"] == bucket["id"] for one in mapped):
            return ""
        if any(not one.get("virtual") for one in mapped):
            return f"database {self._database}, policy {policy} is mapped (DBRP) to another bucket than {self._settings.bucket}"
        mapping = {"bucketID": bucket["id"], "orgID": bucket["orgID"], "database": self._database, "retention_policy": policy}
        self._connection.json("/api/v2/dbrps", "POST", [], mapping | {"default": True})
        _log.info("store_mapping_made", database=self._database, policy=policy)
        return ""


class InfluxThree:
    """3.x: a database that the first write makes; only one that is made beforehand can have a retention."""

    def __init__(self, connection: InfluxConnection, settings: InfluxStore) -> None:
        self._connection, self._settings = connection, settings

    def make(self) -> None:
        """With a retention the database is made; one that is there stays as it is."""
        if not self._settings.retention:
            return
        # Units below an hour are not known there.
        wanted = {"db": self._settings.bucket, "retention_period": f"{math.ceil(self._settings.retention / 3600)}h"}
        try:
            self._connection.json("/api/v3/configure/database", "POST", [], wanted)
            _log.info("store_database_made", database=self._settings.bucket)
        except NotInfluxDB:
            raise
        except (StoreDenied, StoreRejected) as error:  # 409: it is there
            _log.info("store_database_not_made", database=self._settings.bucket, error=str(error))

    def limits(self) -> TimeLimits:
        """A write of old samples is taken; they are left out when it is read."""
        return TimeLimits()

    def erase(self, measurement: str, erasure: Erasure) -> None:  # noqa: ARG002 - as the protocol has it
        """It cannot."""
        refuse_in_three()

    def warning(self) -> str:
        """Its limits are on databases, tables and columns; we have a handful of each."""
        return ""


def _credible(retention: float) -> float | None:
    """A retention (s) by which samples may be given up; no InfluxDB has one below an hour."""
    return retention if MIN_RETENTION_S <= retention <= _LONGEST_RETENTION_S else None
