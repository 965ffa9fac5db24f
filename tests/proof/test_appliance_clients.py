"""The Archiver Appliance's protocol against a running archive with every type of record, read by our decoder and by published clients."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from archioc.core.config.file import load_config
from archioc.core.timestamp import format_utc
from archioc.db.sample_columns import SampleColumns
from archioc.db.store import Reader
from archioc.open_archive import open_reader
from tests.archives.archive_of_types import start_archive_of_types
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.processes.appliance_clients import CLIENTS
from tests.processes.archiver import Archiver, StoreBlock
from tests.processes.http_client import HttpClient, http_of
from tests.readers.appliance_decoder import DecodedChunk, DecodedSample, decode
from tests.records.type_table import TYPES

HTTP = {"http": {"enabled": True, "port": 0}}
START = "1971-01-01T00:00:00Z"
EVER = {"from": START}


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


def has_nan(samples: Sequence[DecodedSample]) -> bool:
    """Whether a number is not finite."""
    numbers = [one for sample in samples for one in (sample.value if isinstance(sample.value, list) else [sample.value])]
    return any(isinstance(one, float) and not math.isfinite(one) for one in numbers)


def rows_of(samples: Sequence[DecodedSample]) -> list[list[object]]:
    """Values as rows of one length, filled with zeros."""
    rows: list[list[object]] = [list(one.value) if isinstance(one.value, list) else [one.value] for one in samples]
    width = max(map(len, rows))
    return [row + [0.0] * (width - len(row)) for row in rows]


def plain(samples: Sequence[DecodedSample]) -> list[tuple[object, ...]]:
    return [(one.time_ns, comparable(one.value), one.severity, one.status) for one in samples]


def all_of(chunks: Sequence[DecodedChunk]) -> list[DecodedSample]:
    return [sample for chunk in chunks for sample in chunk.samples]


@dataclass(frozen=True, slots=True)
class Site:
    """A running archive in which every type of record has had its values. stored: what the store has, by channel."""

    archiver: Archiver
    http: HttpClient
    stored: dict[str, list[DecodedSample]]


@pytest.fixture
def site(store: StoreBlock, archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> Site:
    """The archive, at rest."""
    types = start_archive_of_types(archiver, softioc, prefix, store, HTTP)
    types.put_all(ca_client([types.ioc.port]))
    made = types.archiver
    reader = open_reader(load_config(made.config))
    stored = {name: in_store(reader, name) for name in types.names}
    reader.close()
    return Site(made, http_of(made.directories), stored)


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_every_type(site: Site, prefix: str) -> None:
    """Raw and JSON answers have the samples of the store, to the bit and the nanosecond, each channel under one type."""
    http = site.http
    for name, stored in site.stored.items():
        raw = http.get("/retrieval/data/getData.raw", pv=name, **EVER)
        assert (raw.status, raw.headers["content-type"]) == (200, "application/x-protobuf"), raw.text
        chunks = decode(raw.body)
        assert plain(all_of(chunks)) == plain(stored), name
        assert {(chunk.channel, chunk.kind) for chunk in chunks} == {(name, chunks[0].kind)}, name
        (series,) = http.get("/retrieval/data/getData.json", pv=f"ca://{name}", **EVER).json()
        assert series["meta"]["name"] == name
        points = [(one["secs"] * 10**9 + one["nanos"], comparable(one["val"]), one["severity"], one["status"]) for one in series["data"]]
        assert points == plain(stored), name
    labels = decode(http.get("/retrieval/data/getData.raw", pv=f"{prefix}MBBI").body)[0].headers
    assert [labels[f"ENUM_{at}"] for at in range(3)] == ["Idle", "Ramp up", "Trip"]
    analog = decode(http.get("/retrieval/data/getData.raw", pv=f"{prefix}AI").body)[0].headers
    assert (analog["EGU"], analog["PREC"], float(analog["HIHI"]), float(analog["LOLO"])) == ("mA", "3", 100.0, -100.0)


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("store", [{"embedded": {}}], ids=["embedded"])
def test_published_clients(site: Site) -> None:
    """Clients from PyPI, unchanged, read the values of the store of every type that they know."""
    kinds = {name: decode(site.http.get("/retrieval/data/getData.raw", pv=name, **EVER).body)[0].kind for name in site.stored}
    end = format_utc(time.time_ns() + 60 * 10**9)[:19] + "Z"
    for who, client in CLIENTS.items():
        wanted = {name: stored for name, stored in site.stored.items() if kinds[name] in client.kinds}
        wanted = {name: stored for name, stored in wanted.items() if not (client.strict_json and has_nan(stored))}
        assert len(wanted) > len(TYPES) // 3
        found = client.read(site.http, START, end, list(wanted))
        for name, stored in wanted.items():
            values = [value for _, value, _, _ in found[name]]
            expected = rows_of(stored) if client.padded else [one.value for one in stored]
            assert comparable(values) == comparable(expected), (who, name)
            assert [alarm for _, _, *alarm in found[name]] == [[one.severity, one.status] for one in stored], (who, name)
            for (time_ns, *_), one in zip(found[name], stored, strict=True):
                assert abs(time_ns - one.time_ns) <= client.error_ns, (who, name)
