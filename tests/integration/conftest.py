from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.config.store import InfluxStore
from archioc.db.influx.store import InfluxDatabase
from tests.archives.store_bench import STORES, Bench, opened_store
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import TWO_CHANNELS, ControlProcess
from tests.processes.influxd import InfluxDatabase as Database


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    """The control process with two channels, for tests that need no other ones."""
    made = ControlProcess(tmp_path, ports(1)[0], prefix, TWO_CHANNELS)
    made.start()
    yield made
    made.close()


@pytest.fixture
def client(control: ControlProcess, ca_client: CaClientFactory) -> CaClient:
    """A client of `control`."""
    return ca_client([control.port])


@pytest.fixture
def influx_store(influx_database: Database) -> Iterator[InfluxDatabase]:
    """A real InfluxDB 1.x with a fresh database, as the db process opens it, ready to write."""
    made = InfluxDatabase(InfluxStore.model_validate(influx_database.settings))
    made.prepare()
    yield made
    made.close()


@pytest.fixture(params=STORES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each store in turn, empty."""
    with opened_store(request, tmp_path / "store") as (store, encoder):
        yield Bench(store, encoder)
