"""The names of all channels: those that are archived, and those of which the store still has samples."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from archioc.core.aliases import Aliases
from archioc.core.directories import Directories
from archioc.core.registry import RegistryChannel, RegistryReader, read_aliases
from archioc.db.store import Reader

REGISTRY_HOLDS_S = 1.0
"""How long what the registry said is taken for true."""

STORE_HOLDS_S = 60.0
"""The same of the names in the store, which only grow but for the retention."""

ASKED_AGAIN_S = 5.0
"""A name that nobody knows has the store asked again, but not more often than this."""


@dataclass(frozen=True, slots=True)
class Names:
    """archived: by name, channels of the registry; stored: those with samples in the store; all: both, sorted."""

    archived: dict[str, RegistryChannel]
    stored: frozenset[str]
    all: tuple[str, ...]


class Catalogue:
    """Names, looked up at most so often. directories: None where no archiver runs on this machine. Thread-safe."""

    def __init__(self, reader: Reader, directories: Directories | None) -> None:
        self._reader, self._directories = reader, directories
        self._lock = threading.Lock()
        self._archived: dict[str, RegistryChannel] = {}
        self._stored: frozenset[str] = frozenset()
        self._names = Names(self._archived, self._stored, ())
        self._earlier = Aliases()
        self._revision = -1
        self._registry_at = self._store_at = -math.inf

    def names(self) -> Names:
        """All names. Raises RegistryError and what the reader raises."""
        with self._lock:
            self._look(STORE_HOLDS_S)
            return self._names

    def has(self, name: str) -> bool:
        """Whether a channel is archived, or has samples, also by an earlier name. Raises RegistryError and what the reader raises."""
        with self._lock:
            self._read_registry()
            if name in self._archived or name in self._stored or name in self._earlier:
                return True
            self._look(ASKED_AGAIN_S)
            return name in self._stored

    def archived(self, name: str) -> RegistryChannel | None:
        """The entry of a channel that is archived. Raises RegistryError."""
        with self._lock:
            self._read_registry()
            return self._archived.get(name)

    def _look(self, holds_s: float) -> None:
        self._read_registry()
        if time.monotonic() - self._store_at > holds_s:
            self._stored = frozenset(self._reader.names())
            self._store_at = time.monotonic()
        if self._names.archived is not self._archived or self._names.stored is not self._stored:
            self._names = Names(self._archived, self._stored, tuple(sorted(self._stored.union(self._archived))))

    def _read_registry(self) -> None:
        if self._directories is None or time.monotonic() - self._registry_at < REGISTRY_HOLDS_S:
            return
        registry = RegistryReader(self._directories.registry)
        try:
            _, newest = registry.channels_since(self._revision)
            if newest != self._revision:
                found, self._revision = registry.channels_since(0)
                self._archived = {channel.name: channel for channel in found}
                self._earlier = Aliases(read_aliases(self._directories.registry))
        finally:
            registry.close()
        self._registry_at = time.monotonic()
