"""The PVs of the archiver as a whole: how each looks, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from archioc.core.dbr import Dbr, Severity
from archioc.ioc.ca.alarm import NO_ALARM, TIMEOUT, Alarm
from archioc.ioc.ca.alarm_limits import NO_LIMITS, AlarmLimits
from archioc.ioc.ca.pv import PvSpec, Value
from archioc.ioc.pvs.overview import Overview
from archioc.ioc.times import iso_time

Source = Literal["ioc", "engine", "db"]

DISCONNECTED_LIMITS = AlarmLimits(high=10.0, hihi=50.0)
QUARANTINE_LIMITS = AlarmLimits(high=1.0)
LOSS_LIMITS = AlarmLimits(hihi=1.0)
BAD_TIME_LIMITS = AlarmLimits(high=1.0)
SPOOL_LIMITS = AlarmLimits(high=50.0, hihi=80.0)
WAITING_LIMITS = AlarmLimits(high=60.0, hihi=600.0)
FOREIGN_LIMITS = AlarmLimits(high=1.0)
DISK_LIMITS = AlarmLimits(low=10.0, lolo=3.0)


@dataclass(frozen=True, slots=True)
class StatusField:
    """A PV of the archiver. source: the process that knows it. limits: alarm limits, until an operator puts others.

    alarm: that of a PV without states that have severities. by_value: its alarm is that of its value also while its process does not
    answer: it counts a loss, and alarm servers latch it.
    """

    spec: PvSpec
    source: Source
    show: Callable[[Overview], Value]
    alarm: Callable[[Overview], Alarm] = lambda _: NO_ALARM
    limits: AlarmLimits = NO_LIMITS
    by_value: bool = False

    def alarm_of(self, overview: Overview) -> Alarm:
        """Status and severity: those of the state or the field, or TIMEOUT when its process does not answer."""
        if self.by_value:
            return NO_ALARM
        if (self.source == "engine" and overview.engine_silent) or (self.source == "db" and overview.db_silent):
            return TIMEOUT
        if self.spec.severities:
            return self.spec.state_alarm(int(self.show(overview)))
        return self.alarm(overview)


def _count(source: Source, description: str, show: Callable[[Overview], float], limits: AlarmLimits = NO_LIMITS) -> StatusField:
    return StatusField(PvSpec(Dbr.DOUBLE, description), source, show, limits=limits)


def _loss(source: Source, description: str, show: Callable[[Overview], float]) -> StatusField:
    return StatusField(PvSpec(Dbr.DOUBLE, description), source, show, limits=LOSS_LIMITS, by_value=True)


def _number(
    source: Source, description: str, unit: str, precision: int, show: Callable[[Overview], float], limits: AlarmLimits = NO_LIMITS
) -> StatusField:
    return StatusField(PvSpec(Dbr.DOUBLE, description, unit=unit, precision=precision), source, show, limits=limits)


def _long(source: Source, description: str, show: Callable[[Overview], int]) -> StatusField:
    return StatusField(PvSpec(Dbr.LONG, description), source, show)


def _process_state(source: Source, description: str, show: Callable[[Overview], int]) -> StatusField:
    return StatusField(PvSpec(Dbr.ENUM, description, labels=("Stopped", "Starting", "Running", "Stopping")), source, show)


_STATE = PvSpec(
    Dbr.ENUM,
    "What the archiver as a whole is doing",
    labels=("Starting", "Running", "Degraded", "Fault", "Stopping"),
    severities=(Severity.NO_ALARM, Severity.NO_ALARM, Severity.MINOR, Severity.MAJOR, Severity.NO_ALARM),
)

STATUS_FIELDS: dict[str, StatusField] = {
    "State": StatusField(
        _STATE,
        "ioc",
        lambda view: int(view.state),
    ),
    "StateReason": StatusField(
        PvSpec(Dbr.CHAR, "Why State is what it is; empty while Running, but for an idle shard", count=256),
        "ioc",
        lambda view: view.reason,
        lambda view: _STATE.state_alarm(view.state),
    ),
    "Version": StatusField(PvSpec(Dbr.STRING, "Version of ArchIOC"), "ioc", lambda view: view.own.version),
    "Callback": StatusField(
        PvSpec(Dbr.ENUM, "How the engine takes events from Channel Access", labels=("Unknown", "Python", "Compiled")),
        "engine",
        lambda view: int(view.status("callback")),
    ),
    "HEARTBEAT": _long("ioc", "Counts up twice a second while the IOC runs", lambda view: view.own.beats),
    "UPTIME": _number("ioc", "Time since the IOC started", "s", 0, lambda view: (view.now_ns - view.own.started_ns) // 10**9),
    "STARTTOD": StatusField(PvSpec(Dbr.STRING, "When the IOC started (ISO 8601 UTC)"), "ioc", lambda view: iso_time(view.own.started_ns)),
    "MEM_USED": _number("ioc", "Resident memory of the IOC process", "byte", 0, lambda view: view.own.memory),
    "CA_CLNT_CNT": _long("ioc", "Channel Access clients connected to this IOC", lambda view: view.own.clients),
    "LoopLag": _number("ioc", "Longest delay of the IOC's own loop in the last half second", "ms", 1, lambda view: 1e3 * view.own.loop_lag),
    "Channels": _count("ioc", "Channels in the archive", lambda view: view.totals.channels),
    "Connected": _count("engine", "Channels connected to their IOC", lambda view: view.totals.connected),
    "Disconnected": _count("engine", "Channels not connected", lambda view: view.totals.channels - view.totals.connected),
    "DisconnectedPct": StatusField(
        PvSpec(Dbr.DOUBLE, "Part of the channels that is not connected", unit="%", precision=1),
        "engine",
        lambda view: view.disconnected_pct,
        limits=DISCONNECTED_LIMITS,
    ),
    "Enabled": _count("ioc", "Channels whose archiving is enabled", lambda view: view.totals.enabled),
    "EventRate": _number("engine", "Updates received per second", "1/s", 1, lambda view: view.status("event_rate")),
    "SampleRate": _number("engine", "Samples taken per second", "1/s", 1, lambda view: view.status("sample_rate")),
    "WriteRate": _number("db", "Samples stored per second", "1/s", 1, lambda view: view.delivery("write_rate")),
    "Received": _count("engine", "Updates received and accounted for", lambda view: view.ledger("received")),
    "Generated": _count("engine", "Samples made at connect and enable and by MaxInterval", lambda view: view.ledger("generated")),
    "Filtered": _count("engine", "Updates left out by the settings", lambda view: view.ledger("filtered")),
    "Stored": _count("db", "Samples acknowledged by the store", lambda view: view.delivery("stored")),
    "Pending": _count("db", "Samples in the spool and values waiting for their interval to end", lambda view: view.pending),
    "Rejected": _count("db", "Samples refused by the store for good", lambda view: view.delivery("rejected")),
    "Dropped": _count("engine", "Samples lost for any reason", lambda view: view.totals.dropped),
    "Dropped:Overflow": _count("engine", "Updates lost because the event ring was full", lambda view: view.ledger("dropped_overflow")),
    "Dropped:SpoolFull": _count("engine", "Samples given up because the spool was full", lambda view: view.ledger("dropped_spool_full")),
    "Dropped:Quota": _count("engine", "Samples beyond the quota of their channel", lambda view: view.ledger("dropped_quota")),
    "Dropped:LastMinute": _loss("engine", "Samples lost for any reason in the last 60 s", lambda view: view.last_minute.dropped),
    "Rejected:LastMinute": _loss("db", "Samples refused by the store for good in the last 60 s", lambda view: view.last_minute.rejected),
    "Late": _count("engine", "Updates older than the one before of their channel", lambda view: view.ledger("late")),
    "BadTime": _count("engine", "Updates whose time stamp was unusable", lambda view: view.ledger("bad_time")),
    "BadTime:LastMinute": _count(
        "engine", "Updates whose time stamp was unusable in the last 60 s", lambda view: view.last_minute.bad_time, BAD_TIME_LIMITS
    ),
    "ClockSuspect": StatusField(
        PvSpec(
            Dbr.ENUM,
            "More than a fifth of the IOCs are ahead of our clock",
            labels=("No", "Yes"),
            severities=(Severity.NO_ALARM, Severity.MAJOR),
        ),
        "engine",
        lambda view: int(view.status("clock_suspect")),
    ),
    "Lag": _number(
        "db", "Time from commit to acknowledgement of the last batch", "s", 3, lambda view: view.delivery("lag"), WAITING_LIMITS
    ),
    "Db:State": StatusField(
        PvSpec(
            Dbr.ENUM,
            "How the store answers",
            labels=("Unknown", "OK", "Unreachable", "Denied", "Rejecting", "Degraded"),
            severities=(Severity.NO_ALARM, Severity.NO_ALARM, Severity.MAJOR, Severity.MAJOR, Severity.MAJOR, Severity.MINOR),
        ),
        "db",
        lambda view: int(view.delivery("store_state")),
    ),
    "Db:LastError": StatusField(
        PvSpec(Dbr.CHAR, "Last failure of the store; empty when all is well", count=256), "db", lambda view: view.totals.store_error
    ),
    "Db:LastWrite": StatusField(
        PvSpec(Dbr.STRING, "When the store last acknowledged a batch (ISO 8601 UTC)"),
        "db",
        lambda view: iso_time(int(view.delivery("last_write"))),
    ),
    "Db:WriteTime": _number("db", "How long the last write took", "s", 3, lambda view: view.delivery("write_time")),
    "Db:Retries": _count("db", "Writes that had to be repeated", lambda view: view.delivery("retries")),
    "Spool:Files": _count("db", "Batches in the spool", lambda view: view.delivery("spool_files")),
    "Spool:Bytes": _number("db", "Size of the spool", "byte", 0, lambda view: view.delivery("spool_bytes")),
    "Spool:FillPct": _number("db", "Size of the spool against spool.max_bytes", "%", 1, lambda view: view.spool_fill_pct, SPOOL_LIMITS),
    "Spool:OldestAge": _number("db", "Age of the oldest batch in the spool", "s", 1, lambda view: view.spool_age, WAITING_LIMITS),
    "Disk:FreePct": StatusField(
        PvSpec(Dbr.DOUBLE, "Free part of the disk that holds the spool", unit="%", precision=1),
        "db",
        lambda view: 100 * view.delivery("disk_free"),
        limits=DISK_LIMITS,
    ),
    "Quarantine": StatusField(
        PvSpec(Dbr.DOUBLE, "Batches of which the store refused something for good, which is kept"),
        "db",
        lambda view: view.delivery("quarantined"),
        limits=QUARANTINE_LIMITS,
    ),
    "Shard:Index": _long("ioc", "Number of this shard from 0 on; 0 when it stands alone", lambda view: view.own.sharing.shard.index),
    "Shard:Count": _long("ioc", "Number of shards; 1 when it stands alone", lambda view: view.own.sharing.shard.count),
    "Shard:Leaving": _count("ioc", "Channels that are handed over to other shards", lambda view: view.own.sharing.leaving),
    "Shard:Foreign": _count(
        "ioc", "Channels of other shards that the file does not name", lambda view: view.own.sharing.foreign, FOREIGN_LIMITS
    ),
    "Ioc:Restarts": _long("ioc", "Restarts of the ioc process since the archiver started", lambda view: view.own.restarts.ioc),
    "Engine:State": _process_state("engine", "State of the engine process", lambda view: int(view.status("state"))),
    "Engine:Restarts": _long("ioc", "Restarts of the engine process since the archiver started", lambda view: view.own.restarts.engine),
    "Writer:State": _process_state("db", "State of the db process", lambda view: int(view.delivery("state"))),
    "Writer:Restarts": _long("ioc", "Restarts of the db process since the archiver started", lambda view: view.own.restarts.db),
    "Http:State": _process_state(
        "ioc", "State of the http process; Stopped where http.enabled is false", lambda view: int(view.own.http_state)
    ),
    "Http:Restarts": _long("ioc", "Restarts of the http process since the archiver started", lambda view: view.own.restarts.http),
}
