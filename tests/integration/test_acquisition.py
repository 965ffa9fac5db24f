"""What the real collector process makes of real IOCs, compared with an independent client; with both event callbacks."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from archioc.core.batch import SampleFlag
from archioc.core.channel import LargeArrays
from archioc.core.dbr import Dbr
from archioc.core.events import Reason
from archioc.core.table import ChannelState
from archioc.demo.ca_environment import server_variables, with_variables
from archioc.demo.child import Child
from engine.event_callback import COMPILED
from tests.conftest import CaClientFactory, CaWatchFactory, SoftIocFactory
from tests.processes.engine_process import EngineProcess, on_servers
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until

EngineFactory = Callable[..., EngineProcess]
"""engine_process(ports, ca=None, environment=None, **more): with channels still to be added and to be started."""

pytestmark = pytest.mark.timeout(120)

with_both = pytest.mark.parametrize("engine_process", ["python", "compiled"], indirect=True)
with_one = pytest.mark.parametrize("engine_process", [pytest.param("python", marks=pytest.mark.proof), "compiled"], indirect=True)
"""Where the callback matters little; the other one is for `make proof`."""


@pytest.fixture
def engine_process(request: pytest.FixtureRequest, tmp_path: Path, repeater_port: int) -> Iterator[EngineFactory]:
    """Collectors with the callback that the test is parametrised with."""
    if request.param == "compiled" and not COMPILED:
        missing_tool("cc", "install a C compiler, then ArchIOC again")
    made: list[EngineProcess] = []

    def make(
        ports: list[int], ca: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None, **more: int
    ) -> EngineProcess:
        variables = on_servers(ports, repeater_port) if environment is None else environment
        block = {"callback": request.param, **(ca or {})}
        made.append(EngineProcess(tmp_path / f"engine{len(made)}", block, variables, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


PROCESSED = 'field(PINI, "YES") field(MDEL, "-1") field(ADEL, "-1")'
NAMES = f"""
record(ao, "$(P)AO") {{ {PROCESSED} field(DESC, "two words") }}
record(ao, "$(P)A[1]:<b>;c") {{ {PROCESSED} }}
record(lso, "$(P)LONG") {{ field(PINI, "YES") field(SIZV, "3000") }}
record(stringout, "$(P)BYTES") {{ field(PINI, "YES") field(VAL, "caf\udce9 \udcb0C") }}
record(mbbo, "$(P)STATE") {{ field(PINI, "YES") field(ZRST, "zu \udcb0") field(ONST, "ge\udcf6ffnet") field(VAL, "0") }}
record(waveform, "$(P)WAVE") {{ field(PINI, "YES") field(FTVL, "DOUBLE") field(NELM, "100") }}
record(waveform, "$(P)CHARS") {{ field(PINI, "YES") field(FTVL, "CHAR") field(NELM, "300") }}
record(waveform, "$(P)ONE") {{ field(PINI, "YES") field(FTVL, "LONG") field(NELM, "1") }}
"""
FILTERED = ['AO.{"dbnd":{"d":1.5}}', "WAVE.[0:3]", 'WAVE.{"arr":{"s":1,"e":3}}', "WAVE.[1:1]"]
FIELDS = ["AO.HIHI", "AO.EGU", "AO.DESC$", "AO.PREC", "LONG.VAL$"]
PLAIN = ["AO", "A[1]:<b>;c", "BYTES", "STATE", "WAVE", "CHARS", "ONE"]


def write_database(directory: Path, text: str) -> Path:
    """A database with bytes that are not UTF-8 (surrogates stand for them)."""
    path = directory / "bytes.db"
    path.write_bytes(text.encode(errors="surrogateescape"))
    return path


def in_spool(name: str, value: object) -> object:
    """What the spool should hold for a value that the independent client saw."""
    if isinstance(value, list):
        if name.endswith(("$", "CHARS")):
            return bytes(value).split(b"\0")[0]
        return [float(one) for one in value]
    return value.encode(errors="surrogateescape") if isinstance(value, str) else value


@with_both
def test_names_of_every_kind(
    softioc: SoftIocFactory,
    ca_watch: CaWatchFactory,
    ca_client: CaClientFactory,
    engine_process: EngineFactory,
    prefix: str,
    tmp_path: Path,
) -> None:
    """Records, fields, long strings, ranges and channel filters give the values that an independent client sees, byte for byte."""
    ioc = softioc(write_database(tmp_path, NAMES), f"P={prefix}")
    engine = engine_process([ioc.port])
    names = [prefix + name for name in (*PLAIN, *FIELDS, *FILTERED)]
    for name in names:
        engine.archive.add(name, as_text=name.endswith(("$", "CHARS")))
    engine.start()
    watch = ca_watch(names, [ioc.port])
    wait_until(lambda: len(watch.by_channel()) == len(names), 20, "the client sees all channels")
    for name in names:
        engine.wait_for_state(name, ChannelState.ARCHIVING)
        wait_until(lambda name=name: engine.samples(name), 10, f"a first sample of {name}")  # type: ignore[misc]
    client = ca_client([ioc.port])
    client.put(prefix + "AO.DESC$", "x" * 40)
    for value in (1.0, 2.0, 4.0):
        client.put(prefix + "AO", value)
        client.put(prefix + "AO.HIHI", value + 100)
        client.put(prefix + "A[1]:<b>;c", -value)
        client.put(prefix + "WAVE", [value, value + 1, value + 2, value + 3, value + 4])
        client.put(prefix + "ONE", int(value))
    client.put(prefix + "AO.EGU", "mm")
    client.put(prefix + "LONG.VAL$", "long " * 500)
    client.put(prefix + "LONG.VAL$", "short")
    client.put(prefix + "CHARS", "text of an array of characters, longer than a string")
    client.put(prefix + "CHARS", "")
    client.put(prefix + "STATE", 1)
    for name in names:
        wait_until(lambda name=name: len(engine.true(name)) >= len(watch.by_channel()[name]) - 1, 10, f"all of {name}")  # type: ignore[misc]
    time.sleep(0.3)
    assert engine.stop() == 0
    assert watch.stop() == 0
    for name in names:
        seen = [in_spool(name, update.value) for update in watch.by_channel()[name]]
        assert _without_first(engine.values(name), seen) == seen, name
    assert engine.true(prefix + "STATE")[-1].label == b"ge\xf6ffnet"
    assert engine.values(prefix + "BYTES")[-1] == b"caf\xe9 \xb0C"
    assert engine.metas(prefix + "STATE")[-1].labels == ("zu \xb0", "ge\xf6ffnet")
    assert max(len(value) for value in engine.values(prefix + "LONG.VAL$") if isinstance(value, bytes)) == 2500
    engine.check_conservation()


def _without_first(found: list[object], seen: list[object]) -> list[object]:
    """A first value that is only written at receive time (the record was never processed) is not among the true samples."""
    return [seen[0], *found] if len(found) == len(seen) - 1 else found


@with_one
def test_arrays_within_their_limits(
    softioc: SoftIocFactory, ca_client: CaClientFactory, engine_process: EngineFactory, prefix: str, tmp_path: Path
) -> None:
    """Arrays of no and of all elements are stored; those beyond max_elements as statistics, whole, or not at all, with one event."""
    text = "".join(
        f'record(waveform, "{prefix}{name}") {{ field(PINI, "YES") field(FTVL, "DOUBLE") field(NELM, "50") }}\n' for name in ("S", "W", "R")
    )
    ioc = softioc(write_database(tmp_path, text))
    engine = engine_process([ioc.port])
    for name, policy in {"S": LargeArrays.STATISTICS, "W": LargeArrays.STORE, "R": LargeArrays.REFUSE}.items():
        engine.archive.add(prefix + name, max_elements=3, large_arrays=policy)
    engine.start()
    client = ca_client([ioc.port])
    for name in "SWR":
        engine.wait_for_samples(prefix + name, 1)
    for values in ([1.0, 2.0], [1.0, 2.0, 3.0, 6.0], [1.0] * 5):
        for name in "SWR":
            client.put(prefix + name, values)
        if len(values) == 4:
            engine.wait_for_state(prefix + "R", ChannelState.REJECTED)
    wait_until(lambda: "5 elements" in engine.state(prefix + "R")[1], 10, "the newest refusal is shown")
    engine.wait_for_samples(prefix + "S", 4)
    engine.archive.set(prefix + "R", max_elements=5)
    engine.wait_for_state(prefix + "R", ChannelState.ARCHIVING)
    assert engine.stop() == 0
    assert engine.values(prefix + "W") == [[], [1.0, 2.0], [1.0, 2.0, 3.0, 6.0], [1.0] * 5]
    assert engine.values(prefix + "S") == [[], [1.0, 2.0], [4.0, 1.0, 6.0, 3.0, 3.5**0.5], [5.0, 1.0, 1.0, 1.0, 0.0]]
    assert [one.flags for one in engine.true(prefix + "S")][-2:] == [SampleFlag.STATISTICS] * 2
    assert engine.values(prefix + "R") == [[], [1.0, 2.0], [1.0] * 5]
    assert [one.text for one in engine.events(prefix + "R", Reason.REJECTED)] == ["array of 4 elements, max_elements is 3"]
    engine.check_conservation()


METADATA = """
record(ao, "$(P)AO") { field(PINI, "YES") field(EGU, "mA") field(PREC, "2") field(HOPR, "10") }
record(mbbo, "$(P)STATE") { field(PINI, "YES") field(VAL, "0") field(ZRST, "idle") field(ONST, "ramp") }
"""


@with_one
def test_metadata_is_followed(softioc: SoftIocFactory, ca_client: CaClientFactory, engine_process: EngineFactory, prefix: str) -> None:
    """Other units, limits and labels are stored as soon as the IOC tells them, and the next sample has the new label."""
    ioc = softioc(METADATA, f"P={prefix}")
    engine = engine_process([ioc.port])
    ao, state = prefix + "AO", prefix + "STATE"
    for name in (ao, state):
        engine.archive.add(name)
    engine.start()
    for name in (ao, state):
        wait_until(lambda name=name: engine.metas(name), 10, f"metadata of {name}")  # type: ignore[misc]
        engine.wait_for_samples(name, 1)
    client = ca_client([ioc.port])
    client.put(state, 1)
    engine.wait_for_samples(state, 2)
    client.put(ao + ".EGU", "A")
    wait_until(lambda: engine.metas(ao)[-1].units == "A", 10, "new units")
    client.put(ao + ".HOPR", 20.0)
    wait_until(lambda: engine.metas(ao)[-1].display_high == 20.0, 10, "new limit")
    client.put(state + ".ONST", "ramping")
    wait_until(lambda: engine.metas(state)[-1].labels[1] == "ramping", 10, "new label")
    client.put(state, 0)
    client.put(state, 1)
    engine.wait_for_samples(state, 4)
    assert engine.stop() == 0
    assert [(one.units, one.precision, one.display_high) for one in engine.metas(ao)] == [("mA", 2, 10.0), ("A", 2, 10.0), ("A", 2, 20.0)]
    assert [one.labels for one in engine.metas(state)] == [("idle", "ramp"), ("idle", "ramping")]
    assert [one.label for one in engine.true(state)] == [b"idle", b"ramp", b"idle", b"ramping"]
    engine.check_conservation()


@with_one
def test_metadata_is_followed_after_an_outage(
    softioc: SoftIocFactory, ca_client: CaClientFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """A channel that was lost and searched for again tells each change of its metadata once."""
    ioc = softioc(METADATA, f"P={prefix}")
    engine = engine_process([ioc.port])
    ao = prefix + "AO"
    engine.archive.add(ao)
    engine.start()
    engine.wait_for_samples(ao, 1)
    ioc.restart()
    engine.wait_for_samples(ao, 2, 40)
    client = ca_client([ioc.port])
    for units in ("A", "kA"):
        client.put(ao + ".EGU", units)
        wait_until(lambda units=units: engine.metas(ao)[-1].units == units, 10, "new units")  # type: ignore[misc]
    assert engine.stop() == 0
    assert [one.units for one in engine.metas(ao)] == ["mA", "A", "kA"]
    engine.check_conservation()


BEFORE = """
record(longin, "$(P)A") { field(PINI, "YES") field(VAL, "3") }
record(ai, "$(P)B") { field(PINI, "YES") field(VAL, "1.5") }
record(waveform, "$(P)C") { field(PINI, "YES") field(FTVL, "LONG") field(NELM, "2") field(INP, [1, 2]) }
record(stringin, "$(P)D") { field(PINI, "YES") field(VAL, "word") }
"""
AFTER = """
record(ai, "$(P)A") { field(PINI, "YES") field(VAL, "2.75") field(EGU, "V") }
record(waveform, "$(P)B") { field(PINI, "YES") field(FTVL, "DOUBLE") field(NELM, "3") field(INP, [7.5, 8.5, 9.5]) }
record(waveform, "$(P)C") { field(PINI, "YES") field(FTVL, "LONG") field(NELM, "3") field(INP, [4, 5, 6]) }
record(bi, "$(P)D") { field(PINI, "YES") field(VAL, "1") field(ZNAM, "off") field(ONAM, "on") }
"""


@with_one
def test_a_channel_comes_back_as_another(softioc: SoftIocFactory, engine_process: EngineFactory, prefix: str, tmp_path: Path) -> None:
    """Another type or size after a restart of the IOC: told once, with new metadata, and nothing of a wrong type is stored."""
    ioc = softioc(BEFORE, f"P={prefix}")
    engine = engine_process([ioc.port])
    names = [prefix + name for name in "ABCD"]
    for name in names:
        engine.archive.add(name)
    engine.start()
    for name in names:
        engine.wait_for_samples(name, 1)
    (tmp_path / "ioc0" / "ioc.db").write_text(AFTER)
    ioc.restart()
    for name in names:
        engine.wait_for_samples(name, 2, 40)
        wait_until(lambda name=name: len(engine.metas(name)) == 2, 10, f"new metadata of {name}")  # type: ignore[misc]
    assert engine.stop() == 0
    assert [engine.values(name) for name in names] == [[3.0, 2.75], [1.5, [7.5, 8.5, 9.5]], [[1.0, 2.0], [4.0, 5.0, 6.0]], [b"word", 1.0]]
    told = [[one.text for one in engine.events(name, Reason.TYPE_CHANGED)] for name in names]
    assert told == [
        ["LONG became DOUBLE"],
        ["DOUBLE became DOUBLE[3]"],
        ["LONG[2] became LONG[3]"],
        ["STRING became ENUM"],
    ]
    assert [engine.metas(name)[-1].dbr for name in names] == [Dbr.DOUBLE, Dbr.DOUBLE, Dbr.LONG, Dbr.ENUM]
    assert engine.true(names[3])[-1].label == b"on"
    engine.check_conservation()


def connects(engine: EngineProcess, name: str, value: object) -> None:
    """The engine finds the channel, and its value."""
    engine.wait_for_state(name, ChannelState.ARCHIVING)
    engine.wait_for_samples(name, 1)
    assert engine.values(name) == [value]


@with_one
def test_settings_go_to_libca(
    softioc: SoftIocFactory, ca_client: CaClientFactory, engine_process: EngineFactory, prefix: str, repeater_port: int
) -> None:
    """A name server alone finds channels; without the setting the environment holds; an array beyond max_array_bytes is told."""
    ioc = softioc(
        'record(ao, "$(P)A") { field(VAL, "5") field(PINI, "YES") }\n'
        'record(waveform, "$(P)BIG") { field(PINI, "YES") field(FTVL, "DOUBLE") field(NELM, "3000") }',
        f"P={prefix}",
    )
    server = f"127.0.0.1:{ioc.port}"
    repeater = {"EPICS_CA_REPEATER_PORT": str(repeater_port)}
    by_settings = {"name_servers": [server], "addr_list": [], "auto_addr_list": False, "max_array_bytes": 20000}
    elsewhere = {"EPICS_CA_ADDR_LIST": "127.0.0.1:9", "EPICS_CA_NAME_SERVERS": "127.0.0.1:9"}
    by_environment = {"EPICS_CA_NAME_SERVERS": server, "EPICS_CA_ADDR_LIST": "", "EPICS_CA_AUTO_ADDR_LIST": "NO"}
    told = engine_process([], by_settings, elsewhere | repeater)
    silent = engine_process([], {}, by_environment | repeater)
    for engine in (told, silent):
        engine.archive.add(prefix + "A")
        engine.archive.add(prefix + "BIG")
        engine.start()
    for engine in (told, silent):
        connects(engine, prefix + "A", 5.0)
    ca_client([ioc.port]).put(prefix + "BIG", [1.5] * 3000)
    silent.wait_for_samples(prefix + "BIG", 2)
    told.wait_for_state(prefix + "BIG", ChannelState.REJECTED)
    assert told.state(prefix + "BIG")[1] == "array of 3000 elements: see max_array_bytes, ring_bytes"
    for engine in (told, silent):
        assert engine.stop() == 0
    assert [len(one) for one in silent.values(prefix + "BIG") if isinstance(one, list)] == [0, 3000]
    assert told.values(prefix + "BIG") == [[]]
    assert len(told.events(prefix + "BIG", Reason.REJECTED)) == 1


@with_one
def test_without_a_repeater_the_log_stays_clean(
    softioc: SoftIocFactory, engine_process: EngineFactory, prefix: str, ports: Callable[[int], list[int]]
) -> None:
    """Where no CA repeater is installed the engine runs one, which ends with it; every line of the log is an event."""
    ioc = softioc('record(ao, "$(P)A") { field(VAL, "5") field(PINI, "YES") }', f"P={prefix}")
    (port,) = ports(1)
    engine = engine_process([], {}, on_servers([ioc.port], port))
    engine.archive.add(prefix + "A")
    engine.start()
    connects(engine, prefix + "A", 5.0)
    assert not bindable(port)
    ioc.kill()
    engine.wait_for_state(prefix + "A", ChannelState.DISCONNECTED)
    wait_until(lambda: "ioc_connection_lost" in engine.log.read_text(), 10, "the lost connection is in the log")
    assert engine.stop() == 0
    wait_until(lambda: bindable(port), 10, "the repeater has ended")
    assert [line for line in engine.log.read_text().splitlines() if not line.startswith("{")] == []


def bindable(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def counter_records(count: int) -> str:
    return "".join(
        f'record(calc, "$(P)COUNT{at}") {{ field(SCAN, ".1 second") field(INPA, "$(P)COUNT{at} NPP NMS") field(CALC, "A+1") }}\n'
        for at in range(count)
    )


COUNTERS = counter_records(50)
GUARD = """
ASG(DEFAULT) { INPA($(P)GUARD) RULE(1, READ) { CALC("A=1") } }
ASG(OPEN) { RULE(1, WRITE) }
"""


class SilentServer:
    """Finds every channel by name and accepts TCP connections, but never answers there."""

    def __init__(self, port: int) -> None:
        self._tcp = socket.create_server(("127.0.0.1", port))
        self._tcp.settimeout(0.1)
        self._taken: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def circuits(self) -> int:
        """Connections that were made to it."""
        return len(self._taken)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                self._taken.append(self._tcp.accept()[0])
            except TimeoutError:
                continue

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        for one in (self._tcp, *self._taken):
            one.close()


@pytest.fixture
def silent_server(ports: Callable[[int], list[int]]) -> Iterator[tuple[SilentServer, int]]:
    (port,) = ports(1)
    server = SilentServer(port)
    yield server, port
    server.close()


@pytest.fixture
def guarded_ioc(repeater_port: int, ports: Callable[[int], list[int]], tmp_path: Path, prefix: str) -> Iterator[int]:
    """The port of an IOC whose record `LOCKED` may be read while `GUARD` is 1, which it is not."""
    (port,) = ports(1)
    acf, database = tmp_path / "guard.acf", tmp_path / "guarded.db"
    acf.write_text(GUARD.replace("$(P)", prefix))
    database.write_text(
        f'record(ao, "{prefix}LOCKED") {{ field(PINI, "YES") field(VAL, "4") }}\nrecord(ao, "{prefix}GUARD") {{ field(ASG, "OPEN") }}'
    )
    environment = with_variables(server_variables(port, repeater_port))
    command = [sys.executable, "-m", "tests.processes.guarded_ioc", str(os.getpid()), str(acf), str(database)]
    child = Child("guarded IOC", command, tmp_path / "guarded.log", environment)
    child.wait_for_output("IOC Running", 20)
    yield port
    child.stop()


@pytest.mark.proof
@with_both
def test_servers_that_hang_or_refuse_delay_nobody(
    softioc: SoftIocFactory,
    ca_watch: CaWatchFactory,
    ca_client: CaClientFactory,
    engine_process: EngineFactory,
    silent_server: tuple[SilentServer, int],
    guarded_ioc: int,
    prefix: str,
) -> None:
    """An IOC that hangs, a server that never answers and one that allows no reading leave all others alone, and the engine's stop too."""
    server, silent_port = silent_server
    healthy = softioc(COUNTERS, f"P={prefix}")
    hanging = softioc(COUNTERS, f"P={prefix}H:")
    counters = [f"{prefix}COUNT{at}" for at in range(50)]
    engine = engine_process(
        [healthy.port, hanging.port, guarded_ioc],
        {"name_servers": [f"127.0.0.1:{silent_port}"]},
        rows=128,
    )
    for name in (*counters, *(f"{prefix}H:COUNT{at}" for at in range(50)), prefix + "LOCKED"):
        engine.archive.add(name)
    engine.start()
    engine.wait_for_state(f"{prefix}H:COUNT49", ChannelState.ARCHIVING)
    engine.wait_for_state(prefix + "LOCKED", ChannelState.REJECTED)
    assert engine.state(prefix + "LOCKED")[1] == "no read access"
    wait_until(lambda: server.circuits, 10, "the silent server is asked")
    watch = ca_watch(counters, [healthy.port])
    watch.wait_for(3, counters[-1])
    os.kill(hanging.pid, signal.SIGSTOP)
    try:
        engine.archive.add(counters[0] + ".CALC")
        engine.wait_for_state(counters[0] + ".CALC", ChannelState.ARCHIVING)
        worst = 0.0
        for _ in range(20):
            time.sleep(0.1)
            worst = max(worst, float(engine.archive.table.status.head["loop_lag"][0]))
        ca_client([guarded_ioc]).put(prefix + "GUARD", 1)
        engine.wait_for_state(prefix + "LOCKED", ChannelState.ARCHIVING)
        engine.wait_for_samples(prefix + "LOCKED", 1)
        assert worst < 1.0
        started = time.monotonic()
        assert watch.stop() == 0
        time.sleep(0.3)
        assert engine.stop() == 0
        assert time.monotonic() - started < 8
    finally:
        os.kill(hanging.pid, signal.SIGCONT)
    numbers = engine.numbers()
    for name, updates in watch.by_channel().items():
        seen, found = [update.value for update in updates], numbers[name]
        assert found[found.index(float(str(seen[0]))) :][: len(seen)] == seen, name
    assert [one.text for one in engine.events(prefix + "LOCKED", Reason.REJECTED)] == ["no read access"]
    engine.check_conservation()


@pytest.mark.proof
@with_both
def test_a_large_array_stalls_no_scalar(
    softioc: SoftIocFactory, ca_watch: CaWatchFactory, ca_client: CaClientFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """Beside a million doubles ten times a second every count of 1000 scalars is stored, and arrays that find no room are counted."""
    large = 'record(waveform, "$(P)LARGE") { field(SCAN, ".1 second") field(FTVL, "DOUBLE") field(NELM, "1000000") }'
    ioc = softioc(counter_records(1000) + large, f"P={prefix}")
    ca_client([ioc.port]).put(prefix + "LARGE", [0.5] * 1_000_000, timeout_s=20)
    counters = [f"{prefix}COUNT{at}" for at in range(1000)]
    engine = engine_process([ioc.port], rows=1001, ring_bytes=64_000_000)
    engine.archive.add(prefix + "LARGE", quota=0.0, max_elements=1000)
    for name in counters:
        engine.archive.add(name)
    engine.start()
    engine.wait_for_samples(prefix + "LARGE", 2)
    watch = ca_watch(counters, [ioc.port])
    watch.wait_for(3, counters[-1])
    worst = 0.0
    for _ in range(30):
        time.sleep(0.1)
        worst = max(worst, float(engine.archive.table.status.head["loop_lag"][0]))
    assert watch.stop() == 0
    time.sleep(0.5)
    assert engine.stop() == 0
    numbers = engine.numbers()
    for name, updates in watch.by_channel().items():
        seen, found = [update.value for update in updates], numbers[name]
        assert found[found.index(float(str(seen[0]))) :][: len(seen)] == seen, name
    assert engine.values(prefix + "LARGE")[-1] == [1e6, 0.5, 0.5, 0.5, 0.0]
    assert worst < 1.0
    engine.check_conservation()
