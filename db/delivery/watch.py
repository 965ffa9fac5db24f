"""Whether the archive still holds what it has acknowledged; what it has lost is sent again.

A store is OK only if what was written can be read back. Looks, each by the reader's own path:

* at the sign (`archioc.db.archive_record`): none means that the archive is new or was emptied, one older than it should be that the archive
  was restored from a backup, or has lost its last writes;
* at the numbers of samples: of each channel in the batches of the last minutes, and in all that are kept after each outage; and of all that
  were found in the last hour.

What is missing, and what a person asks for, is sent again from `delivered/`, between live files. What is not there any more is told as a
gap `store_lost` of all channels.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from archioc.core.errors import QueryError, StoreDenied, StoreRejected, StoreTooLarge, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.incidents import Incident, IncidentKind, Incidents
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.delivered import DeliveredBatch, DeliveredBatches
from archioc.core.spool.resend_request import ResendRequest
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.mapped_file import MappedFile
from archioc.core.timestamp import format_utc
from archioc.db.archive_record import KnownArchive
from archioc.db.delivery.read_back import Loss, ReadBack
from archioc.db.delivery.resending import Resending
from archioc.db.delivery.watched_store import WatchedStore

_log = structlog.get_logger()

LOOK_S = 5.0
"""Between two looks at the sign, and at what a person has asked for."""
FIRST_DOUBT_S, LONGEST_DOUBT_S = 20.0, 3600.0
"""Between two checks because of new connections: twice as long each time, as a proxy may close each."""
SIGN_NS = 60 * 10**9
SHOW_NS = 3_600 * 10**9
"""How long a loss is shown of which everything was sent again."""
FILES_IN_A_ROW = 3
"""After so many files one is sent again, or a part is checked."""
FULL_DISK = (
    "the server's disk was full and its log may be torn: make room, stop ArchIOC, restart the server twice, start ArchIOC, "
    "`archioc spool resend`, then `archioc check --acknowledge`"
)


class StoreWatch:
    """Looks at one store. The thread that delivers calls it."""

    def __init__(
        self,
        store: WatchedStore,
        spool: SpoolDirectory,
        kept: DeliveredBatches,
        incidents: Incidents,
        block: MappedFile,
        channel_names: Callable[[], list[str]],
    ) -> None:
        self._store, self._kept, self._incidents, self._block, self._channel_names = store, kept, incidents, block, channel_names
        self._request, self._addresses = ResendRequest(spool), Addresses(spool)
        self._requested = False
        self._look_at = float("-inf")
        self._resending = Resending(store, kept, self._addresses)
        self._read_back = ReadBack(store, kept, self._resending)
        self._lost: list[ChannelEvent] = []
        self._standing: list[Incident] = []
        self._recovering: int | None = None
        self._proving = False  # the archive was signed anew, or is in doubt: that sign must be found
        self._in_a_row = 0
        self._opened, self._doubt_at, self._doubt_pause = 0, float("-inf"), FIRST_DOUBT_S

    @property
    def trouble(self) -> str:
        """What makes the store worse than OK although it takes samples; empty when nothing does."""
        return "; ".join(filter(None, (self._read_back.trouble, *(incident.text for incident in self._standing[-1:]))))

    @property
    def wants_turn(self) -> bool:
        """Whether something waits to be done that comes before more files."""
        waits = bool(self._resending or self._read_back or self._lost)
        return time.monotonic() >= self._look_at or (waits and self._in_a_row >= FILES_IN_A_ROW)

    def sent(self) -> None:
        """A file was sent."""
        self._in_a_row += 1

    def begin(self) -> None:
        """The store is there, for the first time or again after an outage: all that is kept is checked."""
        self._look_at = float("-inf")
        self._resending.clear()
        self._recovering = None
        self._requested = False
        self._proving = self._read_back.denied
        self._read_back.begin()

    def failed(self, error: Exception) -> None:
        """The store does not take samples."""
        if isinstance(error, StoreUnavailable | StoreDenied) and "no space left on device" in str(error):
            try:
                self._note(IncidentKind.DISK_FULL, FULL_DISK)
            except OSError as full:  # our own disk, too
                _log.error("incident_not_kept", error=str(full))

    def step(self) -> bool:
        """Do one thing; False when there is nothing to do. Raises StoreUnavailable, StoreDenied or OSError."""
        self._in_a_row = 0
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            self._look(time.time_ns())
        elif self._resending:
            self._resending.step()
        elif self._read_back:
            self._tell_loss(self._read_back.step())
        elif self._lost:
            self._store.write_events(self._lost)
            self._lost = []
        else:
            return False
        return True

    # -- the sign ------------------------------------------------------------------------------

    def _look(self, now: int) -> None:
        self._standing = self._incidents.standing(now)
        self._kept.hold = any(incident.kind is IncidentKind.DISK_FULL for incident in self._standing)
        self._addresses.refresh()
        self._look_at_sign(now)
        self._follow_request()
        self._doubt()
        self._read_back.look(now)

    def _doubt(self) -> None:
        """Where a new connection was opened the server may have been restarted between two writes: all that is kept is checked."""
        opened = self._store.connections
        if opened > self._opened and time.monotonic() >= self._doubt_at:
            self._opened = opened
            self._doubt_at = time.monotonic() + self._doubt_pause
            self._doubt_pause = min(2 * self._doubt_pause, LONGEST_DOUBT_S)
            if not (self._resending or self._read_back):
                self._read_back.begin()

    def _look_at_sign(self, now: int) -> None:
        known = self._store.known
        try:
            newest = self._store.newest_sign()
        except (QueryError, StoreUnavailable, StoreDenied) as error:
            self._read_back.cannot_read(error)
            newest = known.signed_ns if known is not None else None  # nothing is known of a loss
        else:
            self._read_back.can_read()
        if self._recovering is not None:
            if not (self._resending or self._lost):  # only now: a kill before has all of it done once more
                self._sign(now, self._recovering)
                self._recovering, self._proving = None, True
        elif known is None:
            self._sign(now, now)
        elif self._is_there(newest, known, now):
            self._proving = False
            if not 0 <= now - known.signed_ns < SIGN_NS:
                self._sign(now, known.since_ns)
        elif self._proving:
            self._sign(now, known.since_ns)
            raise self._read_back.deny(f"the sign that was acknowledged at {format_utc(known.signed_ns)} is not found")
        elif newest is None:
            self._recovering = self._emptied(known, now)
        else:
            self._restored(newest, known, now)
            self._recovering = known.since_ns

    def _is_there(self, newest: int | None, known: KnownArchive, now: int) -> bool:
        """Whether the newest sign found is the newest that was acknowledged, or that one need not be there any more."""
        return newest >= known.signed_ns if newest is not None else self._aged(known.signed_ns, now)

    def _sign(self, now: int, since: int) -> None:
        try:
            self._store.sign(now, since)
        except (StoreRejected, StoreTooLarge, OSError) as error:
            _log.warning("archive_not_signed", error=str(error))

    def _aged(self, signed_ns: int, now: int) -> bool:
        """Whether a sign is so old that the store need not have it any more."""
        retention = self._store.retention_ns
        return retention is not None and now - signed_ns > retention - SIGN_NS

    def _emptied(self, known: KnownArchive, now: int) -> int:
        """The archive does not know us; since when it will hold what we write (ns)."""
        batches = self._kept.batches()
        since = min((batch.batch_id for batch in batches), default=now)
        text = (
            f"the archive was emptied or replaced after {format_utc(known.signed_ns)}: "
            f"what it held since {format_utc(known.since_ns)} is gone; {len(batches)} batches are sent again"
        )
        self._note(IncidentKind.EMPTIED, text)
        self._lose(known.since_ns, since, "the archive was emptied, or replaced by an empty one")
        self._recover(batches)
        return since

    def _restored(self, newest: int, known: KnownArchive, now: int) -> None:
        """The archive has lost what was written after its newest sign."""
        batches = [batch for batch in self._kept.batches() if batch.delivered_ns > newest - 2 * SIGN_NS]
        first = min((batch.batch_id for batch in batches), default=known.signed_ns)
        gone = first > newest
        span = f"between {format_utc(newest)} and {format_utc(known.signed_ns)}"
        why = "restored from a backup, or a torn log"
        text = f"the archive has lost what was written {span} ({why}); {len(batches)} batches are sent again"
        self._note(IncidentKind.LOST, text, 0 if gone else now + SHOW_NS)
        if gone:
            self._lose(newest, first, "the archive was restored from a backup, or has lost its last writes")
        self._recover(batches)

    def _recover(self, batches: list[DeliveredBatch]) -> None:
        self._read_back.clear()
        self._resending.clear()
        self._resending.add(batches)
        self._block.head["write_again"] += 1

    def _lose(self, start_ns: int, end_ns: int, text: str) -> None:
        if end_ns > start_ns > 0:  # 0: since when is not known
            self._lost += [ChannelEvent(name, start_ns, Reason.STORE_LOST, end_ns, text=text) for name in self._channel_names()]

    def _tell_loss(self, loss: Loss | None) -> None:
        """What had been lost was sent again."""
        if loss is None:
            return
        self._doubt_pause = FIRST_DOUBT_S
        now, lost = time.time_ns(), loss.lost
        span = f"between {format_utc(lost.start_ns)} and {format_utc(lost.end_ns)}"
        text = f"the archive had lost {lost.samples} of {lost.expected} samples {span}, which were sent again"
        if loss.missing:
            text += f"; {loss.missing} are still missing"
        self._note(IncidentKind.LOST, text, 0 if loss.missing else now + SHOW_NS)
        text = f"had been lost by the store {span}"
        self._lost += [ChannelEvent(name, now, Reason.SENT_AGAIN, count=count, text=text) for name, count in lost.missing.items()]
        self._block.head["write_again"] += 1

    # -- what a person wants -------------------------------------------------------------------

    def _follow_request(self) -> None:
        since = self._request.since_ns()
        if since is not None and not self._requested:
            batches = [batch for batch in self._kept.batches() if batch.delivered_ns >= since]
            self._read_back.forget_counts()
            self._resending.add(batches)
            self._requested = True
            _log.info("resend_begins", batches=len(batches), since=format_utc(since))
        elif self._requested and not self._resending:
            self._requested = False
            if since is not None:
                self._request.done()
                self._block.head["write_again"] += 1
                _log.info("resend_done")

    # -- for people ----------------------------------------------------------------------------

    def _note(self, kind: IncidentKind, text: str, until_ns: int = 0) -> None:
        now = time.time_ns()
        if any(incident.kind is kind and incident.text == text for incident in self._standing):
            return
        _log.error("store_incident", kind=kind.value, text=text)
        self._incidents.add(Incident(now, kind, text, until_ns))
        self._standing = self._incidents.standing(now)
