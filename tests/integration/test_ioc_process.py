from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import caproto as ca

from archioc.core.table.table import ProcessState
from archioc.ioc.__main__ import APART_BYTES
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa


def test_stop_ends_with_0_and_says_so(control: ControlProcess, prefix: str) -> None:
    """SIGTERM tells clients that the archiver stops and ends the control process with exit code 0; the table says so too."""
    with RawCa(control.port) as raw:
        _, state = raw.open(prefix + "State")
        raw.monitor(state, ca.ChannelType.STRING, 1)
        raw.wait_for(ca.EventAddResponse)
        assert control.stop() == 0
        assert bytes(raw.wait_for(ca.EventAddResponse).data[0]) == b"Stopping"
    assert int(control.table.settings.head["state"][0]) == ProcessState.STOPPED
    assert "Traceback" not in control.log()


def test_damaged_registry_is_a_clear_error(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> None:
    """A damaged state.db ends the control process with exit code 1 and one line that names it."""
    made = ControlProcess(tmp_path, ports(1)[0], prefix)
    made.directories.registry.write_bytes(b"garbage " * 1000)
    made.start(wait=False)
    assert made.wait() == 1
    assert "state.db: cannot be used" in made.log()
    assert "Traceback" not in made.log()
    made.close()


def test_long_file_is_read_like_a_short_one(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> None:
    """A file that another process has to read gives the channels it declares; a fault in it ends with exit code 2 and its line."""
    comments = "# what nobody needs to know\n" * (APART_BYTES // 20)
    made = ControlProcess(tmp_path, ports(1)[0], prefix, f"{comments}channels: [SR:DCCT]")
    made.start()
    assert made.used_rows() == [0]
    assert made.stop() == 0
    made.configure(f"{comments}channels: [{{pv: SR:DCCT, rate: -1}}]")
    made.start(wait=False)
    assert made.wait() == 2
    line = comments.count("\n") + 3
    assert f"config.yml:{line}: channels[0].rate: " in made.log()
    assert "Traceback" not in made.log()
    made.close()


def test_taken_port_is_a_clear_error(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> None:
    """A UDP port that another program keeps to itself ends the control process with exit code 1 and a line that names it."""
    made = ControlProcess(tmp_path, ports(1)[0], prefix)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", made.port))
        made.start(wait=False)
        assert made.wait() == 1
    assert f"cannot listen on 127.0.0.1:{made.port} (UDP)" in made.log()
    assert "Traceback" not in made.log()
    made.close()
