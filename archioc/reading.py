"""Reading the archive, whether the archiver runs or not."""

from __future__ import annotations

from archioc.core.config import Config
from archioc.core.directories import Directories, is_locked
from db.embedded import EmbeddedStore
from db.influx import InfluxDatabase
from db.query_client import SocketReader
from db.store import Reader


def open_reader(config: Config) -> Reader:
    """A reader of the configured store; close it after use.

    While the archiver runs, it is asked: it alone may open the embedded store. Otherwise the store is
    opened directly, the embedded one for reading. Raises StoreUnavailable.
    """
    directories = Directories(config.archiver.state_dir)
    if is_locked(directories):
        return SocketReader(directories.query_socket)
    if config.store.influxdb is not None:
        return InfluxDatabase(config.store.influxdb)
    assert config.store.embedded is not None, "one of the two is configured"
    store = EmbeddedStore(config.store.embedded.directory, read_only=True)
    store.prepare()
    return store
