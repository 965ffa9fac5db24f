"""The PVs of a view: those of the list, and those of its slots, which show what the PVs of the channel there show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from archioc.core.dbr import Dbr, Severity, Status
from archioc.core.spool.batch import Kind
from archioc.ioc.ca.alarm import NO_ALARM, Alarm
from archioc.ioc.ca.pv import PvSpec, Value
from archioc.ioc.pvs.channel_field import ChannelField
from archioc.ioc.pvs.channel_fields import CHANNEL_FIELDS, STATES, value_alarm
from archioc.ioc.pvs.channel_refs import reference
from archioc.ioc.pvs.command_pvs import COMMAND_SPECS, RESULT_BYTES, result_alarm
from archioc.ioc.pvs.row_view import RowView
from archioc.ioc.pvs.worded import digits
from archioc.ioc.views.filter import listed_group
from archioc.ioc.views.view import View


@dataclass(frozen=True, slots=True)
class ListField:
    """A PV of the list."""

    spec: PvSpec
    show: Callable[[View], Value]
    alarm: Callable[[View], Alarm] = lambda _: NO_ALARM


def _message_alarm(view: View) -> Alarm:
    return (Status.WRITE, Severity.MINOR) if view.message else NO_ALARM


FILTER_BYTES = 256
MESSAGE_BYTES = 256
GROUP_BYTES = 64

COMMANDS = ("Add", "Remove", "Set", "Rename", "ImportFile", "Flush", "Apply")
"""Command PVs that each view has, so that its `Result` is that of its own commands."""


def _command(name: str) -> ListField:
    return ListField(COMMAND_SPECS[name], lambda _: "" if COMMAND_SPECS[name].dbr is Dbr.CHAR else 0)


LIST_FIELDS: dict[str, ListField] = {
    "Filter": ListField(
        PvSpec(
            Dbr.CHAR,
            "Words that must all match: part of a name, a glob, state=, severity=, group=, enable=",
            count=FILTER_BYTES,
            access="anyone",
        ),
        lambda view: view.filter_text,
    ),
    "Sort": ListField(
        PvSpec(
            Dbr.ENUM,
            "What the list is sorted by, and then by name",
            labels=("Name", "State", "EventRate", "SampleRate", "Age", "Severity"),
            access="anyone",
        ),
        lambda view: int(view.sort),
    ),
    "Order": ListField(
        PvSpec(Dbr.ENUM, "Which end of the list comes first", labels=("Ascending", "Descending"), access="anyone"),
        lambda view: int(view.descending),
    ),
    "Hold": ListField(
        PvSpec(Dbr.ENUM, "On: channels stay in their rows although the order changes", labels=("Off", "On"), access="anyone"),
        lambda view: int(view.hold),
    ),
    "Page": ListField(PvSpec(Dbr.LONG, "Page shown from 1; beyond the last it is the last", access="anyone"), lambda view: view.page + 1),
    "Next": ListField(PvSpec(Dbr.LONG, "1 = one page on; reads back 0", access="anyone"), lambda _: 0),
    "Prev": ListField(PvSpec(Dbr.LONG, "1 = one page back; reads back 0", access="anyone"), lambda _: 0),
    "Select": ListField(
        PvSpec(Dbr.CHAR, "Number of a row or name of a channel that Selected is to show", count=256, access="anyone"),
        lambda view: view.slots["Selected"].shown,
    ),
    "Pages": ListField(PvSpec(Dbr.LONG, "Pages of 25 rows; 1 for an empty list"), lambda view: view.pages),
    "Total": ListField(PvSpec(Dbr.DOUBLE, "Channels that match the filter"), lambda view: view.total),
    "Message": ListField(
        PvSpec(Dbr.CHAR, "Why the last put to this view was refused; empty when it was not", count=MESSAGE_BYTES),
        lambda view: view.message,
        _message_alarm,
    ),
    "Result": ListField(
        PvSpec(Dbr.CHAR, "What became of the last command or put to this view, or of a client that shows this PV", count=RESULT_BYTES),
        lambda view: view.outcome.text,
        lambda view: result_alarm(view.outcome),
    ),
    "ResultCode": ListField(
        PvSpec(Dbr.LONG, "Code of Result of this view; 0 = done (see results.md)"),
        lambda view: int(view.outcome.code),
        lambda view: result_alarm(view.outcome),
    ),
    **{name: _command(name) for name in COMMANDS},
    "GroupPage": ListField(
        PvSpec(Dbr.LONG, "Page of groups shown from 1; beyond the last it is the last", access="anyone"), lambda view: view.groups.page + 1
    ),
    "GroupNext": ListField(PvSpec(Dbr.LONG, "1 = one page of groups on; reads back 0", access="anyone"), lambda _: 0),
    "GroupPrev": ListField(PvSpec(Dbr.LONG, "1 = one page of groups back; reads back 0", access="anyone"), lambda _: 0),
    "GroupSelect": ListField(
        PvSpec(Dbr.CHAR, "Number of a group slot or name of a group whose channels are to be listed", count=GROUP_BYTES, access="anyone"),
        lambda view: listed_group(view.filter_text),
    ),
    "GroupPages": ListField(PvSpec(Dbr.LONG, "Pages of 10 groups; 1 where there is none"), lambda view: view.groups.pages),
    "GroupTotal": ListField(PvSpec(Dbr.DOUBLE, "Groups of the archive"), lambda view: view.groups.total),
}


def value_text(view: RowView) -> str:
    """The newest value of a channel in a few words; empty before the first one."""
    if not view.status["received_at"][0]:
        return ""
    kind, number, text = int(view.status["kind"][0]), view.number("status", "value"), view.text("text")
    count = int(view.status["count"][0])
    if kind == Kind.ARRAY:
        return f"{count} element{'s' if count != 1 else ''}"
    if kind == Kind.TEXT or (kind == Kind.ENUM and text):
        return text
    if view.precision is not None and Dbr(int(view.status["dbr"][0])) in {Dbr.DOUBLE, Dbr.FLOAT}:
        return f"{digits(number, view.precision)} {view.text('units')}".rstrip()
    return f"{number:.6g} {view.text('units')}".rstrip()


EMPTY_STATE = len(STATES)

_STATE = CHANNEL_FIELDS["State"].spec
_SLOT_STATE = replace(_STATE, labels=(*STATES, "Empty"), severities=_STATE.severities[: len(STATES)])

SLOT_FIELDS: dict[str, ChannelField] = {
    **{name: field for name, field in CHANNEL_FIELDS.items() if name not in {"Remove", "State", "Name"}},
    "Name": ChannelField(
        PvSpec(Dbr.CHAR, "Name of the channel shown; empty beyond the end of the list", count=256),
        "registry",
        lambda view: view.channel.name,
    ),
    "Ref": ChannelField(
        PvSpec(Dbr.STRING, "What stands for the channel in names of PVs: its name, or #ROW-GENERATION for a longer one"),
        "registry",
        lambda view: reference(view.channel),
    ),
    "ValueText": ChannelField(
        PvSpec(Dbr.STRING, "Newest value as text: number with unit or label or text"), "engine", value_text, alarm=value_alarm
    ),
    "State": replace(CHANNEL_FIELDS["State"], spec=_SLOT_STATE),
}


def nothing(field: str) -> Value:
    """What a field shows of a slot without a channel."""
    spec = SLOT_FIELDS[field].spec
    if field == "State":
        return EMPTY_STATE
    return "" if spec.dbr in {Dbr.CHAR, Dbr.STRING} else 0
