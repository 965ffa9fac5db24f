"""Fixtures for all tests: Channel Access kept on loopback, real servers on ports of their own, nothing left behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from archioc.db.store import Reader
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.processes import start_repeater
from archioc.engine.ca.event_callback import COMPILED
from tests.hostile.disturbances import FragileStore, Outage, suspended_writer
from tests.processes.archiver import Archiver, Blocks, Channel, StoreBlock
from tests.processes.ca_client import CaClient
from tests.processes.ca_watch import CaWatch
from tests.processes.camonitor import Camonitor
from tests.processes.engine_process import EngineProcess, on_servers
from tests.processes.hostile_server import HostileServer
from tests.processes.influxd import Influxd, InfluxDatabase, find_influxd, find_influxd_2
from tests.processes.influxd_two import InfluxdTwo
from tests.processes.leaks import SESSION_VARIABLE, holdings, leaks_since
from tests.processes.ports import free_ports
from tests.processes.raw_witness import RawWitness
from tests.processes.served_store import ServedStore
from tests.processes.soft_ioc import SoftIoc
from tests.processes.tools import missing_tool
from tests.records.counters import Counting, counter_database, counter_names

# A machine that does something else for a moment is no fault of what is tested.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

SoftIocFactory = Callable[..., SoftIoc]
"""softioc(database, macros="") where database is text or a Path."""
CaWatchFactory = Callable[..., CaWatch]
"""ca_watch(names, server_ports, mask="log")"""
CamonitorFactory = Callable[[Sequence[str], int], Camonitor]
"""camonitor(names, server_port)"""
CaClientFactory = Callable[[Sequence[int]], CaClient]
InfluxdFactory = Callable[..., Influxd]
"""own_influxd(index="inmem")"""
ServedStoreFactory = Callable[..., ServedStore]
"""served_store(limit_s=60.0, reader=None, settings=None)"""
ArchiverFactory = Callable[..., Archiver]
"""archiver(channels, ioc_ports, store=None, ..., as `Archiver`)"""
CountingFactory = Callable[..., Counting]
"""counting(count, store=None, commit_interval=0.5, ..., as `Archiver`)"""
RawWitnessFactory = Callable[[Sequence[str], Sequence[int], int], RawWitness]
"""raw_witness(names, server_ports, capacity)"""
HostileServerFactory = Callable[..., HostileServer]
"""hostile_server(..., as `HostileServer`)"""
EngineFactory = Callable[..., EngineProcess]
"""engine_process(ports, ca=None, environment=None, **more): with channels still to be added and to be started."""
CaEnvironment = Callable[[Sequence[int]], dict[str, str]]

_session_processes: set[int] = set()
"""Processes that are kept for all tests."""


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith("EPICS_")]:
        del os.environ[name]
    os.environ[SESSION_VARIABLE] = secrets.token_hex(8)
    os.environ |= client_variables([], free_ports(1)[0])
    os.environ["EPICS_CAS_INTF_ADDR_LIST"] = "127.0.0.1"
    os.environ["no_proxy"] = "127.0.0.1"


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails a test that leaves a process, an open file or a socket behind."""
    before = holdings()
    yield
    found = leaks_since(before, _session_processes)
    assert not found, "left behind:\n" + "\n".join(found)


@pytest.fixture
def ports() -> Callable[[int], list[int]]:
    """ports(n): loopback ports that are free for TCP and UDP."""
    return free_ports


@pytest.fixture
def prefix() -> str:
    """A prefix for names of PVs that no other test uses."""
    return f"T{secrets.token_hex(3).upper()}:"


@pytest.fixture(scope="session")
def repeater_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the session's CA repeater; with one there, no libca client starts a caRepeater that outlives it."""
    port = int(os.environ["EPICS_CA_REPEATER_PORT"])
    repeater = start_repeater(port, tmp_path_factory.mktemp("repeater"))
    _session_processes.add(repeater.pid)
    yield port
    repeater.stop()


@pytest.fixture
def ca_environment(repeater_port: int) -> CaEnvironment:
    """ca_environment(server_ports): the whole environment for a subprocess that is to reach these CA servers and no others."""
    return lambda server_ports: with_variables(client_variables(server_ports, repeater_port))


@pytest.fixture
def softioc(repeater_port: int, tmp_path: Path) -> Iterator[SoftIocFactory]:
    """softioc(database, macros=""): a running soft IOC on a free port."""
    made: list[SoftIoc] = []

    def start(database: str | Path, macros: str = "") -> SoftIoc:
        made.append(SoftIoc(database, macros, free_ports(1)[0], repeater_port, tmp_path / f"ioc{len(made)}"))
        return made[-1]

    yield start
    for ioc in made:
        ioc.stop()


@pytest.fixture
def ca_watch(repeater_port: int, tmp_path: Path) -> Iterator[CaWatchFactory]:
    """ca_watch(names, server_ports, mask="log"): a running client that keeps every update."""
    made: list[CaWatch] = []

    def start(names: Sequence[str], server_ports: Sequence[int], mask: str = "log") -> CaWatch:
        made.append(CaWatch(names, server_ports, repeater_port, tmp_path / f"watch{len(made)}", mask))
        return made[-1]

    yield start
    for watch in made:
        watch.stop()


@pytest.fixture
def camonitor(repeater_port: int, tmp_path: Path) -> Iterator[CamonitorFactory]:
    """camonitor(names, server_port): EPICS Base's own, running."""
    made: list[Camonitor] = []

    def start(names: Sequence[str], server_port: int) -> Camonitor:
        made.append(Camonitor(names, server_port, repeater_port, tmp_path / f"camonitor{len(made)}"))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture
def raw_witness(repeater_port: int, tmp_path: Path) -> Iterator[RawWitnessFactory]:
    """raw_witness(names, server_ports, capacity): a running client that keeps every update of many counters."""
    made: list[RawWitness] = []

    def start(names: Sequence[str], server_ports: Sequence[int], capacity: int) -> RawWitness:
        made.append(RawWitness(names, server_ports, repeater_port, tmp_path / f"raw{len(made)}", capacity))
        return made[-1]

    yield start
    for witness in made:
        witness.stop()


@pytest.fixture
def ca_client(ca_environment: CaEnvironment) -> Iterator[CaClientFactory]:
    """ca_client(server_ports): a client for gets and puts."""
    made: list[CaClient] = []

    def start(server_ports: Sequence[int]) -> CaClient:
        made.append(CaClient(ca_environment(server_ports)))
        return made[-1]

    yield start
    for client in made:
        client.stop()


@pytest.fixture(scope="session")
def influxd_program() -> Path:
    """The influxd to test with; without one the test is skipped, or fails where ARCHIOC_REQUIRE demands it."""
    return find_influxd() or missing_tool("influxd", "`make test` unpacks Debian's into .cache, else install InfluxDB 1.x")


@pytest.fixture(scope="session")
def _shared_influxd(influxd_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    server = Influxd(influxd_program, free_ports(2), tmp_path_factory.mktemp("influxd"))
    _session_processes.add(server.pid)
    yield server
    server.stop()


@pytest.fixture
def influx_database(_shared_influxd: Influxd) -> Iterator[InfluxDatabase]:
    """A fresh database on a server that the whole session shares: not to be stopped."""
    database = InfluxDatabase(_shared_influxd, f"t_{secrets.token_hex(4)}")
    _shared_influxd.make_database(database.name)
    yield database
    _shared_influxd.drop_database(database.name)


@pytest.fixture(scope="session")
def shared_influxd_2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxdTwo]:
    """A 2.x server that the whole session shares: not to be stopped."""
    program = find_influxd_2() or missing_tool("influxd-2", "`make influxd-2` builds it into .cache where there are go and cargo")
    server = InfluxdTwo(program, free_ports(1)[0], tmp_path_factory.mktemp("influxd2"))
    _session_processes.add(server.pid)
    yield server
    server.stop()


@pytest.fixture
def influx_bucket(shared_influxd_2: InfluxdTwo) -> Iterator[InfluxDatabase]:
    """A fresh bucket on a 2.x server that the whole session shares."""
    bucket = InfluxDatabase(shared_influxd_2, f"t_{secrets.token_hex(4)}")
    shared_influxd_2.make_database(bucket.name)
    yield bucket
    shared_influxd_2.drop_database(bucket.name)


@pytest.fixture
def own_influxd(influxd_program: Path, tmp_path: Path) -> Iterator[InfluxdFactory]:
    """own_influxd(index="inmem"): a server of the test's own, to stop, kill and start again."""
    made: list[Influxd] = []

    def start(index: str = "inmem") -> Influxd:
        made.append(Influxd(influxd_program, free_ports(2), tmp_path / f"influxd{len(made)}", index))
        return made[-1]

    yield start
    for server in made:
        server.stop()


@pytest.fixture
def archiver(repeater_port: int, tmp_path: Path, prefix: str) -> Iterator[ArchiverFactory]:
    """archiver(channels, ioc_ports, store=None, ..., as `Archiver`): a whole archiver, not started yet, at `prefix` + "A:"."""
    made: list[Archiver] = []

    def make(
        channels: Sequence[Channel],
        ioc_ports: Sequence[int],
        store: StoreBlock | None = None,
        commit_interval: float = 0.5,
        more: Blocks | None = None,
        impatient: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Archiver:
        directory, port = tmp_path / f"archiver{len(made)}", free_ports(1)[0]
        made.append(
            Archiver(
                directory, port, f"{prefix}A:", ioc_ports, repeater_port, channels, store, commit_interval, more, impatient, environment
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def served_store(tmp_path: Path) -> Iterator[ServedStoreFactory]:
    """served_store(limit_s=60.0, reader=None, settings=None): an embedded store of the test's own, served over HTTP."""
    made: list[ServedStore] = []

    def start(limit_s: float = 60.0, reader: Reader | None = None, settings: Mapping[str, object] | None = None) -> ServedStore:
        made.append(ServedStore(tmp_path / f"served{len(made)}", limit_s, reader, settings))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture(params=["embedded", "influxdb"])
def store(request: pytest.FixtureRequest) -> StoreBlock:
    """The block `store` of a configuration: the embedded store, and a fresh database on a real InfluxDB."""
    if request.param == "embedded":
        return {"embedded": {}}
    database: InfluxDatabase = request.getfixturevalue("influx_database")
    return {"influxdb": {"url": database.url, "bucket": database.name}}


@pytest.fixture
def counting(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_watch: CaWatchFactory, prefix: str) -> CountingFactory:
    """counting(count, store=None, ..., as `Archiver`): an archiver that archives so many counters, and an independent client."""

    def start(
        count: int, store: StoreBlock | None = None, commit_interval: float = 0.5, impatient: bool = False, more: Blocks | None = None
    ) -> Counting:
        names = counter_names(prefix, count)
        ioc = softioc(counter_database(names))
        made = archiver(names, [ioc.port], store, commit_interval, more, impatient)
        made.start(connected=count)
        watch = ca_watch(names, [ioc.port])
        watch.wait_for(5, names[-1])
        return Counting(made, watch, names)

    return start


@pytest.fixture(params=["embedded", "influxdb"])
def fragile_store(request: pytest.FixtureRequest) -> FragileStore:
    """A store that can be made to stop and go on: the embedded one, and a real InfluxDB of the test's own."""
    if request.param == "embedded":
        return FragileStore({"embedded": {}}, suspended_writer)
    start: InfluxdFactory = request.getfixturevalue("own_influxd")
    server = start()
    return FragileStore({"influxdb": {"url": server.url, "bucket": "epics"}}, lambda _: Outage(server.kill, server.start))


@pytest.fixture
def hostile_server(prefix: str) -> Iterator[HostileServerFactory]:
    """hostile_server(..., as `HostileServer`): serves names that begin with `prefix` + "X:"."""
    made: list[HostileServer] = []

    def start(**more: Any) -> HostileServer:
        made.append(HostileServer(free_ports(1)[0], f"{prefix}X:", **more))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def engine_process(request: pytest.FixtureRequest, tmp_path: Path, repeater_port: int) -> Iterator[EngineFactory]:
    """Collectors with the callback that the test is parametrised with."""
    if request.param == "compiled" and not COMPILED:
        missing_tool("cc", "install a C compiler, then ArchIOC again")
    made: list[EngineProcess] = []

    def make(
        ports: list[int], ca: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None, **more: Any
    ) -> EngineProcess:
        variables = on_servers(ports, repeater_port) if environment is None else environment
        block = {"callback": request.param, **(ca or {})}
        made.append(EngineProcess(tmp_path / f"engine{len(made)}", block, variables, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
