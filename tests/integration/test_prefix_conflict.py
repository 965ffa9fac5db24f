"""Two archivers with one prefix on the same network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archioc.core.table.table import StoreState
from archioc.ioc.ca.prefix_watch import PERIOD_S
from tests.conftest import CaClientFactory
from tests.processes.control_process import ControlProcess
from tests.processes.signs_of_life import give_signs_of_life

NEXT_SEARCH_S = PERIOD_S + 30.0
"""An answer that a busy machine holds back for a second is missed; the search is made again."""


@pytest.mark.timeout(300)
def test_a_prefix_that_is_served_already_is_noticed(
    control: ControlProcess, tmp_path: Path, ports: Callable[[int], list[int]], ca_client: CaClientFactory, prefix: str
) -> None:
    """A second archiver with the prefix of another runs, says at once who the other is, and is well again when that has gone."""
    search = f"ca: {{addr_list: ['127.0.0.1:{control.port}'], auto_addr_list: false}}"
    second = ControlProcess(tmp_path / "second", ports(1)[0], prefix, search)
    try:
        second.start()
        client = ca_client([second.port])
        second.table.delivery.head["store_state"][0] = StoreState.OK
        give_signs_of_life(second)
        client.wait_for_value(prefix + "State", "Degraded", NEXT_SEARCH_S)
        client.wait_for_value(prefix + "StateReason", f"{prefix} is also served by 127.0.0.1:{control.port}")
        assert client.get_text(prefix + "State.SEVR") != "NO_ALARM"
        assert "prefix_served_elsewhere" in second.log()
        assert "prefix_served_elsewhere" not in control.log()
        control.kill()
        client.wait_for_value(prefix + "State", "Running", NEXT_SEARCH_S)
    finally:
        second.close()
