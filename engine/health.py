"""The archiver's own health, looked up in the channel table every HEALTH_EVERY_S and sent with the next batch."""

from __future__ import annotations

import numpy as np
import structlog

from archioc.core.errors import RunDirError
from archioc.core.table.archive_totals import count_up
from archioc.core.table.archiver_health import HEALTH_EVERY_S, ArchiverHealth
from archioc.core.table.columns import DROPS
from archioc.core.table.process_counts import ProcessCounts, read_counts
from archioc.core.table.table import ChannelTable

_log = structlog.get_logger()

_EVERY_NS = int(HEALTH_EVERY_S * 1e9)


class HealthReport:
    """Tells when a report is due, and makes it. archiver: name of this archiver."""

    def __init__(self, table: ChannelTable, archiver: str) -> None:
        self._table, self._archiver = table, archiver
        self._told_at = 0
        self._restarts = ProcessCounts()

    def due(self, now: int) -> bool:
        """Whether the last report is old enough (now: ns since 1970), or the clock was set back behind it."""
        return not 0 <= now - self._told_at < _EVERY_NS

    def poll(self, now: int) -> ArchiverHealth:
        """The report of this moment (ns since 1970); the next one is due HEALTH_EVERY_S later."""
        self._told_at = now
        totals = count_up(self._table)
        status, ledger, delivery = totals.status_head[0], totals.ledger_head[0], totals.delivery_head[0]
        restarts = self._count_restarts()
        return ArchiverHealth(
            archiver=self._archiver,
            time_ns=now,
            channels=totals.channels,
            connected=totals.connected,
            disconnected=totals.channels - totals.connected,
            enabled=totals.enabled,
            event_rate=float(status["event_rate"]),
            sample_rate=float(status["sample_rate"]),
            write_rate=float(delivery["write_rate"]),
            received=int(ledger["received"]),
            generated=int(ledger["generated"]),
            filtered=int(ledger["filtered"]),
            stored=int(delivery["stored"]),
            pending=int(ledger["withheld"]) + int(delivery["spool_samples"]),
            rejected=int(delivery["rejected"]),
            dropped=int(totals.dropped),
            **{name: int(ledger[name]) for name in DROPS},
            late=int(ledger["late"]),
            bad_time=int(ledger["bad_time"]),
            ring_fill_pct=100 * float(status["ring_fill"]),
            loop_lag=float(status["loop_lag"]),
            store_state=int(delivery["store_state"]),
            write_time=float(delivery["write_time"]),
            write_lag=float(delivery["lag"]),
            retries=int(delivery["retries"]),
            spool_files=int(delivery["spool_files"]),
            spool_bytes=int(delivery["spool_bytes"]),
            spool_age=_age(delivery["spool_oldest"], now),
            disk_free_pct=100 * float(delivery["disk_free"]),
            clock_suspect=int(status["clock_suspect"]),
            ioc_age=_age(self._table.settings.head["heartbeat"][0], now),
            db_age=_age(delivery["heartbeat"], now),
            ioc_restarts=restarts.ioc,
            engine_restarts=restarts.engine,
            db_restarts=restarts.db,
            http_restarts=restarts.http,
        )

    def _count_restarts(self) -> ProcessCounts:
        try:
            self._restarts = read_counts(self._table.run_dir)
        except RunDirError as error:
            _log.warning("restart_counts_unreadable", error=str(error))
        return self._restarts


def _age(since: np.int64, now: int) -> float:
    """Seconds since a time (ns since 1970); 0 where there is none."""
    return max(now - int(since), 0) / 1e9 if int(since) else 0.0
