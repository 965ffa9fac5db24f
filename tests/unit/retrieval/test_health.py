"""`/readyz` and `/metrics` from the channel table."""

from __future__ import annotations

import asyncio
import csv
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from archioc.core.config.file import parse_config
from archioc.core.directories import Directories
from archioc.core.errors import RunDirError
from archioc.core.table.table import ChannelTable, ProcessState, RowState, StoreState
from archioc.retrieval.app import make_app
from archioc.retrieval.archive import Archive
from archioc.retrieval.catalogue import Catalogue
from archioc.retrieval.health import Readiness, condition_of, readyz
from archioc.retrieval.metrics import metrics, metrics_of
from archioc.retrieval.query_pool.queries import AT_ONCE, Queries

CONTRACT = Path("docs/reference/contract/metrics.csv")


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    found = Directories(tmp_path)
    found.run.mkdir()
    return found


@pytest.fixture
def table(directories: Directories) -> ChannelTable:
    made = ChannelTable(directories.run)
    made.create(4)
    return made


def test_each_condition_is_told_apart(directories: Directories, table: ChannelTable) -> None:
    """Each state of engine, spool, store and db process gives a state of its own, with a reason unless all is well."""
    engine, db = table.status.head, table.delivery.head
    assert condition_of(directories).state is Readiness.STARTING
    engine["heartbeat"][0] = db["heartbeat"][0] = time.time_ns()
    seen = []
    for state in (ProcessState.STARTING, ProcessState.STOPPING, ProcessState.STOPPED, ProcessState.RUNNING):
        engine["state"][0] = state
        seen.append(condition_of(directories))
    assert [one.state for one in seen] == [Readiness.STARTING, Readiness.STOPPING, Readiness.STOPPED, Readiness.SPOOLING]
    db["store_state"][0], db["error"][0] = StoreState.UNREACHABLE, b"connection refused"
    assert condition_of(directories).reason == "connection refused"
    db["store_state"][0], db["error"][0] = StoreState.OK, b""
    well = condition_of(directories)
    assert (well.state, well.reason, well.store) == (Readiness.ARCHIVING, "", "ok")
    db["heartbeat"][0] -= 60 * 10**9
    assert (condition_of(directories).state, condition_of(directories).reason) == (Readiness.SPOOLING, "the db process does not answer")
    engine["spool_error"][0] = b"no space left"
    assert (condition_of(directories).state, condition_of(directories).reason) == (Readiness.SPOOL_FAILING, "no space left")
    engine["heartbeat"][0] -= 60 * 10**9
    assert condition_of(directories).state is Readiness.ENGINE_SILENT
    table.close()


def test_no_archiver_has_run(directories: Directories) -> None:
    """Without a channel table the archiver is stopped, and there are no metrics."""
    assert condition_of(directories).state is Readiness.STOPPED
    with pytest.raises(RunDirError):
        metrics_of(directories)


def test_metrics_are_those_of_the_contract(directories: Directories, table: ChannelTable) -> None:
    """Names, types, labels and descriptions of all metrics are those of the contract."""
    found = set()
    for family in text_string_to_metric_families(metrics_of(directories).decode()):
        for sample in family.samples:
            kind = "gauge" if family.type == "info" else family.type
            found.add((sample.name, kind, ";".join(sample.labels), family.documentation))
    with CONTRACT.open() as file:
        assert found == {(one["name"], one["type"], one["labels"], one["description"]) for one in csv.DictReader(file)}
    table.close()


def test_metrics_have_the_numbers_of_the_table(directories: Directories, table: ChannelTable) -> None:
    """Numbers are those of the table, times in seconds since 1970, states as one metric a state."""
    table.settings.cells["state"][:2] = RowState.USED
    table.settings.head["rows"][0] = 4
    table.ledger.head["received"][0], table.ledger.head["dropped_quota"][0] = 2**53 + 2, 7
    table.delivery.head["last_write"][0], table.delivery.head["store_state"][0] = 1_700_000_000_500_000_000, StoreState.DENIED
    samples = [sample for family in text_string_to_metric_families(metrics_of(directories).decode()) for sample in family.samples]
    values = {(one.name, *one.labels.values()): one.value for one in samples}
    assert values["archioc_channels",] == 2
    assert values["archioc_updates_received_total",] == 2**53 + 2
    assert values["archioc_samples_dropped_total", "quota"] == 7
    assert values["archioc_store_last_write_timestamp_seconds",] == 1_700_000_000.5
    assert [values["archioc_store_state", state] for state in ("ok", "denied")] == [0, 1]
    table.close()


def test_readers_do_not_hide_the_archiver(directories: Directories, table: ChannelTable, tmp_path: Path) -> None:
    """While queries use all threads, readiness and metrics are answered."""
    over = threading.Event()

    async def ask() -> list[int]:
        reader: Any = None  # nothing is asked of the store
        queries = Queries(60.0)
        archive = Archive(parse_config("", tmp_path / "config.yml"), reader, Catalogue(reader, None), directories)
        request = Request({"type": "http", "app": make_app(archive, queries), "headers": []})
        busy = [asyncio.create_task(queries.run("", lambda _: over.wait(30))) for _ in range(2 * AT_ONCE)]
        await asyncio.sleep(0)
        try:
            return [(await asyncio.wait_for(endpoint(request), 20)).status_code for endpoint in (readyz, metrics)]
        finally:
            over.set()
            await asyncio.gather(*busy)

    assert asyncio.run(ask()) == [503, 200]
    table.close()
