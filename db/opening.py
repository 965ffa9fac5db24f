"""The configured store."""

from __future__ import annotations

from archioc.core.config_store import Store as StoreSettings
from db.embedded import EmbeddedStore
from db.influx import InfluxDatabase
from db.store import Store


def open_store(settings: StoreSettings) -> Store:
    """The store that is configured; nothing is opened before `prepare`."""
    if settings.influxdb is not None:
        return InfluxDatabase(settings.influxdb)
    assert settings.embedded is not None, "one of the two is there"
    return EmbeddedStore(settings.embedded.directory, settings.embedded.retention)
