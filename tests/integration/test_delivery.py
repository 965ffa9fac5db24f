"""The db process, started as the supervisor does it, on real stores."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.core.directories import Directories
from archioc.core.machine.python_module import python_module
from archioc.core.spool.encoding import encoder_for
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, ProcessState, StoreState
from archioc.db.delivery.loop import DRAIN_S
from archioc.db.query_socket.client import SocketReader
from archioc.demo.child import Child
from archioc.open_archive import open_reader
from tests.archives.batches import T0, Point, make_batch, spool_file
from tests.conftest import InfluxdFactory
from tests.processes.waiting import PATIENCE_S, wait_until

CHANNELS = 5


@dataclass
class Archiver:
    """What the db process needs around it, with the test in the place of the engine."""

    config: Config
    directories: Directories
    spool: SpoolDirectory
    table: ChannelTable
    log: Path
    children: list[Child] = field(default_factory=list)
    batches: int = 0
    sent: dict[str, list[int]] = field(default_factory=dict)

    def start(self) -> Child:
        """Start the db process."""
        self.children.append(Child("db", python_module("archioc.db", str(self.config.path)), self.log))
        return self.children[-1]

    def commit(self, batches: int, per_channel: int = 20) -> None:
        """Put so many batches into the spool; values count the samples of each channel."""
        encoder = encoder_for(self.config.store)
        for _ in range(batches):
            self.batches += 1
            points = []
            for number in range(per_channel * CHANNELS):
                name = f"CTR{number % CHANNELS}"
                counted = self.sent.setdefault(name, [])
                counted.append(len(counted))
                points.append(Point(name, T0 + counted[-1] * 1_000_003, float(counted[-1])))
            self.spool.publish(self.spool.prepare(spool_file(encoder, make_batch(points), self.batches)))

    def head(self, name: str) -> int:
        return int(self.table.delivery.head[name][0])

    def delivered(self) -> bool:
        return self.head("batch_id") == self.batches and not self.spool.waiting() and not self.spool.claimed()

    def check(self) -> None:
        """Each sample is in the store exactly once and counted once."""
        reader = open_reader(self.config)
        for row, (name, values) in enumerate(self.sent.items()):
            found = [value for chunk in reader.samples(name, 0, 2**62) for value in chunk.value.tolist()]
            assert found == values
            assert int(self.table.delivery.cells["stored"][row]) == len(values)
        reader.close()
        assert self.head("stored") == sum(len(values) for values in self.sent.values())
        assert self.head("batches") == self.batches
        assert self.head("rejected") == 0


ArchiverFactory = Callable[[str], Archiver]


@pytest.fixture
def archiver(tmp_path: Path) -> Iterator[ArchiverFactory]:
    made: list[Archiver] = []

    def make(store: str) -> Archiver:
        path = tmp_path / "config.yml"
        path.write_text(f"archiver: {{state_dir: ./state}}\nstore: {store}\n")
        config = load_config(path)
        directories = Directories(config.archiver.state_dir)
        directories.run.mkdir(parents=True)
        spool = SpoolDirectory(directories.spool)
        spool.create()
        table = ChannelTable(directories.run)
        table.create(100)
        made.append(Archiver(config, directories, spool, table, tmp_path / "db.log"))
        return made[-1]

    yield make
    for one in made:
        for child in one.children:
            child.stop(PATIENCE_S)
        one.table.close()


@pytest.fixture(params=["embedded", "influxdb"])
def any_archiver(request: pytest.FixtureRequest, archiver: ArchiverFactory) -> Archiver:
    if request.param == "embedded":
        return archiver("{embedded: {}}")
    database = request.getfixturevalue("influx_database")
    return archiver(f"{{influxdb: {{url: '{database.url}', bucket: {database.name}}}}}")


def test_deliver_query_and_stop(any_archiver: Archiver) -> None:
    """What is committed is stored, counted and can be asked for while the process runs; SIGTERM empties the spool and ends it with 0."""
    archiver = any_archiver
    archiver.commit(3)
    child = archiver.start()
    wait_until(archiver.delivered, PATIENCE_S, "the spool is empty")
    wait_until(lambda: archiver.head("store_state") == StoreState.OK, PATIENCE_S, "the store is shown as well")
    assert archiver.head("state") == ProcessState.RUNNING
    assert archiver.head("pid") == child.pid
    wait_until(lambda: abs(time.time_ns() - archiver.head("heartbeat")) < 5_000_000_000, PATIENCE_S, "a sign of life")
    asked = SocketReader(archiver.directories.query_socket)
    assert sum(len(chunk) for chunk in asked.samples("CTR1", 0, 2**62)) == 60
    archiver.commit(10)
    assert child.stop(PATIENCE_S) == 0
    assert archiver.delivered()
    assert archiver.head("state") == ProcessState.STOPPED
    assert not archiver.directories.query_socket.exists()
    archiver.check()


def test_killed_again_and_again(any_archiver: Archiver) -> None:
    """After kill -9 of the db process in the middle of deliveries, many times, each sample is in the store once and counted once."""
    archiver = any_archiver
    kills_in_work = 0
    for _ in range(30):
        archiver.commit(50)
        child = archiver.start()
        before = archiver.head("batches")
        wait_until(lambda before=before: archiver.head("batches") > before, PATIENCE_S, "a batch is delivered")  # type: ignore[misc] # mypy cannot type a lambda's default
        time.sleep(random.uniform(0, 0.04))
        child.kill()
        kills_in_work += bool(archiver.spool.waiting())
        if kills_in_work == 5:
            break
    assert kills_in_work == 5
    child = archiver.start()
    wait_until(archiver.delivered, PATIENCE_S, "the spool is empty")
    assert child.stop(PATIENCE_S) == 0
    archiver.check()


def test_the_server_comes_late_and_goes(archiver: ArchiverFactory, own_influxd: InfluxdFactory) -> None:
    """With InfluxDB away at start and again later, files wait, the state is shown, and nothing is lost or doubled."""
    server = own_influxd()
    server.kill()
    made = archiver(f"{{influxdb: {{url: '{server.url}', bucket: epics}}}}")
    made.commit(2)
    child = made.start()
    wait_until(lambda: made.head("store_state") == StoreState.UNREACHABLE, PATIENCE_S, "the store is shown as unreachable")
    wait_until(lambda: made.head("spool_samples") == 200, PATIENCE_S, "pending samples are counted")
    wait_until(lambda: bytes(made.table.delivery.head["error"][0]).decode().startswith(server.url), PATIENCE_S, "it is shown where")
    server.start()
    wait_until(made.delivered, PATIENCE_S, "the spool is empty")
    wait_until(lambda: made.head("store_state") == StoreState.OK, PATIENCE_S, "the store is shown as well")
    server.kill()
    made.commit(10)
    wait_until(lambda: made.head("store_state") == StoreState.UNREACHABLE, PATIENCE_S, "the store is shown as unreachable")
    beat = made.head("heartbeat")
    wait_until(lambda: made.head("heartbeat") > beat, PATIENCE_S, "the process gives signs of life while it waits")
    server.start()
    wait_until(made.delivered, PATIENCE_S, "the spool is empty")
    wait_until(lambda: made.head("spool_files") == 0, PATIENCE_S, "the shown spool is empty")
    assert child.stop(PATIENCE_S) == 0
    made.check()


def test_stopping_while_the_store_is_away(archiver: ArchiverFactory) -> None:
    """Without a store the process ends at once when told to, as the quickest of three times shows, and its files stay."""
    made = archiver("{influxdb: {url: 'http://127.0.0.1:9', bucket: epics}}")
    made.commit(2)
    took = []
    for _ in range(3):
        made.table.delivery.head["store_state"][0] = StoreState.UNKNOWN
        child = made.start()
        wait_until(lambda: made.head("store_state") == StoreState.UNREACHABLE, PATIENCE_S, "the store is shown as unreachable")
        started = time.monotonic()
        assert child.stop(PATIENCE_S) == 0
        took.append(time.monotonic() - started)
    assert min(took) < 3
    assert len(made.spool.waiting()) == 2


def test_a_server_that_never_answers(archiver: ArchiverFactory) -> None:
    """While a request hangs the process gives signs of life, and SIGTERM ends it within seconds; the file is kept."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = archiver(f"{{influxdb: {{url: 'http://127.0.0.1:{silent.getsockname()[1]}', bucket: epics}}}}")
        made.commit(1)
        child = made.start()
        wait_until(lambda: made.head("spool_files") == 1, PATIENCE_S, "the waiting file is shown")
        beat = made.head("heartbeat")
        wait_until(lambda: made.head("heartbeat") > beat, PATIENCE_S, "the process gives signs of life")
        started = time.monotonic()
        assert child.stop(PATIENCE_S) == 0
        assert time.monotonic() - started < DRAIN_S + 25
        assert len(made.spool.waiting()) + len(made.spool.claimed()) == 1


def test_two_processes_on_one_embedded_store(archiver: ArchiverFactory) -> None:
    """A second process waits, shows why, and takes over when the first has ended."""
    made = archiver("{embedded: {}}")
    first = made.start()
    made.commit(1)
    wait_until(made.delivered, PATIENCE_S, "the first has delivered")
    second = made.start()
    wait_until(lambda: made.head("store_state") == StoreState.UNREACHABLE, PATIENCE_S, "the second waits")
    told = b"another process has this embedded store open"
    wait_until(lambda: told in bytes(made.table.delivery.head["error"][0]), PATIENCE_S, "it shows why")
    assert first.stop(PATIENCE_S) == 0
    made.commit(3)
    wait_until(made.delivered, PATIENCE_S, "the second has delivered")
    assert second.stop(PATIENCE_S) == 0
    made.check()


def test_without_a_run_directory(archiver: ArchiverFactory) -> None:
    """Without the channel table the process says so in one line and ends with 1; with a faulty configuration with 2."""
    made = archiver("{embedded: {}}")
    for block in made.table.blocks:
        block.path.unlink()
    child = made.start()
    child.wait_for_output("is the archiver running?", 20)
    wait_until(lambda: not child.running, PATIENCE_S, "it ends")
    assert child.stop(PATIENCE_S) == 1
    made.config.path.write_text("nonsense: 1\n")
    child = made.start()
    child.wait_for_output("nonsense", 20)
    wait_until(lambda: not child.running, PATIENCE_S, "it ends")
    assert child.stop(PATIENCE_S) == 2
