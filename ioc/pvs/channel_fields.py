"""The PVs of a channel, `CH:<name>:<field>`: how each looks, and what it shows of the channel's row."""

from __future__ import annotations

from archioc.core.channel import LONGEST_MAX_INTERVAL, MAX_DEADBAND_PCT, MAX_ELEMENTS, MAX_RATE
from archioc.core.dbr import Dbr, Severity, Status
from archioc.core.table.columns import DROPS
from archioc.core.table.table import ChannelState
from archioc.ioc.ca.alarm import Alarm
from archioc.ioc.ca.alarm_limits import SEVERITIES
from archioc.ioc.ca.pv import PvSpec
from archioc.ioc.pvs.channel_field import ChannelField, Source
from archioc.ioc.pvs.row_view import RowView
from archioc.ioc.times import iso_time

NOT_CONNECTED: Alarm = (Status.COMM, Severity.INVALID)


def _counter(description: str, block: str, column: str, source: Source = "engine") -> ChannelField:
    return ChannelField(PvSpec(Dbr.DOUBLE, description), source, lambda view: view.number(block, column))


def _rate(description: str, column: str) -> ChannelField:
    return ChannelField(PvSpec(Dbr.DOUBLE, description, unit="1/s", precision=2), "engine", lambda view: view.number("status", column))


def _status_text(spec: PvSpec, column: str) -> ChannelField:
    return ChannelField(spec, "engine", lambda view: view.text(column))


def _connected(view: RowView) -> bool:
    return bool(view.status["connected"][0])


def value_alarm(view: RowView) -> Alarm:
    """That of the channel itself, whatever numbers its IOC sends."""
    if not _connected(view):
        return NOT_CONNECTED
    status, severity = int(view.status["status"][0]), int(view.status["severity"][0])
    return (Status(status) if status < len(Status) else Status.SOFT, Severity(min(severity, Severity.INVALID)))


def _state(view: RowView) -> int:
    """As the engine says; a channel that it does not know yet is connecting."""
    return int(view.status["state"][0])


def _state_alarm(view: RowView) -> Alarm:
    state = _state(view)
    return _STATE.state_alarm(state, Status.COMM if state == ChannelState.DISCONNECTED else Status.STATE)


def _reason(view: RowView) -> str:
    return view.text("reason") or str(view.channel.handover or "")


def _type(view: RowView) -> str:
    return Dbr(int(view.status["dbr"][0])).name if view.status["count"][0] else ""


def _age(view: RowView) -> float:
    received = int(view.status["received_at"][0])
    return max(view.now_ns - received, 0) / 1e9 if received else 0.0


def _pending(view: RowView) -> float:
    committed = view.number("ledger", "committed")
    waiting = view.number("ledger", "withheld")
    return max(committed - view.number("delivery", "stored") - view.number("delivery", "rejected"), 0.0) + waiting


def _dropped(view: RowView) -> float:
    return sum(view.number("ledger", drop) for drop in DROPS)


STATES = ("Connecting", "Archiving", "Disabled", "GroupOff", "Disconnected", "Rejected")

REMOVED = len(STATES)
"""State of a channel that is in the archive no longer, while clients still have its PVs open."""

_STATE = PvSpec(
    Dbr.ENUM,
    "What the channel is doing",
    labels=(*STATES, "Removed"),
    severities=(*[Severity.NO_ALARM] * ChannelState.DISCONNECTED, Severity.MAJOR, Severity.MAJOR, Severity.INVALID),
)
_CONNECTED = PvSpec(
    Dbr.ENUM,
    "Whether its IOC is connected",
    labels=("Disconnected", "Connected"),
    severities=(Severity.MAJOR, Severity.NO_ALARM),
)

CHANNEL_FIELDS: dict[str, ChannelField] = {
    "Enable": ChannelField(
        PvSpec(Dbr.ENUM, "Archive this channel or not", labels=("Off", "On"), access="control"),
        "registry",
        lambda view: int(view.channel.settings.enable),
        "enable",
    ),
    "Mode": ChannelField(
        PvSpec(Dbr.ENUM, "Every update or the newest at each tick", labels=("Monitor", "Scan"), access="control"),
        "registry",
        lambda view: int(view.channel.settings.mode),
        "mode",
    ),
    "Rate": ChannelField(
        PvSpec(
            Dbr.DOUBLE,
            "Highest rate; 0 = no limit (Monitor only)",
            unit="Hz",
            precision=3,
            access="control",
            high=MAX_RATE,
            zero="no limit",
        ),
        "registry",
        lambda view: view.channel.settings.rate,
        "rate",
    ),
    "Deadband": ChannelField(
        PvSpec(Dbr.DOUBLE, "Numbers that differ less from the last archived one are left out", precision=6, access="control", zero="none"),
        "registry",
        lambda view: view.channel.settings.deadband,
        "deadband",
        unit=lambda view: view.text("units"),
    ),
    "DeadbandPct": ChannelField(
        PvSpec(
            Dbr.DOUBLE,
            "The same in part of the last archived value",
            unit="%",
            precision=3,
            access="control",
            high=MAX_DEADBAND_PCT,
            zero="none",
        ),
        "registry",
        lambda view: view.channel.settings.deadband_pct,
        "deadband_pct",
    ),
    "MaxInterval": ChannelField(
        PvSpec(
            Dbr.DOUBLE,
            "A value that stays is written again this often; 0 = never",
            unit="s",
            precision=1,
            access="control",
            high=LONGEST_MAX_INTERVAL,
            zero="never",
        ),
        "registry",
        lambda view: view.channel.settings.max_interval,
        "max_interval",
    ),
    "Mask": ChannelField(
        PvSpec(
            Dbr.ENUM,
            "What its IOC sends: beyond ADEL (Log) or beyond MDEL (Value); alarms always",
            labels=("Log", "Value"),
            access="control",
        ),
        "registry",
        lambda view: int(view.channel.settings.mask),
        "mask",
    ),
    "Quota": ChannelField(
        PvSpec(
            Dbr.DOUBLE,
            "Most samples/s on average over 10 s; 0 = no limit",
            unit="1/s",
            precision=1,
            access="control",
            high=MAX_RATE,
            zero="no limit",
        ),
        "registry",
        lambda view: view.channel.settings.quota,
        "quota",
    ),
    "Clock": ChannelField(
        PvSpec(Dbr.ENUM, "Whose time samples get; Auto: by the field it reads", labels=("Auto", "Ioc", "Archiver"), access="control"),
        "registry",
        lambda view: int(view.channel.settings.clock),
        "clock",
    ),
    "MaxElements": ChannelField(
        PvSpec(
            Dbr.LONG, "Longer arrays are treated as LargeArrays says; 0 = no limit", access="control", high=MAX_ELEMENTS, zero="no limit"
        ),
        "registry",
        lambda view: view.channel.settings.max_elements,
        "max_elements",
    ),
    "LargeArrays": ChannelField(
        PvSpec(Dbr.ENUM, "What is stored of longer arrays", labels=("Statistics", "Store", "Refuse"), access="control"),
        "registry",
        lambda view: int(view.channel.settings.large_arrays),
        "large_arrays",
    ),
    "AsText": ChannelField(
        PvSpec(Dbr.ENUM, "An array of characters is a text", labels=("Off", "On"), access="control"),
        "registry",
        lambda view: int(view.channel.settings.as_text),
        "as_text",
    ),
    "Desc": ChannelField(
        PvSpec(Dbr.CHAR, "Description of the channel", count=256, access="control"),
        "registry",
        lambda view: view.channel.settings.description,
        "description",
    ),
    "State": ChannelField(_STATE, "engine", _state, alarm=_state_alarm),
    "Reason": ChannelField(
        PvSpec(Dbr.CHAR, "Why it is not archived, or to which shard it moves; otherwise empty", count=64), "engine", _reason
    ),
    "Connected": ChannelField(
        _CONNECTED,
        "engine",
        lambda view: int(_connected(view)),
        alarm=lambda view: _CONNECTED.state_alarm(int(_connected(view)), Status.COMM),
    ),
    "Value": ChannelField(
        PvSpec(Dbr.DOUBLE, "Newest value received (enum: the index); unit and severity are the channel's own", precision=6),
        "engine",
        lambda view: view.number("status", "value"),
        alarm=value_alarm,
        unit=lambda view: view.text("units"),
        precision=lambda view: view.precision,
    ),
    "Text": ChannelField(
        PvSpec(Dbr.STRING, "Newest text or enum label received"), "engine", lambda view: view.text("text"), alarm=value_alarm
    ),
    "Time": ChannelField(
        PvSpec(Dbr.STRING, "IOC time stamp of the newest value (ISO 8601 UTC)"),
        "engine",
        lambda view: iso_time(int(view.status["time"][0])),
    ),
    "Age": ChannelField(PvSpec(Dbr.DOUBLE, "Time since the last update came", unit="s", precision=1), "engine", _age),
    "Severity": ChannelField(
        PvSpec(Dbr.ENUM, "Severity of the newest value", labels=SEVERITIES),
        "engine",
        lambda view: min(int(view.status["severity"][0]), len(SEVERITIES) - 1),
    ),
    "Type": ChannelField(PvSpec(Dbr.STRING, "Native DBR type"), "engine", _type),
    "Elements": ChannelField(PvSpec(Dbr.LONG, "Number of elements"), "engine", lambda view: int(view.status["count"][0])),
    "Host": _status_text(PvSpec(Dbr.CHAR, "Host and port of its IOC", count=64), "host"),
    "Units": _status_text(PvSpec(Dbr.STRING, "Engineering unit"), "units"),
    "EventRate": _rate("Updates received per second", "event_rate"),
    "SampleRate": _rate("Samples taken per second", "sample_rate"),
    "Received": _counter("Updates received and accounted for", "ledger", "received"),
    "Generated": _counter("Samples made at connect and enable and by MaxInterval", "ledger", "generated"),
    "Filtered": _counter("Updates left out by the settings", "ledger", "filtered"),
    "Stored": _counter("Samples acknowledged by the store", "delivery", "stored", "db"),
    "Pending": ChannelField(
        PvSpec(Dbr.DOUBLE, "Samples committed and not yet stored and a value waiting for its interval to end"), "engine", _pending
    ),
    "Dropped": ChannelField(PvSpec(Dbr.DOUBLE, "Samples lost for any reason"), "engine", _dropped),
    "Disconnects": ChannelField(
        PvSpec(Dbr.LONG, "How often the connection was lost"), "engine", lambda view: int(view.status["disconnects"][0])
    ),
    "Late": _counter("Updates older than the one before", "ledger", "late"),
    "BadTime": _counter("Updates whose time stamp was unusable", "ledger", "bad_time"),
    "Group": ChannelField(
        PvSpec(Dbr.CHAR, "Group that the channel belongs to; empty for none", count=64, access="control"),
        "registry",
        lambda view: view.channel.settings.group,
        "group",
    ),
    "Name": ChannelField(PvSpec(Dbr.CHAR, "Name of the channel", count=256), "registry", lambda view: view.channel.name),
    "Remove": ChannelField(
        PvSpec(Dbr.CHAR, "Put the channel's own name here to remove it", count=256, access="expert"), "registry", lambda _: ""
    ),
}
