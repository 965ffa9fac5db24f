"""Whether the batches that the store has acknowledged can be read back, part by part, by the reader's own path.

What a part lacks is sent again, and then the part is checked once more.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from archioc.core.errors import QueryError, StoreDenied, StoreUnavailable
from archioc.core.spool.delivered import DeliveredBatch, DeliveredBatches
from archioc.core.timestamp import format_utc
from archioc.db.delivery.resending import Resending
from archioc.db.delivery.tally import Tally
from archioc.db.delivery.watched_store import WatchedStore
from archioc.db.store import Lacking

_log = structlog.get_logger()

CHECK_S = 120.0
"""Between two checks of what was delivered meanwhile."""
SETTLE_NS = 3 * 10**9
"""What was delivered more recently is not checked yet: openGemini shows the first points of a measurement up to 2 s later."""
PART_SAMPLES, PART_BATCHES = 100_000, 400
"""As much is checked at once."""
MOST_SINCE_LAST, MOST_AFTER_OUTAGE = 300_000, 3_000_000
"""Of more samples some parts are checked, chosen by chance; all of them where one of these lacks something."""


@dataclass(frozen=True, slots=True)
class Loss:
    """lost: what a part lacked. missing: how many samples it lacks after it was sent again."""

    lost: Lacking
    missing: int


def parts_of(batches: Iterable[DeliveredBatch]) -> Iterator[list[DeliveredBatch]]:
    """Batches by the time of their commit, in parts: the server counts what lies between the first and the last sample of each."""
    part: list[DeliveredBatch] = []
    samples = 0
    for batch in sorted(batches, key=lambda one: one.batch_id):
        part.append(batch)
        samples += batch.samples
        if len(part) >= PART_BATCHES or samples >= PART_SAMPLES:
            yield part
            part, samples = [], 0
    if part:
        yield part


class ReadBack:
    """Checks one store. The thread that delivers calls it."""

    def __init__(self, store: WatchedStore, kept: DeliveredBatches, resending: Resending) -> None:
        self._store, self._kept, self._resending = store, kept, resending
        self._check_at = float("-inf")
        self._checked_ns = 0
        self._parts: deque[list[DeliveredBatch]] = deque()
        self._left_out = False  # whether there are batches that were not chosen
        self._suspected: Lacking | None = None
        self._tally = Tally()
        self._unreadable = self._not_there = ""

    def __bool__(self) -> bool:
        return (bool(self._suspected) and self._settled) or bool(self._parts and not self._suspected)

    @property
    def _settled(self) -> bool:
        """Whether what was sent again must be there by now."""
        sent = self._resending.sent
        return not sent or time.time_ns() - sent[-1].delivered_ns >= SETTLE_NS

    @property
    def trouble(self) -> str:
        """Why what is written cannot be read back; empty when it can."""
        return self._not_there or self._unreadable

    @property
    def denied(self) -> bool:
        """Whether what was acknowledged was not found."""
        return bool(self._not_there)

    def begin(self) -> None:
        """Check all that is kept."""
        self.clear()
        self._add(self._kept.batches(), MOST_AFTER_OUTAGE)
        self._checked_ns, self._check_at = time.time_ns(), time.monotonic() + CHECK_S

    def clear(self) -> None:
        """Check nothing of what was delivered so far: it is sent again, and checked as what was delivered then."""
        self._parts.clear()
        self._suspected = None
        self._tally.clear()

    def forget_counts(self) -> None:
        """What was found before is sent again, and will be found once more."""
        self._tally.clear()

    def look(self, now: int) -> None:
        """Every CHECK_S check what was delivered meanwhile, and count what was found before (now: ns since 1970)."""
        if time.monotonic() < self._check_at:
            return
        self._count_again(now)
        upto = now - SETTLE_NS
        self._add([batch for batch in self._kept.batches() if self._checked_ns < batch.delivered_ns <= upto], MOST_SINCE_LAST)
        self._checked_ns, self._check_at = upto, time.monotonic() + CHECK_S

    def step(self) -> Loss | None:
        """Check one part; what it had lost, once it was sent again. Raises StoreDenied where nothing at all of a part is found then."""
        if self._suspected is not None:
            return self._check_again(self._suspected)
        self._check(self._parts.popleft())
        return None

    def deny(self, what: str) -> StoreDenied:
        """What is acknowledged is not found: the error to raise, shown until it is found again."""
        where = "is another bucket, policy or mapping read than written?"
        self._not_there = f"{self._store.destination}: what is written cannot be read back: {what}; {where}"
        return StoreDenied(self._not_there)

    def cannot_read(self, error: Exception) -> None:
        """The store cannot be asked."""
        self._unreadable = f"what is written cannot be read back: {error}"

    def can_read(self) -> None:
        """The store answers questions."""
        self._unreadable = ""

    def _count_again(self, now: int) -> None:
        """Whether as many samples of the last hour are there as were found before; all that is kept is checked where they are not."""
        span = self._tally.span(now)
        if span is None:
            return
        start, end, expected = span
        try:
            there = self._store.count(start, end)
        except (QueryError, StoreUnavailable, StoreDenied) as error:
            self.cannot_read(error)
            return
        if there < expected:
            _log.error("archive_lacks_samples", there=there, before=expected, since=format_utc(start))
            self._tally.clear()
            self._add(self._kept.batches(), MOST_AFTER_OUTAGE)
            self._checked_ns = now

    def _add(self, batches: Sequence[DeliveredBatch], most: int | None) -> None:
        """Check these, or about so many samples of them."""
        parts = list(parts_of(batches))
        samples = sum(batch.samples for batch in batches)
        if most is not None and samples > most:
            chosen = random.sample(range(len(parts)), max(1, len(parts) * most // samples))
            parts = [parts[at] for at in sorted(chosen)]
            self._left_out = True
        self._parts.extend(parts)

    def _check(self, part: list[DeliveredBatch]) -> None:
        found = self._lacking(part)
        if found is None or not found.missing:
            if found is not None and found.expected:
                self._not_there = ""
                self._tally.add(found)
            return
        if self._left_out:
            self._left_out = False
            self._parts.clear()
            looked_at = set(part)
            self._add([batch for batch in self._kept.batches() if batch not in looked_at], None)
        _log.error("archive_lacks_samples", samples=found.samples, of=found.expected, channels=len(found.missing), batches=len(part))
        self._tally.clear()  # what is sent again is delivered, and checked, once more
        self._resending.sent = []
        self._resending.add(part)
        self._suspected = found

    def _check_again(self, suspected: Lacking) -> Loss | None:
        """After the part was sent again."""
        part, self._resending.sent, self._suspected = self._resending.sent, [], None
        found = self._lacking(part)
        if found is None:
            return None
        if found.expected and found.samples == found.expected:
            raise self.deny(
                f"none of {found.expected} samples that were acknowledged twice, from {format_utc(found.start_ns)} on, is found"
            )
        self._not_there = ""
        return Loss(suspected, found.samples)

    def _lacking(self, part: list[DeliveredBatch]) -> Lacking | None:
        """None where the store cannot be asked."""
        files = [file for batch in part if batch.whole and (file := self._resending.read(batch)) is not None]
        try:
            return self._store.lacking(files)
        except (QueryError, StoreUnavailable, StoreDenied) as error:
            self.cannot_read(error)
            return None
