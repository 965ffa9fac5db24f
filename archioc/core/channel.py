"""A channel of the archive: its name and its settings, and the rules both must obey."""

from __future__ import annotations

import dataclasses
import math
import shlex
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from archioc.core.errors import ChannelNameError, SettingError
from archioc.core.units import parse_duration, parse_rate

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NAME_BYTES = 255
"""Longest channel name taken. A record name ends at 60 characters; fields and channel filters follow it."""

MAX_RATE = 100_000.0
"""Highest rate limit (Hz) that makes sense beside a drain every 20 ms."""

MAX_DESCRIPTION_BYTES = 255

MAX_DEADBAND_PCT = 100.0

SHORTEST_MAX_INTERVAL = 0.1
"""Seconds; a value that is written again more often than this is a rate, not a sign of life."""

LONGEST_MAX_INTERVAL = 365 * 86400.0
"""Seconds."""


class Mode(IntEnum):
    """How a channel is sampled (the order is that of the enum PV `Mode`)."""

    MONITOR = 0
    SCAN = 1


class Mask(IntEnum):
    """Which changes an IOC is asked to tell (the order is that of the enum PV `Mask`); changes of the alarm always are."""

    LOG = 0
    """Beyond the archive dead band of the record (ADEL)."""
    VALUE = 1
    """Beyond its monitor dead band (MDEL)."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """What the archiver does with one channel. Raises SettingError when a rule is broken.

    enable: archive or not; the connection is kept while disabled.
    mode: `monitor` stores every update, at most `rate` per second; `scan` stores at each tick of
        1/`rate` the newest value, if one came since the last tick.
    rate: Hz, 0 to 100 000; 0 means no limit and is for `monitor` only.
    description: free text for people.
    deadband: in the channel's unit, 0 or more: a number that differs from the last archived one by no more is left out.
    deadband_pct: the same in % of the last archived value, 0 to 100. With both, the wider one holds.
    max_interval: s, 0.1 s to a year; a value that stays is written again at least this often. 0 = never.
    mask: `log` or `value`: whether the IOC's archive or monitor dead band decides what it sends.
    """

    enable: bool = True
    mode: Mode = Mode.MONITOR
    rate: float = 0.0
    description: str = ""
    deadband: float = 0.0
    deadband_pct: float = 0.0
    max_interval: float = 0.0
    mask: Mask = Mask.LOG

    def __post_init__(self) -> None:
        _check_rate(self.rate)
        _check_description(self.description)
        _check_deadband(self.deadband)
        _check_deadband_pct(self.deadband_pct)
        _check_max_interval(self.max_interval)
        if self.mode is Mode.SCAN and self.rate == 0:
            raise SettingError("rate", self.rate, "mode scan needs a rate above 0 Hz")

    def with_changes(self, changes: dict[str, object]) -> ChannelSettings:
        """These settings with some replaced; values may be text as a person writes it.

        Raises SettingError for an unknown setting, a value that cannot be read or a broken rule.
        """
        return dataclasses.replace(self, **{name: read_setting(name, value) for name, value in changes.items()})  # type: ignore[arg-type]


def _check_rate(rate: float) -> None:
    if not math.isfinite(rate) or not 0 <= rate <= MAX_RATE:
        raise SettingError("rate", rate, f"must lie between 0 and {MAX_RATE:.0f} Hz")


def _check_deadband(width: float) -> None:
    if not math.isfinite(width) or width < 0:
        raise SettingError("deadband", width, "must be 0 or more, in the unit of the channel")


def _check_deadband_pct(percent: float) -> None:
    if not 0 <= percent <= MAX_DEADBAND_PCT:
        raise SettingError("deadband_pct", percent, f"must lie between 0 and {MAX_DEADBAND_PCT:.0f} %")


def _check_max_interval(seconds: float) -> None:
    if seconds != 0 and not SHORTEST_MAX_INTERVAL <= seconds <= LONGEST_MAX_INTERVAL:
        rule = f"must be 0 (never) or lie between {SHORTEST_MAX_INTERVAL} and {LONGEST_MAX_INTERVAL:.0f} s"
        raise SettingError("max_interval", seconds, rule)


def _check_description(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise SettingError("description", ascii(text[:20]), "holds a character that UTF-8 cannot carry") from None
    if size > MAX_DESCRIPTION_BYTES:
        raise SettingError("description", text[:20] + "...", f"is longer than {MAX_DESCRIPTION_BYTES} bytes")


SETTING_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(ChannelSettings))


def read_setting(name: str, value: object) -> bool | Mode | Mask | float | str:
    """One setting from what YAML or a command line gives, checked by itself. Raises SettingError.

    A rule between settings (`mode` and `rate`) is checked by ChannelSettings.
    """
    reader = _READERS.get(name)
    if reader is None:
        raise SettingError(name, value, f"no such setting; there are {', '.join(SETTING_NAMES)}")
    return reader(name, value)


def _read_bool(name: str, value: object) -> bool:
    words = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise SettingError(name, value, "must be 1 or 0 (also yes/no, true/false, on/off)")
    return found


def _read_mode(name: str, value: object) -> Mode:
    if isinstance(value, Mode):
        return value
    found = {mode.name: mode for mode in Mode}.get(str(value).strip().upper())
    if found is None:
        raise SettingError(name, value, "must be monitor or scan")
    return found


def _read_mask(name: str, value: object) -> Mask:
    if isinstance(value, Mask):
        return value
    found = {mask.name: mask for mask in Mask}.get(str(value).strip().upper())
    if found is None:
        raise SettingError(name, value, "must be log or value")
    return found


def _read_rate(name: str, value: object) -> float:
    try:
        rate = parse_rate(value)
    except ValueError as error:
        raise SettingError(name, value, str(error)) from None
    _check_rate(rate)
    return rate


def _read_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SettingError(name, value, "must be a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise SettingError(name, value, "must be a number") from None


def _read_deadband(name: str, value: object) -> float:
    width = _read_number(name, value)
    _check_deadband(width)
    return width


def _read_deadband_pct(name: str, value: object) -> float:
    percent = _read_number(name, value.strip().removesuffix("%") if isinstance(value, str) else value)
    _check_deadband_pct(percent)
    return percent


def _read_max_interval(name: str, value: object) -> float:
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise SettingError(name, value, str(error)) from None
    _check_max_interval(seconds)
    return seconds


def _read_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingError(name, value, "must be text")
    _check_description(value)
    return value


_READERS: dict[str, Callable[[str, object], bool | Mode | Mask | float | str]] = {
    "enable": _read_bool,
    "mode": _read_mode,
    "rate": _read_rate,
    "description": _read_text,
    "deadband": _read_deadband,
    "deadband_pct": _read_deadband_pct,
    "max_interval": _read_max_interval,
    "mask": _read_mask,
}


def channel_name(text: str) -> str:
    """The name under which a channel is archived: `ca://` stripped, `.VAL` left out.

    Raises ChannelNameError for an empty name, blanks, control characters or more than 255 bytes.
    """
    name = text.strip().removeprefix("ca://").removesuffix(".VAL")
    if not name:
        raise ChannelNameError(text, "is empty")
    if len(name.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        raise ChannelNameError(text[:40] + "...", f"is longer than {MAX_NAME_BYTES} bytes")
    if " " in name or not name.isprintable():
        raise ChannelNameError(text, "holds a blank or a character that cannot be printed")
    return name


def split_command_line(line: str) -> tuple[str, dict[str, str]]:
    """`NAME rate=5 mode=scan` as the name and the settings given with it, still as text.

    A value with blanks is written in double quotes. Raises ChannelNameError or SettingError.
    """
    head, *tail = line.split(maxsplit=1) or [""]
    name = channel_name(head)
    rest = tail[0] if tail else ""
    changes: dict[str, str] = {}
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise SettingError("settings", rest, f"cannot be read: {error}") from None
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise SettingError(word, "", "must be written as setting=value")
        if key in changes:
            raise SettingError(key, value, "is given twice")
        changes[key] = value
    return name, changes
