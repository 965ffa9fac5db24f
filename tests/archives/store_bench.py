"""Every store behind one face, for tests of what all of them must do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from archioc.core.audit import AuditRecord
from archioc.core.config.store import InfluxStore
from archioc.core.config.store import Store as StoreSettings
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import ChannelMeta
from archioc.core.spool.encoding import Encoder, encoder_for
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.influx.store import InfluxDatabase
from archioc.db.sample_columns import SampleColumns, concatenate
from archioc.db.store import Store
from tests.archives.batches import Alarm, Point, make_batch, spool_file
from tests.processes.influxd import InfluxDatabase as Database
from tests.processes.named_influx import NAMED, NamedDatabase, drop, named_settings

EVER = 2**63 - 1

STORES = ["embedded", "influxdb", pytest.param("influxdb-2", marks=pytest.mark.proof), *NAMED]
"""Parameters of fixtures that open a store; InfluxDB 2.x only where it was built, and the server that a variable names."""


@contextmanager
def opened_store(request: pytest.FixtureRequest, directory: Path) -> Iterator[tuple[Store, Encoder]]:
    """The store that the parameter of a fixture names (STORES), empty and ready, and the encoder for it."""
    store: Store
    if request.param == "embedded":
        store, encoder = EmbeddedStore(directory), encoder_for(StoreSettings.model_validate({}))
    elif request.param in NAMED:
        settings = named_settings(secrets.token_hex(4))
        store, encoder = NamedDatabase(settings), encoder_for(StoreSettings(influxdb=settings))
        request.addfinalizer(partial(drop, settings))
    else:
        database: Database = request.getfixturevalue("influx_database" if request.param == "influxdb" else "influx_bucket")
        settings = InfluxStore.model_validate(database.settings)
        store, encoder = InfluxDatabase(settings), encoder_for(StoreSettings(influxdb=settings))
    store.prepare()
    assert store.destination == encoder.destination
    with closing(store):
        yield store, encoder


@dataclass
class Bench:
    """A store and the encoder for it."""

    store: Store
    encoder: Encoder
    batch_id: int = 0

    def write(
        self,
        *points: Point,
        events: tuple[ChannelEvent, ...] = (),
        metas: tuple[ChannelMeta, ...] = (),
        alarms: tuple[Alarm, ...] = (),
        audit: tuple[AuditRecord, ...] = (),
    ) -> None:
        """Write one batch, which must be taken whole."""
        self.batch_id += 1
        batch = replace(make_batch(points, events, metas, alarms=alarms), audit=audit)
        outcome = self.store.write(spool_file(self.encoder, batch, self.batch_id))
        assert (outcome.rejected.sum(), outcome.refusals) == (0, ())

    def read(self, channel: str, start_ns: int = 0, end_ns: int = EVER, *, with_previous: bool = False) -> SampleColumns | None:
        """All chunks as one; None when there are none."""
        chunks = list(self.store.samples(channel, start_ns, end_ns, with_previous=with_previous))
        assert all(len(chunk) for chunk in chunks)
        return concatenate(chunks) if chunks else None

    def times(self, channel: str, start_ns: int = 0, end_ns: int = EVER, *, with_previous: bool = False) -> list[int]:
        """Times of the samples."""
        found = self.read(channel, start_ns, end_ns, with_previous=with_previous)
        return found.time.tolist() if found else []

    def alarms(self, channel: str, start_ns: int = 0, end_ns: int = EVER, *, with_previous: bool = False) -> list[tuple[int, int, int]]:
        """Time, severity and status of the alarm states."""
        chunks = list(self.store.alarms(channel, start_ns, end_ns, with_previous=with_previous))
        assert all(len(chunk) for chunk in chunks)
        return [
            state for chunk in chunks for state in zip(chunk.time.tolist(), chunk.severity.tolist(), chunk.status.tolist(), strict=True)
        ]
