"""A model of Phoebus' alarm server: what of a PV's severities becomes an alarm, by latch, delay, count and filter.

Rules: `AlarmLogic`, `DelayedAlarmUpdate`, `AlarmStateHistory`, `Filter`, `AlarmServerPV` and `SeverityLevel` of Phoebus 4.7 to 5.0.
Nobody acknowledges.
Time is given with each call (s), so that a recorded course can be judged.
"""

from __future__ import annotations

import operator
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import fromstring

LEVELS = ("OK", "MINOR", "MAJOR", "INVALID", "UNDEFINED")
"""In the order in which one takes the place of another. UNDEFINED: the PV is not connected."""

DISCONNECTED = "UNDEFINED"
CLEARED = "cleared"
"""What a disabled entry has as severity of its PV: good, but with another message, so that the next one counts as a change."""

FILTER_S = 0.6
"""A filter looks at a PV twice a second at most, and 0.1 s after a change."""

Values = Mapping[str, float]
_COMPARED = {"==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_TERM = re.compile(r"\s*`([^`]+)`\s*(==|!=|>=|<=|>|<)\s*([-0-9.]+)\s*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A PV of the tree, as the file describes it."""

    pv: str
    description: str
    latching: bool
    annunciating: bool
    delay_s: float
    count: int
    filter: str


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that an operator sees. spoken: it is annunciated."""

    at: float
    pv: str
    level: str
    spoken: bool


def entries(text: str) -> list[Entry]:
    """Those of a configuration file."""
    return [
        Entry(
            pv.get("name", ""),
            pv.findtext("description", "").strip(),
            pv.findtext("latching", "true") == "true",
            pv.findtext("annunciating", "true") == "true",
            float(pv.findtext("delay", "0")),
            int(pv.findtext("count", "0")),
            pv.findtext("filter", ""),
        )
        for pv in fromstring(text).iter("pv")
    ]


def passes(filter_: str, values: Values) -> bool:
    """Whether a filter lets an alarm count. A PV that is not connected is NaN, so no comparison but != holds."""
    for term in re.split(r"&&?", filter_):
        found = _TERM.fullmatch(term)
        if found is None:
            raise ValueError(f"{filter_!r}: the model knows comparisons with numbers only, joined by &")
        if not _COMPARED[found[2]](values.get(found[1], float("nan")), float(found[3])):
            return False
    return True


@dataclass(slots=True)
class Logic:
    """The state of one entry.

    current: severity of the PV. alarm: what the operator sees. pending: what it becomes when the delay is over.
    """

    entry: Entry
    told: Callable[[Raised], None]
    current: str = "OK"
    alarm: str = "OK"
    pending: str = ""
    due: float = 0.0
    enabled: bool = True
    while_disabled: str = ""
    seen: deque[float] = field(default_factory=deque)

    def receive(self, at: float, level: str) -> None:
        """The severity of the PV is this from now on."""
        self.pass_time(at)
        if not self.enabled:
            self.while_disabled = level
            return
        if level == self.current:
            return
        self.current = level
        if level == "OK" and self.alarm == "OK":
            self.pending = ""
        self._update(at, level, delayed=self.entry.delay_s > 0)

    def enable(self, at: float, enabled: bool) -> None:
        """The filter says whether the alarm counts."""
        self.pass_time(at)
        if enabled == self.enabled:
            return
        self.enabled = enabled
        if not enabled:
            self.while_disabled, self.current, self.alarm = self.current, CLEARED, "OK"
        else:
            self.receive(at, self.while_disabled)

    def pass_time(self, at: float) -> None:
        """Let a delay end that is over by now."""
        if self.pending and at >= self.due:
            level, self.pending = self.pending, ""
            if self.enabled and self.current not in {"OK", CLEARED}:
                self._update(self.due, level, delayed=False)

    def _update(self, at: float, level: str, *, delayed: bool) -> None:
        base = self.pending or self.alarm
        if self.entry.latching and LEVELS.index(level) <= LEVELS.index(base):
            return
        if delayed and level != "OK":
            if not self.pending:
                self.due = at + self.entry.delay_s
            self.pending = level
            if not self._counted(at):
                return
            self.pending = ""
        if LEVELS.index(level) > LEVELS.index(self.alarm):
            self.told(Raised(at, self.entry.pv, level, self.entry.annunciating))
        self.alarm = level

    def _counted(self, at: float) -> bool:
        """Whether this is the alarm by which there were `count` within the delay."""
        if not self.entry.count:
            return False
        self.seen.append(at)
        while len(self.seen) > self.entry.count:
            self.seen.popleft()
        if len(self.seen) < self.entry.count or self.seen[-1] - self.seen[0] > self.entry.delay_s:
            return False
        self.seen.clear()
        return True


class AlarmServer:
    """All entries of a file. raised: the alarms in the order in which operators saw them."""

    def __init__(self, text: str) -> None:
        self.raised: list[Raised] = []
        self._logics = {entry.pv: Logic(entry, self.raised.append) for entry in entries(text)}
        self._values: dict[str, float] = {}
        self._filters_due: float | None = None

    def receive(self, at: float, pv: str, level: str, value: float) -> None:
        """A PV has this severity and value; NaN where it is not connected."""
        self.pass_time(at)
        self._values[pv] = value
        if self._filters_due is None:
            self._filters_due = at + FILTER_S
        if pv in self._logics:
            self._logics[pv].receive(at, level)

    def pass_time(self, at: float) -> None:
        """Let filters and delays that are due by now take effect."""
        if self._filters_due is not None and at >= self._filters_due:
            now, self._filters_due = self._filters_due, None
            for logic in self._logics.values():
                if logic.entry.filter:
                    logic.enable(now, passes(logic.entry.filter, self._values))
        for logic in self._logics.values():
            logic.pass_time(at)

    def standing(self) -> dict[str, str]:
        """What is in alarm now, latched alarms among it."""
        return {pv: logic.alarm for pv, logic in self._logics.items() if logic.alarm != "OK"}
