"""Where delivery takes the next file from: the spool, in the order of `archioc.db.delivery.order`, damaged files set aside."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterable

import structlog

from archioc.core.errors import SpoolFileDamaged
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.order import DeliveryOrder
from archioc.db.delivery.parallel_writes import Claimed
from archioc.db.store import Writer

_log = structlog.get_logger()

READ_ATTEMPTS = 3
"""A file that cannot be read so often is damaged."""

_OF_THE_FILE = {errno.EIO, errno.EISDIR, errno.EACCES, errno.EPERM}
"""Errors that concern one file, so that the others need not wait for it."""

BATCH_NS = 11_000_000_000
"""So long before its commit the first sample of a batch was received, at most: the longest `commit_interval` and a second."""

_LONGEST_TEXT = 200
_EVENTS_AT_ONCE = 5000

READDRESS_S = 2.0
"""Between two looks for earlier addresses of the store."""


class SpoolSource:
    """Claims files for one store. channel_names: of all channels. Methods may raise OSError, StoreUnavailable and StoreDenied."""

    def __init__(self, spool: SpoolDirectory, store: Writer, book: DeliveryCounters, channel_names: Callable[[], list[str]]) -> None:
        self._spool, self._store, self._book, self._channel_names = spool, store, book, channel_names
        self._again: deque[SpoolEntry] = deque()  # claimed before, and to be sent once more
        self._order = DeliveryOrder(spool)
        self._addresses = Addresses(spool)
        self._readdress_at = float("-inf")
        self._unreadable: tuple[int, int] = (0, 0)  # batch id, how often in a row

    def begin_anew(self, again: Iterable[SpoolEntry]) -> None:
        """Delivery begins, or has failed: these files are claimed, and go first."""
        self._again = deque(again)
        if self._again:
            _log.info("spool_files_sent_again", files=len(self._again))
        self._order.begin_anew()

    def take(self) -> Claimed | None:
        """The next file for this store; None when none waits."""
        self._follow_addresses()
        while (claimed := self._claim_next()) is not None:
            try:
                file = self._read(claimed)
            except SpoolFileDamaged as error:
                self._report_damaged(claimed, error.why)
                self._book.count_lost(claimed.batch_id, claimed.samples)
                kept = self._spool.set_aside(claimed)
                _log.error("spool_file_damaged", why=error.why, samples=claimed.samples, kept=str(kept))
                continue
            if self._addresses.leads_to(file.destination, self._store.destination):
                return Claimed(claimed, file)
            self._spool.put_back(claimed)
            self._order.pass_over(claimed, file.destination)
        return None

    def _report_damaged(self, claimed: SpoolEntry, why: str) -> None:
        """Write the gap of all channels: nobody knows whose samples the file held. Its id is the time of its commit."""
        text = f"{claimed.name} of the spool: {why}"[:_LONGEST_TEXT]
        start_ns, end_ns = claimed.batch_id - BATCH_NS, claimed.batch_id
        names = self._channel_names()
        for at in range(0, len(names), _EVENTS_AT_ONCE):
            part = names[at : at + _EVENTS_AT_ONCE]
            self._store.write_events([ChannelEvent(name, start_ns, Reason.STORE_DAMAGED, end_ns=end_ns, text=text) for name in part])

    def _claim_next(self) -> SpoolEntry | None:
        if self._again:
            return self._again.popleft()
        while (entry := self._order.next()) is not None:
            claimed = self._spool.claim(entry)
            if claimed is not None:
                return claimed
        return None

    def _read(self, claimed: SpoolEntry) -> SpoolFile:
        """The content of a file. Raises SpoolFileDamaged, also for one that the disk cannot give back again and again."""
        try:
            return self._spool.read(claimed)
        except OSError as error:
            if error.errno not in _OF_THE_FILE:
                raise
            batch_id, times = self._unreadable
            self._unreadable = (claimed.batch_id, times + 1 if batch_id == claimed.batch_id else 1)
            if self._unreadable[1] < READ_ATTEMPTS:
                raise
            raise SpoolFileDamaged(claimed.path, str(error)) from None

    def waits_for_others(self) -> str:
        """What to say of files that are for another store; empty where there is none."""
        foreign = self._order.passed_over
        if not foreign:
            return ""
        where = ", ".join(sorted(set(foreign.values())))
        return f"{len(foreign)} spool files are for another store: {where} (has this one moved? `archioc spool readdress`)"

    def _follow_addresses(self) -> None:
        """Batches for earlier addresses of the store are sent once somebody says that they are such."""
        if time.monotonic() < self._readdress_at:
            return
        self._readdress_at = time.monotonic() + READDRESS_S
        if self._addresses.refresh():
            self._order.look_again()
