"""The `<engineconfig>` of the archive engines of CSS and Phoebus, in both dialects.

    engineconfig > group+ > name, channel*
    channel > name, period?, (scan | monitor)?, delta?, enable?, disable?

The older dialect writes the dead band as text of `<monitor>`, the newer one in `<delta>`. Without `<scan>` and `<monitor>` a
channel is scanned. `period` is in seconds or HH:MM:SS; of a monitored channel it only sizes a buffer there.

The standard library's expat reads it: it loads no external DTD, and a declaration of an entity is refused before it can be
expanded, so that neither a bomb of entities nor another file gets in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from xml.parsers import expat

from archioc.core.channel import MAX_RATE
from archioc.core.errors import ConfigError
from archioc.importing.gathering import Gathering

DEFAULT_PERIOD_S = 60.0
"""Of the engine, where a channel gives none."""

_OF_GROUP = frozenset({"name", "channel"})
_OF_CHANNEL = frozenset({"name", "period", "scan", "monitor", "delta", "enable", "disable"})


@dataclass(slots=True)
class _Element:
    """An element that is being read: its line, its text so far, and the texts and lines of what was in it."""

    name: str
    line: int
    text: list[str] = field(default_factory=list)
    parts: dict[str, tuple[str, int]] = field(default_factory=dict)


def read_engine_config(text: str, gathering: Gathering) -> None:
    """Take the groups and channels of a configuration. Raises ConfigError."""
    _Reader(gathering).read(text)


class _Reader:
    """Follows the parser through the file."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._open: list[_Element] = []
        self._group = ""
        self._conditions: dict[str, str] = {}
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._entity

    def read(self, text: str) -> None:
        try:
            self._parser.Parse(text.encode(), True)
        except expat.ExpatError as error:
            raise self._gathering.fault(error.lineno, "", f"is not XML: {expat.ErrorString(error.code)}") from None

    def _fault(self, line: int, message: str) -> ConfigError:
        return self._gathering.fault(line, "", message)

    def _entity(self, name: str, *_: object) -> None:
        raise self._fault(self._parser.CurrentLineNumber, f"{name[:60]}: entities are not allowed here")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        way = [element.name for element in self._open]
        match way:
            case []:
                known = name == "engineconfig"
            case ["engineconfig"]:
                known = True  # parameters of the engine are passed over, with a remark
            case ["engineconfig", "group"]:
                known = name in _OF_GROUP
            case ["engineconfig", "group", "channel"]:
                known = name in _OF_CHANNEL
            case _:
                known = False
        if not known:
            place = f"in <{way[-1]}>" if way else "as the outermost element, which must be <engineconfig>"
            raise self._fault(line, f"<{name[:60]}>: no such element {place}")
        self._open.append(_Element(name, line))

    def _characters(self, data: str) -> None:
        if self._open:
            self._open[-1].text.append(data)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        depth = len(self._open)
        text = "".join(element.text).strip()
        if element.name == "channel" and depth == 2:
            self._channel(element)
        elif element.name == "group" and depth == 1:
            self._end_group(element)
        elif depth == 1:
            self._gathering.remark("parameters of the engine", element.name)
        elif depth > 1:
            self._part(element, text)

    def _part(self, element: _Element, text: str) -> None:
        parent = self._open[-1]
        if element.name in parent.parts:
            raise self._fault(element.line, f"<{element.name}>: is given twice in <{parent.name}>")
        parent.parts[element.name] = text, element.line
        if parent.name == "group" and element.name == "name":
            if not text:
                raise self._fault(element.line, "<name>: the group has no name")
            self._group = self._gathering.group_name(text)

    def _end_group(self, element: _Element) -> None:
        if "name" not in element.parts:
            raise self._fault(element.line, "<group>: has no <name>")
        self._gathering.group(element.line, "", self._group, condition=self._conditions.get(self._group, ""))

    def _channel(self, element: _Element) -> None:
        parts = element.parts
        if "name" not in self._open[-1].parts:
            raise self._fault(element.line, "<channel>: the <name> of its group must come before it")
        name, line = parts.get("name", ("", element.line))
        if "scan" in parts and "monitor" in parts:
            raise self._fault(line, f"{name}: has both <scan> and <monitor>")
        settings = self._settings(name, parts)
        if self._gathering.has(name):
            self._gathering.remark("channels in several groups, here in the first of them", name)
            return
        taken = self._gathering.channel(line, "", name, settings, self._group)
        for part, condition in (("enable", f"{taken} > 0"), ("disable", f"{taken} <= 0")):
            if part in parts and self._conditions.setdefault(self._group, condition) != condition:
                self._gathering.remark("groups switched by several channels, here by the first of them", self._group)

    def _settings(self, name: str, parts: dict[str, tuple[str, int]]) -> dict[str, object]:
        period = self._period(name, *parts["period"]) if "period" in parts else DEFAULT_PERIOD_S
        settings: dict[str, object] = {"mode": "monitor"} if "monitor" in parts else {"mode": "scan", "rate": 1 / period}
        written = parts.get("delta", parts.get("monitor", ("", 0)))
        if written[0]:
            band = self._number(name, *written)
            if band > 0:  # the engine's -1 means none
                settings["deadband"] = band
        return settings

    def _period(self, name: str, text: str, line: int) -> float:
        seconds = 0.0
        pieces = text.split(":")
        if len(pieces) > 3:
            raise self._fault(line, f"{name}: {text[:60]!r}: must be seconds or HH:MM:SS")
        for piece in pieces:
            seconds = 60 * seconds + self._number(name, piece, line)
        if seconds < 1 / MAX_RATE:
            raise self._fault(line, f"{name}: {text[:60]!r}: a period must be above 0 s")
        return seconds

    def _number(self, name: str, text: str, line: int) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self._fault(line, f"{name}: {text[:60]!r}: must be a number")
        return number
