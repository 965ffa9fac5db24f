"""A process variable that we serve: a value with alarm and time, the monitors on it, and what a put to it does.

caproto's ChannelData converts and describes the value; who is told of a change is decided here, because
its own delivery ignores the monitor mask and makes all clients wait for the slowest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Literal

import caproto
from caproto import ChannelType, native_type
from caproto._commands import data_payload
from caproto._dbr import DbrStringArray, _LongStringChannelType

from archioc.core.dbr import EPICS_EPOCH_S, Dbr, Severity, Status
from archioc.ioc.ca.alarm import NO_ALARM, Alarm
from archioc.ioc.ca.alarm_limits import NO_LIMITS, AlarmLimits, metadata_of
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.subscriber import Subscriber
from archioc.ioc.ca.timed_number import timed_number
from archioc.ioc.peer import Peer

Access = Literal["read", "anyone", "control", "expert"]
"""Who may put; `anyone` what changes nothing but what is shown."""

Value = float | int | str
Writer = Callable[["PV", "PutValue", "Peer"], Awaitable[None]]
Refresh = Callable[["PV"], Awaitable[None]]
LimitWriter = Callable[["PV", str, "PutValue", "Peer"], Awaitable[None]]
STRING_BYTES = 39
"""What a DBR_STRING holds beside its NUL."""


CACHED_PAYLOADS = 20
"""Of a value, in different types and numbers of elements; clients that watch a PV ask for one or two."""

LONG_STRING_BYTES = 256
"""What a string PV gives when it is asked for as characters (`$` at the end of its name)."""


class Event(IntFlag):
    """What a monitor waits for (DBE_ of `caeventmask.h`)."""

    VALUE = 1
    LOG = 2
    ALARM = 4
    PROPERTY = 8


# As plain numbers: each operation on flags takes 1 us, and there is one for each monitor.
_CHANGED = int(Event.VALUE | Event.LOG)
_ALARMED = int(Event.ALARM | Event.VALUE | Event.LOG)
_DESCRIBED = int(Event.PROPERTY)


@dataclass(frozen=True, slots=True)
class PvSpec:
    """How a PV looks from outside (`docs/reference/contract/pvs.csv`).

    count: elements; of text (CHAR) the greatest length in bytes.
    labels, severities: the states of an enum, and how severe each of them is (none: none is an alarm).
    low, high: limits for a put (0, 0: none). zero: what 0 stands for, in words; empty for the number.
    """

    dbr: Dbr
    description: str
    count: int = 1
    labels: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    unit: str = ""
    precision: int = 0
    access: Access = "read"
    low: float = 0.0
    high: float = 0.0
    zero: str = ""

    def state_alarm(self, state: int, status: Status = Status.STATE) -> Alarm:
        """The alarm of a state of an enum."""
        severity = self.severities[state] if state < len(self.severities) else Severity.NO_ALARM
        return (status, severity) if severity else NO_ALARM


class PV:
    """One PV.

    channel, group, view: the archived channel, the group or the view it belongs to, None for a global one.
    writer: what a put does; None for a PV that is only read.
    refresh: brings the value up to date before it is read; None where somebody else does.
    limits: its alarm limits; who shows the value has it judged by them.
    limit_writer: what a put to a field of the limits does; None where they are not for clients to change.
    on_watch: told when the first monitor comes and when the last one goes.
    """

    def __init__(
        self,
        name: str,
        spec: PvSpec,
        *,
        channel: str | None = None,
        group: str | None = None,
        view: str | None = None,
        writer: Writer | None = None,
        refresh: Refresh | None = None,
        on_watch: Callable[[PV, bool], None] | None = None,
        limit_writer: LimitWriter | None = None,
    ) -> None:
        self.name, self.spec = name, spec
        self.channel, self.group, self.view = channel, group, view
        self.writer, self.refresh, self.on_watch = writer, refresh, on_watch
        self.limit_writer = limit_writer
        self.limits = NO_LIMITS
        self.data = _channel_data(spec)
        self.monitors: set[Subscriber] = set()
        self._followers: dict[PV, Refresh] = {}
        self._behind = False
        self._value: Value | None = None
        self.is_empty = False
        self._alarm: Alarm = NO_ALARM
        self._stamp = 0, 0
        self._cache: dict[tuple[int, int, bool], tuple[int, bytes]] = {}

    @property
    def alarm(self) -> Alarm:
        """Status and severity."""
        return self._alarm

    @property
    def value(self) -> Value | None:
        """The newest value shown; None before the first."""
        return self._value

    @property
    def precision(self) -> int:
        """Digits after the point, as clients are told."""
        return int(getattr(self.data, "precision", self.spec.precision))

    @property
    def unit(self) -> str:
        """Unit, as clients are told."""
        return str(getattr(self.data, "units", ""))

    @property
    def last_value(self) -> Value:
        """The newest value shown; before the first, an empty one."""
        if self._value is None:
            return "" if self.spec.dbr in {Dbr.CHAR, Dbr.STRING} else 0
        return self._value

    async def show(
        self,
        value: Value,
        *,
        alarm: Alarm = NO_ALARM,
        unit: str | None = None,
        precision: int | None = None,
        empty: bool = False,
        time_ns: int | None = None,
    ) -> None:
        """Publish a value, if it is new. time_ns: its time stamp (ns since 1970), now when left out.

        unit, precision: other ones than before, None for the same. empty: the PV stands for nothing now, whatever its value is.
        """
        self._behind = False
        if isinstance(value, str):
            value = _clipped(value, self.spec.count if self.spec.dbr is Dbr.CHAR else LONG_STRING_BYTES)
        events = 0
        if not _same(value, self._value) or empty != self.is_empty:
            events |= _CHANGED
        self.is_empty = empty
        if alarm != self._alarm:
            events |= _ALARMED
        if unit is not None and unit != self.data.units:
            await self.data.write_metadata(publish=False, units=unit)
            events |= _DESCRIBED
        if precision is not None and precision != self.precision:
            await self.data.write_metadata(publish=False, precision=precision)
            events |= _DESCRIBED
        if not events:
            return
        self._value, self._alarm = value, alarm
        self._stamp = _stamp(time.time_ns() if time_ns is None else time_ns)
        written = value or "\0" if self.spec.dbr is Dbr.CHAR else value
        stamp = caproto.TimeStamp(*self._stamp)
        await self.data.write(written, verify_value=False, status=int(alarm[0]), severity=int(alarm[1]), timestamp=stamp)
        self._post(events)
        await self._update_fields()

    async def show_limits(self, limits: AlarmLimits) -> None:
        """Have other alarm limits from now on."""
        self.limits = limits
        await self.data.write_metadata(publish=False, **metadata_of(limits, self.spec.dbr))
        self._post(_DESCRIBED)
        await self._update_fields()

    async def _update_fields(self) -> None:
        for follower, follow in list(self._followers.items()):
            await follow(follower)

    def defer(self) -> bool:
        """Whether it need not be shown now: all who look at it have an event waiting, and the value is refreshed before that is sent.

        So a client that does not read costs nobody the time to show it what it does not take.
        """
        self._behind = not self._followers and all(monitor.is_waiting for monitor in self.monitors)
        return self._behind

    async def refresh_deferred(self) -> None:
        """Show the value whose showing was deferred."""
        if self._behind and self.refresh is not None:
            self._behind = False
            await self.refresh(self)

    async def notify_unchanged(self) -> None:
        """Send the monitors an event although the value is as before (a command PV)."""
        self._post(_CHANGED)

    def _post(self, events: int) -> None:
        self._cache.clear()
        for monitor in self.monitors:
            if monitor.mask & events:
                monitor.post()

    def add_monitor(self, monitor: Subscriber) -> None:
        """Have a monitor told of changes."""
        self.monitors.add(monitor)
        self._watched(first=True)

    def remove_monitor(self, monitor: Subscriber) -> None:
        """Tell a monitor nothing any more."""
        self.monitors.discard(monitor)
        self._watched(first=False)

    def add_follower(self, follower: PV, follow: Refresh) -> None:
        """Have a field brought up to date after each change."""
        self._followers[follower] = follow
        self._watched(first=True)

    def remove_follower(self, follower: PV) -> None:
        """Bring a field up to date no more."""
        self._followers.pop(follower, None)
        self._watched(first=False)

    def _watched(self, *, first: bool) -> None:
        """Tell the owner when somebody begins to look (first) or nobody looks any more."""
        if self.on_watch is not None and len(self.monitors) + len(self._followers) == int(first):
            self.on_watch(self, first)

    async def encoded(self, data_type: ChannelType, count: int, *, long_string: bool) -> tuple[int, bytes]:
        """The number of elements and the payload of a message that carries the newest value.

        count: elements asked for, 0 for as many as there are. A shorter value is filled up with zeros.
        Raises CaprotoError, ValueError or OverflowError when the value cannot be given in this type.
        """
        key = int(data_type), count, long_string
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHED_PAYLOADS:
                self._cache.clear()
            found = self._cache[key] = await self._encode(data_type, count, long_string)
        return found

    async def _encode(self, data_type: ChannelType, count: int, long_string: bool) -> tuple[int, bytes]:
        if count <= 1 and (number := timed_number(self.spec.dbr, data_type, self._value, self._alarm, self._stamp)) is not None:
            return 1, number
        native = native_type(data_type)
        as_text = long_string and self.spec.dbr is Dbr.STRING and native == ChannelType.CHAR
        metadata, values = await self.data.read(_LongStringChannelType(data_type) if as_text else data_type)
        if self.spec.dbr in {Dbr.CHAR, Dbr.STRING} and native == ChannelType.STRING:
            # The beginning as one string; of CHAR caproto would give a string for each character.
            values, count = DbrStringArray([_clipped(str(self._value or ""), STRING_BYTES).encode()]), 1
        if count:
            values = values[:count]
        _, head, *rest = data_payload(values, metadata, data_type, len(values))
        body = bytes(rest[0]) if rest else b""
        elements = max(count, len(values))
        if len(values):
            body = body.ljust(elements * (len(body) // len(values)), b"\0")
        payload = bytes(head) + body
        return elements, payload.ljust(-(-len(payload) // 8) * 8, b"\0")

    @property
    def native(self) -> ChannelType:
        """The DBR type told to clients."""
        return ChannelType(int(self.spec.dbr))


def _same(value: Value, before: Value | None) -> bool:
    """Whether nothing is to be told; NaN stays NaN."""
    return value == before or (isinstance(value, float) and isinstance(before, float) and math.isnan(value) and math.isnan(before))


def _clipped(text: str, size: int) -> str:
    """A text of at most `size` bytes of UTF-8."""
    raw = text.encode(errors="replace")
    return text if len(raw) <= size else raw[:size].decode(errors="ignore")


def _stamp(time_ns: int) -> tuple[int, int]:
    """Seconds since 1990 and nanoseconds."""
    seconds, nanoseconds = divmod(max(time_ns, EPICS_EPOCH_S * 10**9), 10**9)
    return seconds - EPICS_EPOCH_S, nanoseconds


def _channel_data(spec: PvSpec) -> Any:
    limits = {"lower_ctrl_limit": spec.low, "upper_ctrl_limit": spec.high, "lower_disp_limit": spec.low, "upper_disp_limit": spec.high}
    match spec.dbr:
        case Dbr.DOUBLE:
            alarm = metadata_of(NO_LIMITS, Dbr.DOUBLE)
            record = "ao" if spec.access != "read" else "ai"
            return caproto.ChannelDouble(
                value=0.0, units=spec.unit, precision=spec.precision, reported_record_type=record, **limits, **alarm
            )
        case Dbr.LONG:
            record = "longout" if spec.access != "read" else "longin"
            return caproto.ChannelInteger(value=0, units=spec.unit, reported_record_type=record)
        case Dbr.ENUM:
            record = ("b" if len(spec.labels) == 2 else "mbb") + ("o" if spec.access != "read" else "i")
            return caproto.ChannelEnum(value=0, enum_strings=spec.labels, reported_record_type=record)
        case Dbr.STRING:
            record = "stringin" if spec.count == 1 else "waveform"
            start = "" if spec.count == 1 else [""]
            return caproto.ChannelString(value=start, max_length=spec.count, string_encoding="utf-8", reported_record_type=record)
        case Dbr.CHAR:
            return caproto.ChannelChar(value="\0", max_length=spec.count, string_encoding="utf-8", reported_record_type="waveform")
    raise ValueError(f"no PV is served as {spec.dbr.name}")
