"""The condition of a group: `PV OPERATOR VALUE`, such as `SR:MODE != 0` or `SR:STATE == "Beam"`."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archioc.core.channel_name import channel_name
from archioc.core.errors import ChannelNameError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CONDITION_BYTES = 255

MAX_TEXT_BYTES = 39
"""What a DBR_STRING holds, as which the PV of a condition with a text is read."""

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_FORM = re.compile(r"(?P<pv>\S+)\s+(?P<operator>[=!<>]+)\s+(?P<value>.+)")

_RULE = "must be written as PV OPERATOR VALUE with blanks between, such as SR:MODE != 0"


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a PV with a number, or with a text (label of an enum, value of a string).

    operator: one of == != < <= > >=; texts know == and != only.
    """

    pv: str
    operator: str
    value: float | str

    @property
    def wants_text(self) -> bool:
        """Whether the PV is to be read as text."""
        return isinstance(self.value, str)

    def holds(self, found: float | str) -> bool:
        """Whether it holds for a value of the PV, a text where `wants_text` says so."""
        return _COMPARED[self.operator](found, self.value)

    def __str__(self) -> str:
        """As `parse_condition` reads it back."""
        if isinstance(self.value, str):
            return f'{self.pv} {self.operator} "{self.value}"'
        shown = f"{self.value:.0f}" if self.value.is_integer() and abs(self.value) < 1e15 else repr(self.value)
        return f"{self.pv} {self.operator} {shown}"


def parse_condition(text: str) -> Condition | None:
    """The condition that a person wrote, None for an empty text. Raises SettingError, of the setting `condition`."""
    stripped = text.strip()
    if not stripped:
        return None
    if len(stripped.encode(errors="surrogatepass")) > MAX_CONDITION_BYTES:
        raise SettingError("condition", ascii(stripped[:40]) + "...", f"is longer than {MAX_CONDITION_BYTES} bytes")
    found = _FORM.fullmatch(stripped)
    if found is None:
        raise SettingError("condition", _shown(stripped), _RULE)
    if found["operator"] not in _COMPARED:
        raise SettingError("condition", _shown(stripped), f"{found['operator']} is no comparison; there are {' '.join(_COMPARED)}")
    try:
        name = channel_name(found["pv"])
    except ChannelNameError as error:
        raise SettingError("condition", _shown(stripped), str(error)) from None
    return Condition(name, found["operator"], _value(stripped, found["operator"], found["value"]))


def _value(whole: str, compared: str, text: str) -> float | str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        inner = text[1:-1]
        if '"' in inner or not inner.isprintable() or len(inner.encode()) > MAX_TEXT_BYTES:
            raise SettingError("condition", _shown(whole), f"a text is printable, without quotes, and at most {MAX_TEXT_BYTES} bytes long")
        if compared not in {"==", "!="}:
            raise SettingError("condition", _shown(whole), "a text is compared with == or != only")
        return inner
    try:
        number = float(text)
    except ValueError:
        raise SettingError("condition", _shown(whole), f"{_shown(text)} must be a number, or a text in double quotes") from None
    if not math.isfinite(number):
        raise SettingError("condition", _shown(whole), f"{text} is no number to compare with")
    return number


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)
