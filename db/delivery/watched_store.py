"""What `archioc.db.delivery.watch` needs of a store."""

from __future__ import annotations

from typing import Protocol

from archioc.core.spool.spool import SpoolFile
from archioc.db.archive_record import KnownArchive
from archioc.db.store import Lacking, Writer


class WatchedStore(Writer, Protocol):
    """A store that can lose what it has acknowledged, and can be asked. Methods raise StoreUnavailable, StoreDenied, QueryError."""

    @property
    def known(self) -> KnownArchive | None:
        """What we know of having written there."""
        ...

    @property
    def retention_ns(self) -> int | None:
        """How long it keeps samples; None: no limit is known."""
        ...

    @property
    def connections(self) -> int:
        """How many connections were opened so far: one more may mean that the server was restarted between two writes."""
        ...

    def newest_sign(self) -> int | None:
        """The time of our newest sign there (ns)."""
        ...

    def sign(self, now_ns: int, since_ns: int) -> None:
        """Sign, and remember it. Raises StoreRejected, StoreTooLarge, OSError too, and no QueryError."""
        ...

    def count(self, start_ns: int, end_ns: int) -> int:
        """How many numbers it has with start <= time <= end, of all channels."""
        ...

    def lacking(self, files: list[SpoolFile]) -> Lacking:
        """What it does not have of these batches, which it has acknowledged."""
        ...
