"""Every type of record, in both stores: what is stored equals what an independent CA client saw."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from archioc.core.spool.encoding.plain_text import original
from archioc.demo.updates import Update, Value
from tests.archives.archive_of_types import start_archive_of_types
from tests.conftest import ArchiverFactory, CaClientFactory, CaWatchFactory, SoftIocFactory
from tests.processes.archiver_answers import History, Stored
from tests.processes.influxd import InfluxDatabase
from tests.processes.waiting import PATIENCE_S, wait_until
from tests.records.type_table import TYPES

NEVER_NS = 631_152_000 * 10**9
"""The stamp of a record that was never processed: 1990-01-01."""
LATIN_1 = 8
"""The flag of a text whose bytes are not UTF-8 (`docs/reference/contract/files.md`)."""


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


def as_text(update: Update) -> Update:
    """A long string, which is an array of characters for a client, as the text that it is."""
    assert isinstance(update.value, list)
    raw = bytes(int(one) for one in update.value).split(b"\0", 1)[0]
    try:
        return replace(update, value=raw.decode())
    except UnicodeDecodeError:
        return replace(update, value=raw.decode("latin-1"))


def seen(updates: Sequence[Update]) -> list[Sample]:
    return [Sample(one.time_ns, exact(one.value), one.severity, one.status) for one in updates]


def told(samples: Sequence[Stored], of_numbers: bool) -> list[Sample]:
    """What the command line says, in which JSON has words for numbers that are not finite."""
    return [Sample(one.time_ns, exact(_number(one.value) if of_numbers else one.value), one.severity, one.status) for one in samples]


def _number(value: object) -> object:
    if isinstance(value, list):
        return [_number(one) for one in value]
    return float(value) if isinstance(value, str) else value


def in_influxdb(database: InfluxDatabase, channel: str) -> list[Sample]:
    """The points of a channel that are updates of the IOC, read with InfluxQL and decoded here."""
    fields = "value, non_finite, text, severity, status, flags"
    points = database.query(f"SELECT {fields} FROM sample WHERE pv = '{channel}'") + database.query(
        f"SELECT data, dtype, severity, status, flags FROM array WHERE pv = '{channel}'"
    )
    return [
        Sample(int(str(point["time"])), exact(_point_value(point)), int(str(point["severity"] or 0)), int(str(point["status"] or 0)))
        for point in sorted(points, key=lambda point: int(str(point["time"])))
        if not int(str(point["flags"] or 0)) & ~LATIN_1
    ]


def _point_value(point: dict[str, object]) -> object:
    if point.get("data") is not None:
        elements = np.frombuffer(base64.b64decode(str(point["data"])), str(point["dtype"]))
        return [one.decode() if isinstance(one, bytes) else one for one in elements.tolist()]
    if point.get("non_finite") is not None:
        return {1: math.nan, 2: math.inf, 3: -math.inf}[int(str(point["non_finite"]))]
    return original(str(point["text"])) if point["value"] is None else float(str(point["value"]))


def has_all(seen_by_client: Mapping[str, Sequence[Update]], newest: Mapping[str, int]) -> bool:
    """Whether the last update of each channel is as new as its record."""
    return all(seen_by_client[name][-1].time_ns >= newest_ns for name, newest_ns in newest.items())


def check_never_processed(update: Update, history: History) -> None:
    """What a record that was never processed holds is stored at its receive time, with the stamp that it has."""
    [sample] = history.samples
    assert sample.generated
    assert (sample.src_time_ns, sample.value, sample.severity, sample.status) == (NEVER_NS, update.value, update.severity, update.status)
    assert abs(sample.time_ns - update.received_ns) < 60 * 10**9


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
    store = {"influxdb": {"url": database.url, "bucket": database.name}} if database else {"embedded": {}}
    site = start_archive_of_types(archiver, softioc, prefix, store)
    made, names = site.archiver, site.names
    watch = ca_watch(names, [site.ioc.port])
    wait_until(lambda: len(watch.by_channel()) == len(names), PATIENCE_S, "the client sees all channels")
    client = ca_client([site.ioc.port])
    site.put_all(client)
    newest = {prefix + row.channel: site.stamp_ns(client, row.name) for row in TYPES if row.at_least}
    wait_until(lambda: has_all(watch.by_channel(), newest), PATIENCE_S, "the client has seen the newest values")
    assert made.stop() == 0
    assert watch.stop() == 0
    histories = made.check_conservation().histories
    seen_by_client = watch.by_channel()
    for row, name in zip(TYPES, names, strict=True):
        updates = [as_text(one) if row.long else one for one in seen_by_client[name] if one.time_ns != NEVER_NS]
        assert len(updates) >= row.at_least, row.name
        if not row.at_least:
            check_never_processed(seen_by_client[name][0], histories[name])
        assert told(histories[name].true, not row.textual) == seen(updates), row.name
        if database is not None:
            assert in_influxdb(database, name) == seen([replace(one, value=_without_sign_of_zero(one.value)) for one in updates]), row.name
    labels = {(sample.value, sample.label) for sample in histories[prefix + "MBBI"].samples}
    assert {(0, "Idle"), (1, "Ramp up"), (2, "Trip")} <= labels
    assert (0, 'Closed, "shut"') in {(sample.value, sample.label) for sample in histories[prefix + "BI"].samples}
