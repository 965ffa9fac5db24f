"""What operators have put outlives the process that took it."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from tests.processes import raw_frames as frames
from tests.processes.control_process import ControlProcess
from tests.processes.raw_connection import Opened, RawConnection
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

CHANNELS = 60
LINES = 20
"""Channels of a block, which a single Set changes together."""
LONGEST_LIFE_S = 0.4
SEED = 20_260


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, f"channels: [{', '.join(f'K:{at:02d}' for at in range(CHANNELS))}]")
    yield made
    made.close()


def test_overrides_survive_kills(control: ControlProcess, prefix: str) -> None:
    """After each of many kills at random moments every put that had completed is in force, and none is half there.

    One client puts single settings, one changes 20 channels with each Set, one adds 20 channels with each Add; what was under way at the
    kill is there as a whole or not at all. A put that completes is read from state.db by another process at once.
    """
    draw = random.Random(SEED)
    writers = Single(), Block(), Added()
    registry = control.directories.registry
    control.start()
    for left in reversed(range(counts().control_kills)):
        threads = [threading.Thread(target=writer.write, args=(control.port, prefix, registry)) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(draw.uniform(0.02, LONGEST_LIFE_S))
        if not left:
            wait_until(lambda: all(writer.puts or writer.faults for writer in writers), 60, "each has put at least once")
        control.kill()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        control.start()
        with RawConnection(control.port) as connection, closing(sqlite3.connect(registry)) as reader:
            for writer in writers:
                assert not writer.faults
                writer.check(connection, prefix, reader)
        control.let_rows_go()
    assert control.stop() == 0


@dataclass
class Writer(ABC):
    """Puts one value after the other until the server dies.

    number: of the last put that was sent. completed: that of the last one that is known to hold. puts: how many have completed.
    faults: puts that had completed and were not in state.db.
    """

    number: int = 0
    completed: int = 0
    puts: int = 0
    faults: list[str] = field(default_factory=list)
    pause_s: ClassVar[float] = 0.0

    def write(self, port: int, prefix: str, registry: Path) -> None:
        try:
            with RawConnection(port) as connection, closing(sqlite3.connect(f"{registry.as_uri()}?mode=ro", uri=True)) as reader:
                channel = self.open(connection, prefix)
                while True:
                    self.number += 1
                    data = self.payload(self.number)
                    answer = connection.put(channel, frames.CHAR, len(data), data)
                    if answer or not self.is_there(reader, self.number):
                        self.faults.append(f"{type(self).__name__} {self.number}: {answer or 'completed, and not in state.db'}")
                        return
                    self.completed, self.puts = self.number, self.puts + 1
                    time.sleep(self.pause_s)
        except (OSError, AssertionError):
            return  # killed

    def open(self, connection: RawConnection, prefix: str) -> Opened:
        (channel,) = connection.open([f"{prefix}{self.pv()}"])
        assert channel is not None
        return channel

    @abstractmethod
    def pv(self) -> str:
        """The PV that is put to, without prefix."""

    @abstractmethod
    def payload(self, number: int) -> bytes:
        """What the put with this number writes."""

    @abstractmethod
    def is_there(self, reader: sqlite3.Connection, number: int) -> bool:
        """Whether the put with this number is in state.db as a whole."""

    @abstractmethod
    def check(self, connection: RawConnection, prefix: str, reader: sqlite3.Connection) -> None:
        """After a kill and a restart: all that had completed is there, and what was under way as a whole or not at all."""


class Single(Writer):
    """Puts the description of one channel."""

    def pv(self) -> str:
        return "CH:K:00:Desc"

    def payload(self, number: int) -> bytes:
        return str(number).encode()

    def is_there(self, reader: sqlite3.Connection, number: int) -> bool:
        query = "SELECT value FROM override WHERE channel = 'K:00' AND setting = 'description'"
        return reader.execute(query).fetchall() == [(str(number),)]

    def check(self, connection: RawConnection, prefix: str, reader: sqlite3.Connection) -> None:
        message = connection.get(self.open(connection, prefix), frames.CHAR)
        assert message is not None
        shown = int(message.payload.split(b"\0", 1)[0] or b"0")
        assert shown in {self.completed, self.number}
        assert shown == 0 or self.is_there(reader, shown)
        self.completed = shown


class Block(Writer):
    """Changes the rate of 20 channels with each put."""

    def pv(self) -> str:
        return "Set"

    def payload(self, number: int) -> bytes:
        return "\n".join(f"K:{20 + at:02d} rate={number}" for at in range(LINES)).encode()

    def is_there(self, reader: sqlite3.Connection, number: int) -> bool:
        query = "SELECT count(*) FROM override WHERE setting = 'rate' AND value = ?"
        return bool(reader.execute(query, (repr(float(number)),)).fetchone()[0] == LINES)

    def check(self, connection: RawConnection, prefix: str, reader: sqlite3.Connection) -> None:
        found = reader.execute("SELECT value, count(*) FROM override WHERE setting = 'rate' GROUP BY value").fetchall()
        rates = [(int(float(value)), count) for value, count in found]
        assert rates in ([(self.completed, LINES)], [(self.number, LINES)]) or not (rates or self.completed)
        self.completed = rates[0][0] if rates else 0


class Added(Writer):
    """Adds 20 channels with each put."""

    def pv(self) -> str:
        return "Add"

    def payload(self, number: int) -> bytes:
        return "\n".join(f"N:{number}:{at}" for at in range(LINES)).encode()

    def is_there(self, reader: sqlite3.Connection, number: int) -> bool:
        return bool(reader.execute("SELECT count(*) FROM channel WHERE name GLOB ?", (f"N:{number}:*",)).fetchone()[0] == LINES)

    def check(self, connection: RawConnection, prefix: str, reader: sqlite3.Connection) -> None:
        numbers = [int(name.split(":")[1]) for (name,) in reader.execute("SELECT name FROM channel WHERE name GLOB 'N:*'")]
        found = Counter(numbers)
        assert set(found.values()) <= {LINES}
        assert set(range(self._cleared + 1, self.completed + 1)) <= found.keys()
        if found:
            (remove,) = connection.open([f"{prefix}Remove"])
            assert remove is not None
            line = f"N:* confirm={len(numbers)}".encode()
            assert connection.put(remove, frames.CHAR, len(line), line) == ""
        self.completed = self._cleared = self.number

    _cleared = 0
    pause_s = 0.005
