"""InfluxDB 3.x: making the database."""

from __future__ import annotations

import math

import structlog

from archioc.core.config.store import InfluxStore
from archioc.core.errors import StoreDenied, StoreRejected
from archioc.db.erasure import Erasure
from archioc.db.influx.answers import NotInfluxDB
from archioc.db.influx.connection import InfluxConnection
from archioc.db.influx.erasing import refuse_in_three
from archioc.db.influx.server import TimeLimits

_log = structlog.get_logger()


class InfluxThree:
    """3.x: a database that the first write makes; only one that is made beforehand can have a retention."""

    def __init__(self, connection: InfluxConnection, settings: InfluxStore) -> None:
        self._connection, self._settings = connection, settings

    refused = ""

    def make(self, *, may_create: bool) -> None:
        """With a retention the database is made; one that is there stays as it is. Without, a write makes it, which cannot be prevented."""
        if not (self._settings.retention and may_create):
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

    def choose_policy(self, noted: str, *, may_change: bool) -> str:  # noqa: ARG002 - policies are of 1.x
        """It knows no policies."""
        return ""

    def limits(self) -> TimeLimits:
        """A write of old samples is taken; they are left out when it is read."""
        return TimeLimits()

    def erase(self, measurement: str, erasure: Erasure) -> None:  # noqa: ARG002 - as the protocol has it
        """It cannot."""
        refuse_in_three()

    def warning(self) -> str:
        """Its limits are on databases, tables and columns; we have a handful of each."""
        return ""
