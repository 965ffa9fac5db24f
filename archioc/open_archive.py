"""Reading the archive, whether the archiver runs or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from archioc.core.config.config import Config
from archioc.core.directories import Directories, is_locked
from archioc.core.registry import read_aliases
from archioc.db.archive_record import ArchiveRecord
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.influx.store import InfluxDatabase
from archioc.db.open_store import open_store
from archioc.db.query_socket.client import SocketReader
from archioc.db.renamed_reader import RenamedReader
from archioc.db.store import Reader, Store


def open_reader(config: Config, *, as_stored: bool = False) -> Reader:
    """A reader of the configured store, for which a channel that was renamed is one channel; close it after use.

    as_stored: names are those under which the store has the samples, instead.

    While the archiver runs, it is asked: it alone may open the embedded store. Otherwise the store is
    opened directly, the embedded one for reading. Raises StoreUnavailable.
    """
    directories = Directories(config.archiver.state_dir)
    store = _open_store(config, directories)
    return store if as_stored else RenamedReader(store, partial(read_aliases, directories.registry))


@contextmanager
def open_for_change(config: Config) -> Iterator[Store | SocketReader]:
    """What deletes and copies what is stored: the running archiver, or the store itself. Raises StoreUnavailable."""
    directories = Directories(config.archiver.state_dir)
    if is_locked(directories):
        yield SocketReader(directories.query_socket)
        return
    store = open_store(config.store, config.archiver.name, ArchiveRecord(directories.archive_record))
    try:
        if config.store.influxdb is None:  # a database is never made for it
            store.prepare()
        yield store
    finally:
        store.close()


def _open_store(config: Config, directories: Directories) -> Reader:
    if is_locked(directories):
        return SocketReader(directories.query_socket)
    if config.store.influxdb is not None:
        return InfluxDatabase(config.store.influxdb, record=ArchiveRecord(directories.archive_record))
    assert config.store.embedded is not None, "one of the two is configured"
    store = EmbeddedStore(config.store.embedded.directory, read_only=True)
    store.prepare()
    return store
