"""Two archivers with one prefix on the same network."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from archioc.core.table import ProcessState, StoreState
from tests.conftest import CaClientFactory
from tests.processes.control_process import ControlProcess
from tests.processes.waiting import wait_until


def beat(control: ControlProcess) -> None:
    for block in (control.table.status, control.table.delivery):
        block.head["heartbeat"][0], block.head["state"][0] = time.time_ns(), ProcessState.RUNNING


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

        def seen(state: str) -> bool:
            beat(second)
            return bool(client.get_text(prefix + "State") == state)

        wait_until(lambda: seen("Degraded"), 5, "the conflict is seen")
        assert client.get_text(prefix + "StateReason") == f"{prefix} is also served by 127.0.0.1:{control.port}"
        assert client.get_text(prefix + "State.SEVR") != "NO_ALARM"
        assert "prefix_served_elsewhere" in second.log()
        assert "prefix_served_elsewhere" not in control.log()
        control.kill()
        wait_until(lambda: seen("Running"), 15, "the conflict is over")
    finally:
        second.close()
