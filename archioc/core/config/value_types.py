"""The kinds of value that stand in a configuration file, and the base of its blocks."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from archioc.core.units import parse_duration, parse_size


class Block(BaseModel):
    """A mapping of the file: frozen, and a key it does not know is an error. Written without a value it is empty."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: object) -> object:
        return {} if value is None else value


def _nothing_is_empty_list(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("must be a list, such as [a, b]")  # noqa: TRY004 - pydantic turns only a ValueError into a fault of the file
    return () if value is None else value


EmptyAsList = BeforeValidator(_nothing_is_empty_list)
"""For a list: `key:` without a value means an empty one."""


def _not_empty(value: tuple[object, ...]) -> tuple[object, ...]:
    if not value:
        raise ValueError("must name at least one")
    return value


NotEmpty = AfterValidator(_not_empty)
"""For a list: at least one item."""

EmptyAsMapping = BeforeValidator(lambda value: {} if value is None else value)
"""For a mapping: `key:` without a value means an empty one."""


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("must be an IPv4 address such as 10.0.0.1") from None


def between(low: float, high: float, unit: str) -> AfterValidator:
    """The rule that a number lies in a range, ends included."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must lie between {low} and {high} {unit}")
        return value

    return AfterValidator(check)


def at_least(low: float, unit: str) -> AfterValidator:
    """The rule that a number is not below `low`."""

    def check(value: float) -> float:
        if value < low:
            raise ValueError(f"must be at least {low} {unit}")
        return value

    return AfterValidator(check)


def spelled(pattern: str, rule: str) -> AfterValidator:
    """The rule that a text matches a pattern as a whole."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"must be {rule}")
        return text

    return AfterValidator(check)


_NAME = "[A-Za-z0-9_-]{1,40}"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")


def _host_and_port(text: str) -> str:
    host, colon, port = text.partition(":")
    if not _HOST.fullmatch(host):
        raise ValueError("must be a host name or IPv4 address, with :port or without")
    if re.fullmatch(r"[0-9.]+", host):
        _ipv4(host)
    if colon and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise ValueError("the port must lie between 1 and 65535")
    return text


def _from_base(path: Path, info: ValidationInfo) -> Path:
    if "\0" in str(path):
        raise ValueError("must be a path")
    base: Path = info.context["path"].parent if info.context else Path.cwd()
    try:
        whole = base / path.expanduser()
    except RuntimeError:
        raise ValueError("cannot be resolved: this machine does not know the home directory of that user") from None
    try:
        return whole.resolve()
    except (OSError, RuntimeError):
        raise ValueError("cannot be resolved: its links lead in a circle") from None


def _secret(value: object) -> object:
    if not isinstance(value, str):
        return value
    variable = re.fullmatch(r"\$\{(\w+)\}", value)
    if variable:
        found = os.environ.get(variable[1])
        if found is None:
            raise ValueError(f"the environment variable {variable[1]} is not set")
        value = found
    if not value:
        raise ValueError("must not be empty")
    return value


_UNIT_TEXT: dict[str, Any] = {"type": ["number", "string"]}

Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_UNIT_TEXT)]
"""Seconds; written with a unit (`500ms`, `10s`, `2h`, `30d`) or as plain seconds."""

Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(_UNIT_TEXT)]
"""Bytes; written with a unit (`64MB`, `20GB`, `1GiB`) or as plain bytes."""

Name = Annotated[str, spelled(_NAME, "1 to 40 letters, digits, - and _"), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
Port = Annotated[int, Field(ge=1, le=65535)]
Ipv4 = Annotated[str, AfterValidator(_ipv4)]
HostPort = Annotated[str, AfterValidator(_host_and_port)]
FilePath = Annotated[Path, AfterValidator(_from_base)]
"""Absolute; a relative path starts at the directory of the configuration file."""

Secret = Annotated[SecretStr, BeforeValidator(_secret)]
"""A secret, or `${NAME}` for the environment variable NAME. It shows as asterisks wherever it is printed."""
