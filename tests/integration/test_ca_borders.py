"""What one client, or one host, can take of the control process: circuits, memory, channels."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.ioc.ca.circuit import VERSION_S
from tests.processes import raw_frames as frames
from tests.processes.control_process import TWO_CHANNELS, ControlProcess
from tests.processes.raw_connection import RawConnection
from tests.processes.resources import resources_of
from tests.processes.waiting import PATIENCE_S

FEW_DESCRIPTORS = 72
"""Enough for the process and a few clients."""


@pytest.fixture
def scarce(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    """A control process that may have few descriptors, and a soft limit below the hard one."""
    made = ControlProcess(tmp_path, ports(1)[0], prefix, TWO_CHANNELS)
    made.start(limits={resource.RLIMIT_NOFILE: (FEW_DESCRIPTORS - 10, FEW_DESCRIPTORS)})
    yield made
    made.close()


def connected(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0))


def lines(control: ControlProcess, event: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in control.log().splitlines() if f'"event": "{event}"' in line]


def test_idle_connections_end_nothing(scarce: ControlProcess, prefix: str) -> None:
    """Twice as many connections as there are descriptors: the process lives, who has channels open keeps them, a newcomer is served."""
    assert resource.prlimit(scarce.pid, resource.RLIMIT_NOFILE) == (FEW_DESCRIPTORS, FEW_DESCRIPTORS), "the soft limit is raised"
    with contextlib.ExitStack() as open_, RawConnection(scarce.port) as first:
        (beats,) = first.open([f"{prefix}HEARTBEAT"])
        assert beats is not None
        for at in range(2 * FEW_DESCRIPTORS):
            open_.enter_context(connected(scarce.port, f"127.0.0.{2 + at % 5}"))
        time.sleep(1.5)
        assert first.get(beats, frames.LONG) is not None
        with RawConnection(scarce.port, source="127.0.0.9") as late:
            assert late.open([f"{prefix}State"]) != [None]
    assert 1 <= len(lines(scarce, "too_many_circuits")) <= 2
    assert "Traceback" not in scarce.log()
    assert scarce.stop() == 0


def test_one_address_has_half_of_the_circuits(scarce: ControlProcess, prefix: str) -> None:
    """However many circuits with channels one host opens, another host still gets in; what is refused is closed at once."""
    served = 0
    with contextlib.ExitStack() as open_:
        for _ in range(FEW_DESCRIPTORS):
            client = open_.enter_context(RawConnection(scarce.port, source="127.0.0.2"))
            with contextlib.suppress(AssertionError, OSError):
                served += client.open([f"{prefix}State"]) != [None]
        with RawConnection(scarce.port, source="127.0.0.3") as other:
            assert other.open([f"{prefix}State"]) != [None]
    assert 1 < served < FEW_DESCRIPTORS / 2


def test_connection_without_version_ends(control: ControlProcess, prefix: str) -> None:
    """Who connects and says nothing, or anything but its version, is disconnected after VERSION_S; who said it stays."""
    with connected(control.port) as silent, connected(control.port) as echoing, RawConnection(control.port) as client:
        (beats,) = client.open([f"{prefix}HEARTBEAT"])
        assert beats is not None
        echoing.sendall(frames.frame(frames.ECHO))
        begun = time.monotonic()
        silent.settimeout(VERSION_S + PATIENCE_S)
        assert silent.recv(1) == b""
        assert time.monotonic() - begun > VERSION_S / 2
        echoing.settimeout(PATIENCE_S)
        assert echoing.recv(16)[:2] == struct.pack(">H", frames.ECHO)
        assert echoing.recv(1) == b""
        assert client.get(beats, frames.LONG) is not None


LARGE = [
    frames.read(1, frames.CTRL_DOUBLE, 16_000, 1),
    frames.read(1, frames.CTRL_DOUBLE, 16_001, 1),
    frames.read(77, frames.DOUBLE, 1, 1),
    frames.frame(frames.ECHO),
    frames.create(b"nothing", 1),
    frames.search(b"nothing", 1, reply=True),
    frames.clear(99, 99),
    frames.subscribe(1, 99, 1, 1, 1),
    frames.put(77, frames.DOUBLE, 1, bytes(8), 1),
]
"""Requests whose answers somebody might not take: good and refused reads, errors, channels, searches, puts."""


@pytest.mark.parametrize("request_", LARGE, ids=range(len(LARGE)))
def test_answers_that_nobody_takes_are_bounded(control: ControlProcess, prefix: str, request_: bytes) -> None:
    """A client that sends requests and reads nothing is not served further: memory stays, whatever it asks for; others are served."""
    with RawConnection(control.port) as client, RawConnection(control.port) as other:
        (beats,) = other.open([f"{prefix}HEARTBEAT"])
        client.open([f"{prefix}Add"])
        before = resources_of(control.pid).memory
        client.flood(request_ * 400, seconds=1.0)
        assert beats is not None
        assert other.get(beats, frames.LONG) is not None
        assert resources_of(control.pid).memory - before < 3_000_000


def test_large_events_that_nobody_takes_are_bounded(control: ControlProcess, prefix: str) -> None:
    """200 subscriptions to 128 kB each, of a client that reads nothing, hold no more than the answers to reads."""
    with RawConnection(control.port) as client:
        client.open([f"{prefix}Add"])
        before = resources_of(control.pid).memory
        client.send(b"".join(frames.subscribe(1, frames.CTRL_DOUBLE, 16_000, at, 1) for at in range(200)))
        time.sleep(1)
        assert resources_of(control.pid).memory - before < 3_000_000


def test_puts_that_wait_are_bounded(control: ControlProcess, prefix: str) -> None:
    """Of a client's puts that wait behind a slow one no more than some MB are held."""
    with RawConnection(control.port) as client:
        flush, add = client.open([f"{prefix}Flush", f"{prefix}Add"])
        assert flush is not None
        assert add is not None
        client.send(frames.put(flush.sid, frames.LONG, 1, frames.encoded([1], frames.LONG), 1))
        before = resources_of(control.pid).memory
        client.flood(frames.put(add.sid, frames.CHAR, 120_000, b"x" * 120_000, 2) * 100, seconds=1.0)
        assert resources_of(control.pid).memory - before < 5_000_000
