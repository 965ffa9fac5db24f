"""What the real collector process makes of real IOCs, compared with an independent client; with both event callbacks."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from archioc.core.channel import LargeArrays
from archioc.core.dbr import Dbr
from archioc.core.events import Reason
from archioc.core.spool.batch import SampleFlag
from archioc.core.table.table import ChannelState
from tests.conftest import CaClientFactory, CaWatchFactory, EngineFactory, SoftIocFactory
from tests.processes.engine_process import EngineProcess, on_servers, with_both, with_one
from tests.processes.waiting import PATIENCE_S, wait_until

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
    wait_until(lambda: len(watch.by_channel()) == len(names), PATIENCE_S, "the client sees all channels")
    for name in names:
        engine.wait_for_state(name, ChannelState.ARCHIVING)
        wait_until(lambda name=name: engine.samples(name), PATIENCE_S, f"a first sample of {name}")  # type: ignore[misc]
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
        wait_until(lambda name=name: len(engine.true(name)) >= len(watch.by_channel()[name]) - 1, PATIENCE_S, f"all of {name}")  # type: ignore[misc]
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
    wait_until(lambda: "5 elements" in engine.state(prefix + "R")[1], PATIENCE_S, "the newest refusal is shown")
    engine.wait_for_samples(prefix + "S", 4)
    engine.archive.set(prefix + "R", max_elements=5)
    engine.wait_for_state(prefix + "R", ChannelState.ARCHIVING)
    engine.wait_for_samples(prefix + "R", 3)
    engine.wait_for_samples(prefix + "W", 4)
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
        wait_until(lambda name=name: engine.metas(name), PATIENCE_S, f"metadata of {name}")  # type: ignore[misc]
        engine.wait_for_samples(name, 1)
    client = ca_client([ioc.port])
    client.put(state, 1)
    engine.wait_for_samples(state, 2)
    client.put(ao + ".EGU", "A")
    wait_until(lambda: engine.metas(ao)[-1].units == "A", PATIENCE_S, "new units")
    client.put(ao + ".HOPR", 20.0)
    wait_until(lambda: engine.metas(ao)[-1].display_high == 20.0, PATIENCE_S, "new limit")
    client.put(state + ".ONST", "ramping")
    wait_until(lambda: engine.metas(state)[-1].labels[1] == "ramping", PATIENCE_S, "new label")
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
    engine.wait_for_samples(ao, 2)
    client = ca_client([ioc.port])
    for units in ("A", "kA"):
        client.put(ao + ".EGU", units)
        wait_until(lambda units=units: engine.metas(ao)[-1].units == units, PATIENCE_S, "new units")  # type: ignore[misc]
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
        engine.wait_for_samples(name, 2)
        wait_until(lambda name=name: len(engine.metas(name)) == 2, PATIENCE_S, f"new metadata of {name}")  # type: ignore[misc]
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
        engine.wait_for_samples(prefix + "BIG", 1)
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
    wait_until(lambda: not bindable(port), PATIENCE_S, "the engine runs a repeater")
    ioc.kill()
    engine.wait_for_state(prefix + "A", ChannelState.DISCONNECTED)
    wait_until(lambda: "ioc_connection_lost" in engine.log.read_text(), PATIENCE_S, "the lost connection is in the log")
    assert engine.stop() == 0
    wait_until(lambda: bindable(port), PATIENCE_S, "the repeater has ended")
    assert [line for line in engine.log.read_text().splitlines() if not line.startswith("{")] == []


def bindable(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
