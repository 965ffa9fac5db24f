"""The Archiver Appliance's protocol over HTTP against a running archive with every type of record."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from archioc.core.config_file import load_config
from archioc.core.timestamp import format_utc
from archioc.reading import open_reader
from db.sample_columns import SampleColumns
from db.store import Reader
from tests.appliance_decoder import DecodedChunk, DecodedSample, decode
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.processes.archiver import StoreBlock
from tests.processes.http_client import HttpClient, http_of
from tests.processes.waiting import wait_until
from tests.type_table import DATABASE, TYPES

HTTP = {"http": {"enabled": True, "port": 0}}


def comparable(value: object) -> object:
    """Numbers as floats, all NaN alike."""
    if isinstance(value, list):
        return [comparable(one) for one in value]
    if isinstance(value, int | float):
        return "NaN" if math.isnan(value) else float(value)
    return value


def in_store(reader: Reader, channel: str) -> list[DecodedSample]:
    """What the store has, in the words of the decoder."""
    return [sample for chunk in reader.samples(channel, 0, 2**62) for sample in stored_samples(chunk)]


def stored_samples(columns: SampleColumns) -> Iterator[DecodedSample]:
    for at in range(len(columns)):
        array, number = columns.arrays[at], float(columns.value[at])
        value: object = number if not math.isnan(number) or columns.text[at] is None else columns.text[at]
        if array is not None:
            value = [one.decode() if isinstance(one, bytes) else one for one in array.tolist()]
        yield DecodedSample(int(columns.time[at]), value, int(columns.severity[at]), int(columns.status[at]), {})  # type: ignore[arg-type]


def plain(samples: Sequence[DecodedSample]) -> list[tuple[object, ...]]:
    return [(one.time_ns, comparable(one.value), one.severity, one.status) for one in samples]


def all_of(chunks: Sequence[DecodedChunk]) -> list[DecodedSample]:
    return [sample for chunk in chunks for sample in chunk.samples]


@pytest.mark.timeout(120)
def test_every_type(store: StoreBlock, archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> None:
    """Raw and JSON answers of every record type have the samples of the store, to the bit and the nanosecond, under one type a channel."""
    ioc = softioc(DATABASE, f"P={prefix}")
    names = [prefix + row.channel for row in TYPES]
    made = archiver(names, [ioc.port], store, more=HTTP)
    made.start(connected=len(names))
    http = http_of(made.directories)
    client = ca_client([ioc.port])
    for row in TYPES:
        for value in row.puts:
            client.put(prefix + row.put_to, [*value, 0] if isinstance(value, bytes) else value)
    puts = sum(len(row.puts) for row in TYPES)
    wait_until(lambda: made.overview().conservation.received >= puts, 20, "the archiver has received all")
    made.wait_for_empty_spool()
    reader = open_reader(load_config(made.config))
    try:
        for row, name in zip(TYPES, names, strict=True):
            stored = in_store(reader, name)
            raw = http.get("/retrieval/data/getData.raw", pv=name, **{"from": "1971-01-01T00:00:00Z"})
            assert (raw.status, raw.headers["content-type"]) == (200, "application/x-protobuf"), raw.text
            chunks = decode(raw.body)
            assert plain(all_of(chunks)) == plain(stored), row.name
            assert {(chunk.channel, chunk.kind) for chunk in chunks} == {(name, chunks[0].kind)}, row.name
            (series,) = http.get("/retrieval/data/getData.json", pv=f"ca://{name}", **{"from": "1971-01-01T00:00:00Z"}).json()
            assert series["meta"]["name"] == name
            points = [
                (one["secs"] * 10**9 + one["nanos"], comparable(one["val"]), one["severity"], one["status"]) for one in series["data"]
            ]
            assert points == plain(stored), row.name
    finally:
        reader.close()
    labels = decode(http.get("/retrieval/data/getData.raw", pv=f"{prefix}MBBI").body)[0].headers
    assert {name: label for name, label in labels.items() if name.startswith("ENUM_")} == {
        "ENUM_0": "Idle",
        "ENUM_1": "Ramp up",
        "ENUM_2": "Trip",
    }
    analog = decode(http.get("/retrieval/data/getData.raw", pv=f"{prefix}AI").body)[0].headers
    assert (analog["EGU"], analog["PREC"], float(analog["HIHI"]), float(analog["LOLO"])) == ("mA", "3", 100.0, -100.0)
