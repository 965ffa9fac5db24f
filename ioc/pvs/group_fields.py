"""The PVs of a group, `GRP:<group>:<field>`: how each looks, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archioc.core.condition import MAX_CONDITION_BYTES
from archioc.core.dbr import Dbr, Severity, Status
from archioc.core.table.group_status import ConditionState, why_off
from archioc.ioc.ca.alarm import NO_ALARM, TIMEOUT, Alarm
from archioc.ioc.ca.pv import PvSpec, Value
from archioc.ioc.registry.archived_group import ArchivedGroup


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group at one moment. event_rate: updates/s of all its channels. known: whether the engine has told of it."""

    group: ArchivedGroup
    state: ConditionState
    on: bool
    known: bool
    channels: int
    connected: int
    event_rate: float
    engine_silent: bool

    @property
    def reason(self) -> str:
        """Why its channels are not archived, or why that is not certain; empty when all is well."""
        group = self.group
        if self.known and not self.on:
            return why_off(group.name, group.condition, enable=group.enable, state=self.state)
        if self.state is ConditionState.UNKNOWN:
            return f"group {group.name}: the PV of {group.condition} is not known; its channels are archived"
        return ""


@dataclass(frozen=True, slots=True)
class GroupField:
    """One PV of a group. setting: what a put changes. by_engine: it goes INVALID when the engine does not answer."""

    spec: PvSpec
    show: Callable[[GroupView], Value]
    setting: str = ""
    by_engine: bool = True
    alarm: Callable[[GroupView], Alarm] = lambda _: NO_ALARM

    def alarm_of(self, view: GroupView) -> Alarm:
        """Status and severity: those of the field, or TIMEOUT when the engine does not answer."""
        return TIMEOUT if self.by_engine and view.engine_silent else self.alarm(view)


_CONDITION_STATE = PvSpec(
    Dbr.ENUM,
    "What is known of the condition",
    labels=("None", "Unknown", "Holds", "DoesNotHold"),
    severities=(Severity.NO_ALARM, Severity.MINOR, Severity.NO_ALARM, Severity.NO_ALARM),
)


def _disconnected_alarm(view: GroupView) -> Alarm:
    """MINOR where some channels of a group that is on are not connected, MAJOR where none is."""
    if not view.on or view.connected == view.channels:
        return NO_ALARM
    return Status.COMM, Severity.MINOR if view.connected else Severity.MAJOR


GROUP_FIELDS: dict[str, GroupField] = {
    "Enable": GroupField(
        PvSpec(Dbr.ENUM, "Archive the channels of this group or not", labels=("Off", "On"), access="control"),
        lambda view: int(view.group.enable),
        "enable",
        by_engine=False,
    ),
    "Condition": GroupField(
        PvSpec(Dbr.CHAR, "PV OPERATOR VALUE: archived only while it holds; empty: always", count=MAX_CONDITION_BYTES + 1, access="expert"),
        lambda view: view.group.condition,
        "condition",
        by_engine=False,
    ),
    "ConditionState": GroupField(
        _CONDITION_STATE,
        lambda view: int(view.state),
        alarm=lambda view: _CONDITION_STATE.state_alarm(view.state, Status.COMM),
    ),
    "State": GroupField(
        PvSpec(Dbr.ENUM, "Whether the channels of the group are archived", labels=("Off", "On")), lambda view: int(view.on)
    ),
    "Reason": GroupField(
        PvSpec(Dbr.CHAR, "Why they are not archived or why that is uncertain; empty when all is well", count=512),
        lambda view: view.reason,
    ),
    "Desc": GroupField(
        PvSpec(Dbr.CHAR, "Description of the group", count=256), lambda view: view.group.declared.description, by_engine=False
    ),
    "Channels": GroupField(PvSpec(Dbr.DOUBLE, "Channels in the group"), lambda view: view.channels, by_engine=False),
    "Connected": GroupField(PvSpec(Dbr.DOUBLE, "Channels of the group connected to their IOC"), lambda view: view.connected),
    "Disconnected": GroupField(
        PvSpec(Dbr.DOUBLE, "Channels of the group not connected"),
        lambda view: view.channels - view.connected,
        alarm=_disconnected_alarm,
    ),
    "EventRate": GroupField(
        PvSpec(Dbr.DOUBLE, "Updates received per second for the group", unit="1/s", precision=1), lambda view: view.event_rate
    ),
}
