"""The settings of a channel of the archive, and the rules that they must obey; see `channel_name` for its name."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from archioc.core.errors import SettingError
from archioc.core.units import parse_duration, parse_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_GROUP_LETTERS = 40

MAX_ELEMENTS = 100_000_000

DEFAULT_QUOTA = 1000.0
"""Samples a second; more than any slow control gives, less than what fills a disk unseen."""

DEFAULT_MAX_INTERVAL = 3600.0
"""Seconds. A channel without a sample in an hour is then one that is not archived, so readers need not look back further."""

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


class Clock(IntEnum):
    """Whose time a sample gets (the order is that of the enum PV `Clock`)."""

    AUTO = 0
    """That of the IOC for the value of a record; that of the archiver for its other fields, whose stamp is the record's last processing."""
    IOC = 1
    ARCHIVER = 2


class LargeArrays(IntEnum):
    """What becomes of arrays with more than `max_elements` elements (the order is that of the enum PV `LargeArrays`)."""

    STATISTICS = 0
    """Number of elements, minimum, maximum, mean and standard deviation are stored, the elements are not."""
    STORE = 1
    """They are stored whole."""
    REFUSE = 2
    """They are left out, and the channel says so."""


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
    max_interval: s, 0.1 s to a year; a value that stays is written again at least this often. 0 = never. With the default, values of more
        than 1 kB are not written again.
    mask: `log` or `value`: whether the IOC's archive or monitor dead band decides what it sends.
    quota: samples/s on average over 10 s, 0 to 100 000; what is beyond is dropped and counted. 0 = no limit.
    clock: `ioc`, `archiver`, or `auto`: whose time the samples get.
    max_elements: 0 to 100 000 000; `large_arrays` says what becomes of longer arrays. 0 = no limit.
    large_arrays: `statistics`, `store` or `refuse`.
    as_text: an array of characters is a text; a name that ends with `$` (long string) needs no such setting.
    group: name of the group it belongs to, empty for none.
    """

    enable: bool = True
    mode: Mode = Mode.MONITOR
    rate: float = 0.0
    description: str = ""
    deadband: float = 0.0
    deadband_pct: float = 0.0
    max_interval: float = DEFAULT_MAX_INTERVAL
    mask: Mask = Mask.LOG
    quota: float = DEFAULT_QUOTA
    clock: Clock = Clock.AUTO
    max_elements: int = 0
    large_arrays: LargeArrays = LargeArrays.STATISTICS
    as_text: bool = False
    group: str = ""

    def __post_init__(self) -> None:
        _check_rate(self.rate)
        _check_description(self.description)
        _check_deadband(self.deadband)
        _check_deadband_pct(self.deadband_pct)
        _check_max_interval(self.max_interval)
        _check_quota(self.quota)
        _check_max_elements(self.max_elements)
        _check_group(self.group)
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


def _check_quota(quota: float) -> None:
    if not 0 <= quota <= MAX_RATE:
        raise SettingError("quota", quota, f"must lie between 0 (no limit) and {MAX_RATE:.0f} samples/s")


def _check_max_elements(count: int) -> None:
    if not 0 <= count <= MAX_ELEMENTS:
        raise SettingError("max_elements", count, f"must lie between 0 (no limit) and {MAX_ELEMENTS}")


_GROUP = re.compile(rf"[A-Za-z0-9_-]{{0,{MAX_GROUP_LETTERS}}}", re.ASCII)


def _check_group(name: str) -> None:
    if not _GROUP.fullmatch(name):
        raise SettingError("group", ascii(name[:60]), f"must be empty or 1 to {MAX_GROUP_LETTERS} letters, digits, - and _")


def _check_description(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise SettingError("description", ascii(text[:20]), "holds a character that UTF-8 cannot carry") from None
    if size > MAX_DESCRIPTION_BYTES:
        raise SettingError("description", text[:20] + "...", f"is longer than {MAX_DESCRIPTION_BYTES} bytes")


SETTING_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(ChannelSettings))

Setting = bool | int | float | str
"""A setting as ChannelSettings has it; Mode, Mask, Clock and LargeArrays are ints."""


Given = tuple[tuple[str, str], ...]
"""Settings given in one place, in the order of SETTING_NAMES, each with its value as text that `read_setting` reads."""


def given(settings: Mapping[str, object]) -> Given:
    """Settings as they are given in one place. Raises SettingError."""
    texts = {name: written(read_setting(name, value)) for name, value in settings.items()}
    return tuple((name, texts[name]) for name in SETTING_NAMES if name in texts)


def written(value: Setting) -> str:
    """A setting as text that `read_setting` reads back to the same value."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, IntEnum):
        return value.name.lower()
    return repr(value) if isinstance(value, float) else str(value)


def read_setting(name: str, value: object) -> Setting:
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


def _word_of(words: type[IntEnum]) -> Callable[[str, object], Setting]:
    """A reader of one of the words that an enum names."""
    *others, last = (member.name.lower() for member in words)
    rule = f"must be {', '.join(others)} or {last}"

    def read(name: str, value: object) -> Setting:
        if isinstance(value, words):
            return value
        found = {member.name: member for member in words}.get(str(value).strip().upper())
        if found is None:
            raise SettingError(name, value, rule)
        return found

    return read


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


def _read_quota(name: str, value: object) -> float:
    try:
        quota = parse_rate(value)
    except ValueError as error:
        raise SettingError(name, value, str(error)) from None
    _check_quota(quota)
    return quota


def _read_max_elements(name: str, value: object) -> int:
    number = _read_number(name, value)
    if not number.is_integer():
        raise SettingError(name, value, "must be a whole number")
    _check_max_elements(int(number))
    return int(number)


def _read_group(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingError(name, value, "must be text")
    _check_group(value)
    return value


def _read_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingError(name, value, "must be text")
    _check_description(value)
    return value


_READERS: dict[str, Callable[[str, object], Setting]] = {
    "enable": _read_bool,
    "mode": _word_of(Mode),
    "rate": _read_rate,
    "description": _read_text,
    "deadband": _read_deadband,
    "deadband_pct": _read_deadband_pct,
    "max_interval": _read_max_interval,
    "mask": _word_of(Mask),
    "quota": _read_quota,
    "clock": _word_of(Clock),
    "max_elements": _read_max_elements,
    "large_arrays": _word_of(LargeArrays),
    "as_text": _read_bool,
    "group": _read_group,
}
