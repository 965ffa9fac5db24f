from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.table.table import StoreState
from tests.conftest import CaClientFactory
from tests.integration.pv_contract.content import CHANNELS, ONLY_THIS_HOST
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.signs_of_life import give_signs_of_life


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, f"{CHANNELS}\n{ONLY_THIS_HOST}")
    made.start()
    made.table.status.head["flush_done"][0] = 1000  # an engine that has committed all that was asked for
    give_signs_of_life(made)
    made.table.delivery.head["store_state"][0] = StoreState.OK
    yield made
    made.close()


@pytest.fixture
def client(control: ControlProcess, ca_client: CaClientFactory) -> CaClient:
    return ca_client([control.port])
