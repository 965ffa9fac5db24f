"""Channels, groups and policies as the configuration file declares them.

The rules for settings are those of ChannelSettings; here they only get their place in the file.
"""

import fnmatch
import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from archioc.core.channel import (
    LONGEST_MAX_INTERVAL,
    MAX_DEADBAND_PCT,
    MAX_ELEMENTS,
    MAX_RATE,
    SETTING_NAMES,
    Clock,
    LargeArrays,
    Mask,
    Mode,
    read_setting,
)
from archioc.core.channel_name import channel_name
from archioc.core.condition import parse_condition
from archioc.core.config.value_types import Block, EmptyAsList, EmptyAsMapping
from archioc.core.errors import ChannelNameError, SettingError


def _name(text: str) -> str:
    try:
        return channel_name(text)
    except ChannelNameError as error:
        raise ValueError(f"{error.rule} (a channel name is printable, without blanks)") from None


def compile_match(match: str) -> re.Pattern[str]:
    """The pattern of a policy, to be used with `search`. Raises ValueError.

    `/text/` is a regular expression found anywhere in a name; everything else is a glob (`*`, `?`, `[abc]`) for the whole name.
    """
    if len(match) >= 2 and match.startswith("/") and match.endswith("/"):
        try:
            return re.compile(match[1:-1])
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
    if not match:
        raise ValueError("must be a glob such as *:CURRENT or a regular expression such as /^SR:/")
    return re.compile(r"\A" + fnmatch.translate(match))


def _match(text: str) -> str:
    compile_match(text)
    return text


def _condition(text: str) -> str:
    try:
        found = parse_condition(text)
    except SettingError as error:
        raise ValueError(error.rule) from None
    return str(found) if found else ""


def _read_setting(name: str, value: object) -> object:
    try:
        return read_setting(name, value)
    except SettingError as error:
        raise ValueError(error.rule) from None


FILE_SETTINGS = tuple(name for name in SETTING_NAMES if name != "group")
"""Settings that the file gives by their name; the group of a channel is where it stands."""

ChannelName = Annotated[str, AfterValidator(_name)]

_RATE_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "number", "minimum": 0, "maximum": MAX_RATE}, {"type": "string"}]}
_DEADBAND_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
_PERCENT_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "number", "minimum": 0, "maximum": MAX_DEADBAND_PCT}, {"type": "string"}]}
_TRUTH_SCHEMA: dict[str, Any] = {"enum": [True, False, 1, 0]}
_ELEMENTS_SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": MAX_ELEMENTS}
_INTERVAL_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "number", "minimum": 0, "maximum": LONGEST_MAX_INTERVAL}, {"type": "string"}]}


class GivenSettings(Block):
    """Settings of channels; what is left out comes from elsewhere."""

    model_config = ConfigDict(validate_default=False)

    enable: Annotated[bool | None, WithJsonSchema(_TRUTH_SCHEMA)] = None
    """Archive or not; the connection is kept while disabled (true when nothing says otherwise)."""

    mode: Annotated[Mode | None, WithJsonSchema({"enum": ["monitor", "scan"]})] = None
    """`monitor` stores every update, at most `rate` per second; `scan` (needs a rate) the newest value at each tick of 1/`rate`."""

    rate: Annotated[float | None, WithJsonSchema(_RATE_SCHEMA)] = None
    """Hz, 0 to 100 000, also with a unit (`10Hz`, `1kHz`); 0 means no limit and is for `monitor` only (0 when nothing says otherwise)."""

    description: Annotated[str | None, WithJsonSchema({"type": "string"})] = None
    """Free text for people about a channel, at most 255 bytes."""

    deadband: Annotated[float | None, WithJsonSchema(_DEADBAND_SCHEMA)] = None
    """A number that differs from the last archived one by no more is left out, in the channel's unit (0 when nothing says otherwise)."""

    deadband_pct: Annotated[float | None, WithJsonSchema(_PERCENT_SCHEMA)] = None
    """The same in % of the last archived value, 0 to 100; with both, the wider one holds (0 when nothing says otherwise)."""

    max_interval: Annotated[float | None, WithJsonSchema(_INTERVAL_SCHEMA)] = None
    """A value that stays is written again at least this often (duration, 0.1s to 1y); 0 means never (0 when nothing says otherwise)."""

    mask: Annotated[Mask | None, WithJsonSchema({"enum": ["log", "value"]})] = None
    """`log`: the IOC sends what is beyond the archive dead band of the record (ADEL); `value`: beyond its monitor dead band (MDEL)."""

    quota: Annotated[float | None, WithJsonSchema(_RATE_SCHEMA)] = None
    """Samples/s on average over 10 s; what is beyond is dropped and counted; 0 means no limit (1000 when nothing says otherwise)."""

    clock: Annotated[Clock | None, WithJsonSchema({"enum": ["auto", "ioc", "archiver"]})] = None
    """Whose time samples get; `auto`: that of the IOC for the value of a record, that of the archiver for its other fields."""

    max_elements: Annotated[int | None, WithJsonSchema(_ELEMENTS_SCHEMA)] = None
    """Arrays with more elements are treated as `large_arrays` says; 0 means no limit (0 when nothing says otherwise)."""

    large_arrays: Annotated[LargeArrays | None, WithJsonSchema({"enum": ["statistics", "store", "refuse"]})] = None
    """`statistics`: number, minimum, maximum, mean and deviation of the elements are stored; `store`: all of them; `refuse`: nothing."""

    as_text: Annotated[bool | None, WithJsonSchema(_TRUTH_SCHEMA)] = None
    """An array of characters is a text (false when nothing says otherwise; a name that ends with `$` needs it not)."""

    @field_validator(*FILE_SETTINGS, mode="before")
    @classmethod
    def _read(cls, value: object, info: ValidationInfo) -> object:
        assert info.field_name is not None
        return _read_setting(info.field_name, value)

    def given(self) -> dict[str, object]:
        """The settings that the file gives here."""
        return {name: getattr(self, name) for name in FILE_SETTINGS if name in self.model_fields_set}


class ChannelEntry(GivenSettings):
    """A channel to archive: its name alone, or a mapping with `pv` and settings."""

    pv: ChannelName
    """Name of the channel."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        if isinstance(value, str):
            return {"pv": value}
        if not isinstance(value, dict):
            raise ValueError("must be a channel name, or a mapping with pv")  # noqa: TRY004 - pydantic turns only a ValueError into a fault of the file
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        mapping = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [{"type": "string", "description": "Name of the channel."}, mapping]}


class Policy(GivenSettings):
    """Settings for channels by their name."""

    match: Annotated[str, AfterValidator(_match)]
    """Glob for the whole name (`*:CURRENT`) or regular expression between slashes (`/^SR:.*:X$/`)."""


ChannelList = Annotated[tuple[ChannelEntry, ...], EmptyAsList]


class Group(Block):
    """Channels that belong together."""

    enable: Annotated[bool, WithJsonSchema(_TRUTH_SCHEMA | {"default": True})] = True
    """Archive its channels or not; false goes before the `enable` of a channel."""

    condition: Annotated[str, AfterValidator(_condition)] = ""
    """`PV OPERATOR VALUE`: its channels are archived only while this holds, such as `SR:MODE != 0`; empty: always."""

    description: str = ""
    """Free text for people about the group."""

    settings: Annotated[GivenSettings, EmptyAsMapping] = GivenSettings()
    """Settings for its channels, unless a channel gives its own."""

    channels: ChannelList = ()
    """Its channels: names, or mappings with `pv` and settings."""

    @field_validator("enable", mode="before")
    @classmethod
    def _read_enable(cls, value: object) -> object:
        return _read_setting("enable", value)
