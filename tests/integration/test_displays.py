"""The shipped displays on a running control process; on a whole archiver with many channels in `tests/proof`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from archioc.opi import displays
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.screens.broken import broken_copy
from tests.screens.live import check_live


def test_every_pv_of_every_display(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Libca finds every PV that a display shows or puts, of the type and with the rights that its widget needs."""
    assert check_live(client, displays.SHIPPED, {"P": prefix, "CH": "SR:DCCT"}) > 500


def test_operator_who_may_not_write(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str, ca_client: CaClientFactory) -> None:
    """The same check tells what a client that may not write cannot put."""
    nobody = "access: {control: [{hosts: [127.0.0.9]}], expert: [{hosts: [127.0.0.9]}]}"
    control = ControlProcess(tmp_path, ports(1)[0], prefix, f"channels: [SR:DCCT]\n{nobody}")
    control.start()
    (tmp_path / "displays").mkdir()
    shutil.copy(displays.SHIPPED / "limits.bob", tmp_path / "displays")
    try:
        with pytest.raises(AssertionError, match=r"limits.bob: textentry .*DisconnectedPct.HIHI cannot be put"):
            check_live(ca_client([control.port]), tmp_path / "displays", {"P": prefix})
    finally:
        control.close()


LIVE_WORDS = {
    "wrong PV": "Stat is not there",
    "put to what is only read": "State cannot be put",
}


def test_broken_copies_are_caught_live(tmp_path: Path, client: CaClient, prefix: str) -> None:
    """What is wrong with a PV is found on a running archiver too, whatever the contract says."""
    for number, (name, words) in enumerate(LIVE_WORDS.items()):
        directory = tmp_path / f"displays{number}"
        file, _ = broken_copy(name, directory)
        for other in set(directory.glob("*.bob")) - {directory / file}:
            other.unlink()
        with pytest.raises(AssertionError, match=rf"{file}: .*{words}"):
            check_live(client, directory, {"P": prefix}, patience_s=3.0)
