"""The InfluxDB, or what understands its language, that ARCHIOC_TEST_INFLUX_URL names: any server, a cluster too.

Names of its databases or buckets begin with ARCHIOC_TEST_INFLUX_BUCKET (default `archioc_test`); each test has one of its own, which is
dropped afterwards. ARCHIOC_TEST_INFLUX_ORG and ARCHIOC_TEST_INFLUX_TOKEN (2.x and later) tell who asks, ARCHIOC_TEST_INFLUX_REPLICATION
how many copies a cluster makes, ARCHIOC_TEST_INFLUX_SETTLE how long (s) it may take until the first points of a measurement are seen.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress

from archioc.core.config.store import InfluxStore
from archioc.core.errors import QueryError, StoreDenied, StoreRejected
from archioc.core.events import ChannelEvent
from archioc.core.spool.encoding.compression import decompress
from archioc.core.spool.spool import SpoolFile
from archioc.db.influx.connection import InfluxConnection
from archioc.db.influx.influxql import quote_name
from archioc.db.influx.store import InfluxDatabase
from archioc.db.store import WriteOutcome

URL_VARIABLE = "ARCHIOC_TEST_INFLUX_URL"
NAMED = [URL_VARIABLE] if URL_VARIABLE in os.environ else []
"""Parameters of fixtures that open a store: one more where the variable is set."""


def named_settings(name: str) -> InfluxStore:
    """A database or bucket on that server."""
    variables = {"org": "ORG", "token": "TOKEN", "replication": "REPLICATION"}
    found = {key: os.environ.get(f"ARCHIOC_TEST_INFLUX_{variable}") for key, variable in variables.items()}
    begin = os.environ.get("ARCHIOC_TEST_INFLUX_BUCKET", "archioc_test")
    known = {key: int(value) if key == "replication" else value for key, value in found.items() if value}
    return InfluxStore.model_validate({"url": os.environ[URL_VARIABLE], "bucket": f"{begin}_{name}", **known})


class NamedDatabase(InfluxDatabase):
    """A database on that server. What was written is seen when `write` has returned."""

    _seen: frozenset[bytes] = frozenset()

    def write(self, file: SpoolFile) -> WriteOutcome:
        outcome = super().write(file)
        lines = decompress(file.payload).split(b"\n")
        self._settle({_SHAPE.sub(b"", line) for line in lines})
        return outcome

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        super().write_events(events)
        self._settle({b"event"})

    def _settle(self, shapes: set[bytes]) -> None:
        if not shapes <= self._seen:
            time.sleep(float(os.environ.get("ARCHIOC_TEST_INFLUX_SETTLE", "0")))
        self._seen |= shapes


_SHAPE = re.compile(rb'"(?:[^"\\]|\\.)*"|pv=(?:[^ \\]|\\.)*|[0-9.e+-]+')
"""What is left of a line without this are its measurement and fields."""


def drop(settings: InfluxStore) -> None:
    """Drop a database or bucket, as far as the server lets us."""
    connection = InfluxConnection(settings)
    with suppress(QueryError, StoreDenied, StoreRejected):
        if settings.org:
            found = connection.json("/api/v2/buckets", "GET", [("name", settings.bucket), ("org", settings.org)])["buckets"]
            connection.json(f"/api/v2/buckets/{found[0]['id']}", "DELETE", [])
        else:
            connection.execute(f"DROP DATABASE {quote_name(settings.bucket)}")
    connection.close()
