"""After a kill, or an error of the disk in the middle of an act: the spool tells which of it was done.

The journal names one act, a commit or a drop. Was it done, then its booking is applied; once more is
as good as once, since it holds absolute values. Was it not, then its remains are cleared away.
"""

from __future__ import annotations

import time

import structlog

from archioc.core.process import StopSignal
from archioc.core.spool.ledger import Booking, Ledger
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.columns import LEDGER_HEAD
from archioc.core.table.table import ChannelTable, LedgerAct

_log = structlog.get_logger()

HEAD_FIELDS = LEDGER_HEAD.names or ()
RETRY_S = 1.0
_LOOK_S = 0.2


def recover(table: ChannelTable, spool: SpoolDirectory) -> None:
    """Finish or forget what was begun; then ledger and spool agree. May be done again after an error. Raises OSError."""
    ledger = Ledger(table.ledger, spool.disk)
    booking = ledger.unfinished()
    if booking is not None and _was_done(booking, table, spool):
        ledger.apply(booking, HEAD_FIELDS)
    elif booking is not None:
        ledger.withdraw()
    left, returned = spool.clear_unfinished(), spool.return_taken()
    if left or returned:
        _log.info("unfinished_acts_settled", discarded=left, put_back=returned)


def _was_done(booking: Booking, table: ChannelTable, spool: SpoolDirectory) -> bool:
    act = LedgerAct(int(booking.head["act"][0]))
    if act is LedgerAct.COMMIT:
        return True
    if act is LedgerAct.DROP:
        if any(entry.batch_id == booking.batch_id for entry in spool.withdrawn()):
            return False
        spool.settle_discarded()
        return True
    if spool.holds(booking.batch_id):
        spool.settle_published()
        return True
    # the writer may have been fast; it books a batch before it removes it, and this one is the newest there is
    return int(table.delivery.head["batch_id"][0]) >= booking.batch_id


def recover_when_possible(table: ChannelTable, spool: SpoolDirectory, stop: StopSignal) -> bool:
    """Recover, again and again while the disk refuses, which the status shows; False when told to stop meanwhile."""
    head, due = table.status.head, 0.0
    while not stop:
        head["heartbeat"] = time.time_ns()
        if time.monotonic() >= due:
            try:
                recover(table, spool)
            except OSError as error:
                if not head["spool_error"][0]:
                    _log.error("spool_not_recovered", error=str(error))
                head["spool_error"] = str(error).encode()
                due = time.monotonic() + RETRY_S
            else:
                head["spool_error"] = b""
                return True
        stop.wait(_LOOK_S)
    return False
