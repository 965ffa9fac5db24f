"""Every type of record, in both stores: what is stored equals what an independent CA client saw."""

from __future__ import annotations

import base64
import math
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from archioc.demo.updates import Update, Value
from tests.conftest import ArchiverFactory, CaClientFactory, CaWatchFactory, SoftIocFactory
from tests.processes.archiver_answers import Stored
from tests.processes.influxd import InfluxDatabase
from tests.processes.waiting import wait_until

ALWAYS = 'field(PINI, "YES") field(MDEL, "-1") field(ADEL, "-1")'
LIMITS = 'field(HIHI, "100") field(HHSV, "MAJOR") field(HIGH, "50") field(HSV, "MINOR") field(LOLO, "-100") field(LLSV, "MAJOR")'

RECORDS = f"""
record(ai, "$(P)AI") {{ {ALWAYS} {LIMITS} field(EGU, "mA") field(PREC, "3") }}
record(ao, "$(P)AO") {{ {ALWAYS} {LIMITS} }}
record(calc, "$(P)CALC") {{ {ALWAYS} {LIMITS} field(INPA, "$(P)AO CP NMS") field(CALC, "A*2") }}
record(longin, "$(P)LONG") {{ {ALWAYS} {LIMITS} }}
record(int64in, "$(P)INT64") {{ {ALWAYS} {LIMITS} }}
record(bi, "$(P)BI") {{
    field(PINI, "YES") field(ZNAM, "Closed, \\"shut\\"") field(ONAM, "Open") field(OSV, "MAJOR") field(COSV, "MINOR")
}}
record(mbbi, "$(P)MBBI") {{
    field(PINI, "YES") field(ZRST, "Idle") field(ONST, "Ramp up") field(TWST, "Trip") field(TWSV, "MAJOR") field(UNSV, "INVALID")
}}
record(stringin, "$(P)STRING") {{ field(PINI, "YES") }}
record(lsi, "$(P)LSI") {{ field(PINI, "YES") field(SIZV, "200") }}
record(waveform, "$(P)WDOUBLE") {{ field(PINI, "YES") field(FTVL, "DOUBLE") field(NELM, "8") }}
record(waveform, "$(P)WFLOAT") {{ field(PINI, "YES") field(FTVL, "FLOAT") field(NELM, "8") }}
record(waveform, "$(P)WLONG") {{ field(PINI, "YES") field(FTVL, "LONG") field(NELM, "8") }}
record(waveform, "$(P)WSHORT") {{ field(PINI, "YES") field(FTVL, "SHORT") field(NELM, "8") }}
record(waveform, "$(P)WCHAR") {{ field(PINI, "YES") field(FTVL, "CHAR") field(NELM, "80") }}
record(waveform, "$(P)WSTRING") {{ field(PINI, "YES") field(FTVL, "STRING") field(NELM, "4") }}
"""

NUMBERS = [0.1, -0.0, 1e300, -1e-300, 5e-324, 75.0, 150.0, -150.0, math.nan, math.inf, -math.inf, 2**53 + 1.0, 0.30000000000000004]
INTEGERS = [1, -1, 75, 150, -150, 2**31 - 1, -(2**31), 0]
TEXTS = ["two words", 'a "quoted", comma=and', "back\\slash\\", "50 µm ± 1 °C", " leading and trailing ", "", "it's 100 %", "x" * 39]
ARRAYS = [[1.5], [0.1, -0.0, 1e300, -7.25], [0.0] * 8, [3.0, 2.0]]
INTEGER_ARRAYS = [[1], [-1, 2**15 - 1, -(2**15)], [0] * 8]

PUTS: dict[str, Sequence[object]] = {
    "AI": NUMBERS,
    "AO": NUMBERS,
    "LONG": INTEGERS,
    "INT64": [*INTEGERS, 2**40],
    "BI": [1, 0, 1],
    "MBBI": [1, 2, 0, 7],
    "STRING": TEXTS,
    "LSI": TEXTS,
    "WDOUBLE": ARRAYS,
    "WFLOAT": [[0.5, -1e30], [0.1]],
    "WLONG": [*INTEGER_ARRAYS, [2**31 - 1, -(2**31)]],
    "WSHORT": INTEGER_ARRAYS,
    "WCHAR": ["plain", 'µ \\ " ,', "y" * 79],
    "WSTRING": [["one", "two words", "3 µm"], ["a,b", 'q"', "back\\", ""]],
}
NAMES = [*PUTS, "CALC"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What is compared. value: a number as the bytes of the float64, so that it is equal to the last bit."""

    time_ns: int
    value: bytes | str | tuple[bytes | str, ...]
    severity: int
    status: int


def exact(value: object) -> bytes | str | tuple[bytes | str, ...]:
    """A number bit for bit, with all NaN alike; a text as it is; an array of these."""
    if isinstance(value, list):
        return tuple(_scalar(one) for one in value)
    return _scalar(value)


def _scalar(value: object) -> bytes | str:
    if isinstance(value, str):
        return value
    assert isinstance(value, int | float)
    return b"NaN" if math.isnan(value) else struct.pack("<d", value)


def _without_sign_of_zero(value: Value) -> Value:
    """InfluxDB answers -0.0 as `-0`, which is the integer 0 to the plain reader of JSON that this test uses."""
    return value + 0.0 if isinstance(value, float) else value


def seen(updates: Sequence[Update]) -> list[Sample]:
    return [Sample(one.time_ns, exact(one.value), one.severity, one.status) for one in updates]


def told(samples: Sequence[Stored], of_numbers: bool) -> list[Sample]:
    """What the command line says, in which JSON has words for numbers that are not finite."""
    return [Sample(one.time_ns, exact(_number(one.value) if of_numbers else one.value), one.severity, one.status) for one in samples]


def _number(value: object) -> object:
    return float(value) if isinstance(value, str) else value


def in_influxdb(database: InfluxDatabase, channel: str) -> list[Sample]:
    """The points of a channel that are updates of the IOC, read with InfluxQL and decoded here."""
    fields = "value, nan, text, severity, status, flags"
    points = database.query(f"SELECT {fields} FROM sample WHERE pv = '{channel}'") + database.query(
        f"SELECT data, dtype, severity, status, flags FROM array WHERE pv = '{channel}'"
    )
    return [
        Sample(int(str(point["time"])), exact(_point_value(point)), int(str(point["severity"] or 0)), int(str(point["status"] or 0)))
        for point in sorted(points, key=lambda point: int(str(point["time"])))
        if not point["flags"]
    ]


def _point_value(point: dict[str, object]) -> object:
    if point.get("data") is not None:
        elements = np.frombuffer(base64.b64decode(str(point["data"])), str(point["dtype"]))
        return [one.decode() if isinstance(one, bytes) else one for one in elements.tolist()]
    if point.get("nan") is not None:
        return {1: math.nan, 2: math.inf, 3: -math.inf}[int(str(point["nan"]))]
    return point["text"] if point["value"] is None else float(str(point["value"]))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["embedded", "influxdb"])
def test_every_type(
    kind: str,
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    ca_client: CaClientFactory,
    ca_watch: CaWatchFactory,
    prefix: str,
    request: pytest.FixtureRequest,
) -> None:
    """Values to the last bit, time stamps to the nanosecond, severities and statuses of every record type are those that a client saw."""
    database: InfluxDatabase | None = request.getfixturevalue("influx_database") if kind == "influxdb" else None
    ioc = softioc(RECORDS, f"P={prefix}")
    names = [prefix + name for name in NAMES]
    store = {"influxdb": {"url": database.url, "bucket": database.name}} if database else {"embedded": {}}
    made = archiver(names, [ioc.port], store)
    made.start(connected=len(names))
    watch = ca_watch(names, [ioc.port])
    wait_until(lambda: len(watch.by_channel()) == len(names), 20, "the client sees all channels")
    client = ca_client([ioc.port])
    for name, values in PUTS.items():
        for value in values:
            client.put(prefix + name, value)
    until_ns = time.time_ns()
    wait_until(lambda: made.overview().conservation.received >= sum(map(len, PUTS.values())), 20, "the archiver has received all")
    assert made.stop() == 0
    assert watch.stop() == 0
    histories = made.check_conservation().histories
    for short, name in zip(NAMES, names, strict=True):
        updates = watch.by_channel()[name]
        expected = seen(updates)
        assert len(expected) > len(PUTS.get(short, NUMBERS)) // 2, short
        assert all(one.time_ns < until_ns for one in expected)
        assert told(histories[name].true, not short.endswith(("STRING", "LSI"))) == expected, short
        if database is not None:
            assert in_influxdb(database, name) == seen([replace(one, value=_without_sign_of_zero(one.value)) for one in updates]), short
    labels = {(sample.value, sample.label) for sample in histories[prefix + "MBBI"].samples}
    assert {(0, "Idle"), (1, "Ramp up"), (2, "Trip")} <= labels
    assert (0, 'Closed, "shut"') in {(sample.value, sample.label) for sample in histories[prefix + "BI"].samples}
