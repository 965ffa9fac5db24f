"""Queries of a real InfluxDB while samples arrive, and what only InfluxDB does."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from archioc.core.errors import QueryError
from archioc.core.spool.batch import Kind
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.db.bins import Bins
from archioc.db.influx import bins as influx_bins
from archioc.db.influx.answers import NumberTooLarge, series_of
from archioc.db.influx.bins import InfluxBins
from archioc.db.influx.samples import Columns, InfluxSamples
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import T0, Point, make_batch, spool_file

ENCODER = LineEncoder("influxdb")


def write(store: InfluxDatabase, *points: Point) -> None:
    store.write(spool_file(ENCODER, make_batch(points)))


@pytest.mark.parametrize(
    "late", [Point("A", T0 + 5, math.nan), Point("A", T0 + 5, 1.0, severity=3), Point("A", T0 + 5, blob=b"\xe9", kind=Kind.TEXT)]
)
def test_a_field_that_comes_while_it_is_read(influx_store: InfluxDatabase, monkeypatch: pytest.MonkeyPatch, late: Point) -> None:
    """A sample with fields that the channel did not have when the query began is read whole, or not at all."""
    write(influx_store, Point("A", T0, 1.0), Point("A", T0 + 9, 2.0))
    look = InfluxSamples._layout
    waiting = [late]

    def look_and_write(self: InfluxSamples, measurement: str, channel: str, condition: str) -> object:
        found = look(self, measurement, channel, condition)
        if measurement == "sample" and waiting:
            write(influx_store, waiting.pop())
        return found

    monkeypatch.setattr(InfluxSamples, "_layout", look_and_write)
    (found,) = influx_store.samples("A", T0, T0 + 10)
    assert found.time.tolist() == [T0, T0 + 5, T0 + 9]
    assert (found.severity[1], math.isnan(found.value[1]), found.text_bytes(1)) == (late.severity, math.isnan(late.value), late.blob)


def test_samples_that_come_while_bins_are_made(influx_store: InfluxDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample that arrives between the two statements for bins does not make a bin whose times are not those of its values."""
    write(influx_store, *[Point("A", T0 + 10 * at, float(at)) for at in range(10)])
    counted = threading.Event()
    make, ask = influx_bins._part, InfluxBins._ask_spans

    def count(columns: Columns) -> Bins:
        counted.set()
        return make(columns)

    def write_and_ask(self: InfluxBins, samples: InfluxSamples) -> list[Columns]:
        assert counted.wait(20)
        write(influx_store, Point("A", T0 + 45, -5.0))
        return ask(self, samples)

    monkeypatch.setattr(influx_bins, "_part", count)
    monkeypatch.setattr(InfluxBins, "_ask_spans", write_and_ask)
    found = influx_store.bins("A", T0, T0 + 100, 2)
    assert (found.count.tolist(), found.min.tolist()) == ([6, 5], [-5.0, 5.0])
    assert (found.last.tolist(), found.last_time.tolist()) == ([-5.0, 9.0], [T0 + 45, T0 + 90])
    assert found.first_time.tolist() == [T0, T0 + 50]


def test_each_number_of_json_is_exact(influx_store: InfluxDatabase) -> None:
    """Numbers that JSON writes in odd ways (whole ones beyond int64, negative zero, exponents) are read exactly, with or without texts."""
    values = [2.0**63, 2.0**64, 1e20, 9.007199254740993e15, -(2.0**63), -0.0, 1e-300, 123456789012345680.0, 5e-324, 1.7976931348623157e308]
    plain = [Point("A", T0 + at, value) for at, value in enumerate(values)]
    labelled = [Point("E", T0 + at, value, blob=b"],[", kind=Kind.ENUM) for at, value in enumerate(values)]
    write(influx_store, *plain, *labelled)
    for name in "AE":
        (found,) = influx_store.samples(name, T0, T0 + 100)
        assert found.value.tobytes() == np.array(values).tobytes()


def test_an_answer_that_is_no_json() -> None:
    """What a server says in place of JSON is told."""
    with pytest.raises(QueryError, match="json: unsupported value"):
        series_of(b"json: unsupported value: +Inf\n", str)
    with pytest.raises(NumberTooLarge, match="json: unsupported value"):
        series_of(b'{"error":"json: unsupported value: +Inf"}\n', str)
