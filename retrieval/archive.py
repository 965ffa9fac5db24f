"""What the endpoints ask: the store, the names, and the channel table of an archiver that runs here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.errors import ConfigError
from archioc.core.registry import read_aliases
from archioc.db.query_socket.client import SocketReader
from archioc.db.renamed_reader import RenamedReader
from archioc.db.store import Reader
from archioc.retrieval.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive to be read. All parts are thread-safe.

    directories: those of the archiver on this machine; None where only its InfluxDB is read.
    """

    config: Config
    reader: Reader
    catalogue: Catalogue
    directories: Directories | None

    def close(self) -> None:
        """Let go of the store."""
        self.reader.close()


def open_archive(config: Config, *, alone: bool) -> Archive:
    """The archive of a configuration. An embedded store is asked through the db process, which alone may open it.

    alone: no archiver is taken for granted; then only an InfluxDB can be read. Raises ConfigError.
    """
    found = Directories(config.archiver.state_dir)
    directories = None if alone and not found.registry.exists() else found
    reader = RenamedReader(_open_reader(config, found, alone=alone), partial(read_aliases, found.registry))
    return Archive(config, reader, Catalogue(reader, directories), directories)


def _open_reader(config: Config, directories: Directories, *, alone: bool) -> Reader:
    if config.store.influxdb is None:
        if alone:
            raise ConfigError(config.path, None, "store", "`archioc serve` reads an InfluxDB; an embedded store is served by `archioc run`")
        return SocketReader(directories.query_socket)
    from archioc.db.influx.store import InfluxDatabase  # noqa: PLC0415 - its client is 20 MB, which a process beside an embedded store need not hold

    return InfluxDatabase(config.store.influxdb)
