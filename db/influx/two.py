"""InfluxDB 2.x: making the bucket and its mapping, its retention."""

from __future__ import annotations

from typing import Any

import structlog

from archioc.core.config.store import InfluxStore
from archioc.core.errors import QueryError, StoreDenied, StoreRejected
from archioc.db.erasure import Erasure
from archioc.db.influx.answers import NotFound, NotInfluxDB
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.erasing import erase_in_two
from archioc.db.influx.server import ArchiveGone, TimeLimits, WrongMapping, credible, gone

_log = structlog.get_logger()


class InfluxTwo:
    """2.x: a bucket of an organisation, and a mapping (DBRP) through which InfluxQL reaches it."""

    def __init__(self, connection: InfluxConnection, settings: InfluxStore) -> None:
        self._connection, self._settings = connection, settings
        self._database, _, self._policy = settings.bucket.partition("/")
        self._org: Parameters = [("org", settings.org)]
        self.refused = ""

    def make(self, *, may_create: bool) -> None:
        """The bucket, and its mapping; a token that may only write goes on without."""
        self.refused = ""
        try:
            self._make(may_create=may_create)
        except (NotInfluxDB, ArchiveGone, WrongMapping):
            raise
        except (StoreDenied, StoreRejected) as error:
            self.refused = str(error)
            _log.warning("store_bucket_not_checked", bucket=self._settings.bucket, error=self.refused)

    def _make(self, *, may_create: bool) -> None:
        bucket = self._bucket()
        if bucket is None:
            self._refuse_other_bucket("")
            if not may_create:
                # A token that may only write does not see its bucket either: a write will tell.
                raise StoreDenied(gone(self._settings, f"bucket {self._settings.bucket}"))
            bucket = self._make_bucket()
        self._map(bucket)

    def choose_policy(self, noted: str, *, may_change: bool) -> str:  # noqa: ARG002 - policies are of 1.x
        """A bucket has none; the mapping may be one of a database and policy."""
        return self._policy

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
        return TimeLimits(next((credible(float(rule["everySeconds"])) for rule in rules if rule.get("everySeconds")), None), known=True)

    def erase(self, measurement: str, erasure: Erasure) -> None:
        """In the bucket."""
        erase_in_two(self._connection, [*self._org, ("bucket", self._settings.bucket)], measurement, erasure)

    def warning(self) -> str:
        """Samples may be written that cannot be read; a token may also read without seeing how its bucket is mapped."""
        scope: Parameters = [("db", self._database)] + ([("rp", self._policy)] if self._policy else [])
        try:
            for _ in self._connection.query("SELECT value FROM sample WHERE time > now() LIMIT 1", scope):
                pass
        except (QueryError, StoreDenied) as error:
            return f"reading bucket {self._settings.bucket} will fail: " + "; ".join(filter(None, (str(error), self.refused)))
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

    def _map(self, bucket: dict[str, Any]) -> None:
        """Make the mapping where there is none, and a default one where no other is: lists of names are read through that."""
        policy = self._policy or "autogen"
        listed = self._refuse_other_bucket(bucket["id"])
        mapped = any(one["bucketID"] == bucket["id"] and one["retention_policy"] == policy for one in listed)
        # The mapping that the server has of itself is not the default one where the bucket is named as database/policy.
        if mapped and (not self._policy or any(one.get("default") for one in listed)):
            return
        mapping = {"bucketID": bucket["id"], "orgID": bucket["orgID"], "database": self._database, "retention_policy": policy}
        self._connection.json("/api/v2/dbrps", "POST", [], mapping | {"default": True})
        _log.info("store_mapping_made", database=self._database, policy=policy)

    def _refuse_other_bucket(self, bucket_id: str) -> list[dict[str, Any]]:
        """The mappings of the database. Raises WrongMapping where samples in our bucket could not be read through them."""
        policy = self._policy or "autogen"
        listed = self._connection.json("/api/v2/dbrps", "GET", [("db", self._database), *self._org]).get("content") or []
        listed = [one for one in listed if one["database"] == self._database]
        ours = [one for one in listed if one["retention_policy"] == policy and not one.get("virtual")]
        if ours and all(one["bucketID"] != bucket_id for one in ours):
            other = f"{self._database}/{policy}"
            raise WrongMapping(
                f"{self._settings.url}: database {self._database}, policy {policy} is mapped (DBRP) to another bucket than "
                f"{self._settings.bucket}: what is written there cannot be read. After `influxd upgrade` the bucket is called {other}"
            )
        return listed
