"""The configured store."""

from __future__ import annotations

from archioc.core.config.store import Store as StoreSettings
from archioc.core.spool.encoding.line_protocol import DEFAULT_ARCHIVER
from archioc.db.archive_record import ArchiveRecord
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.influx.store import InfluxDatabase
from archioc.db.store import Store


def open_store(settings: StoreSettings, archiver: str = DEFAULT_ARCHIVER, record: ArchiveRecord | None = None) -> Store:
    """The store that is configured; nothing is opened before `prepare`. archiver, record: as for `InfluxDatabase`."""
    if settings.influxdb is not None:
        return InfluxDatabase(settings.influxdb, archiver, record)
    assert settings.embedded is not None, "one of the two is there"
    return EmbeddedStore(settings.embedded.directory, settings.embedded.retention)
