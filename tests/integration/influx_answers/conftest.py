from __future__ import annotations

from collections.abc import Iterator

import pytest

from archioc.core.config.store import InfluxStore
from archioc.db.influx.store import InfluxDatabase
from tests.integration.influx_answers.line_files import Double, Opened
from tests.processes.influx_double import InfluxDouble


@pytest.fixture
def double() -> Iterator[Double]:
    """double(version, retention_s=None, max_body=..., tls=None): a running server."""
    made: list[InfluxDouble] = []

    def start(version: str, **settings: object) -> InfluxDouble:
        made.append(InfluxDouble(version, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for server in made:
        server.stop()


@pytest.fixture
def opened() -> Iterator[Opened]:
    """opened(server, **settings): a store on it that is ready to write."""
    made: list[InfluxDatabase] = []

    def open_store(server: InfluxDouble, **settings: object) -> InfluxDatabase:
        made.append(InfluxDatabase(InfluxStore.model_validate({"url": server.url, "bucket": "epics", "org": "lab", **settings})))
        made[-1].prepare()
        return made[-1]

    yield open_store
    for store in made:
        store.close()
