"""A reader of the JSON archive access protocol that is as strict as Phoebus' is: what that refuses, this refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LIMITS = ("displayLow", "displayHigh", "warnLow", "warnHigh", "alarmLow", "alarmHigh")
_FIELDS = {"time", "severity", "status", "quality", "metaData", "type", "value", "minimum", "maximum"}
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, slots=True)
class ReadSample:
    """A sample as a client has it. minimum, maximum: of a bin."""

    time: int
    level: str
    has_value: bool
    status: str
    quality: str
    kind: str
    value: tuple[Any, ...]
    meta: Mapping[str, Any] | None
    minimum: float | None
    maximum: float | None


class Refused(Exception):
    """What the reader of Phoebus would stop at."""


def read_samples(body: bytes) -> list[ReadSample]:
    """All samples of an answer. Raises Refused."""
    found = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_not_json)
    _check(isinstance(found, list), "an array")
    return [_sample(one) for one in found]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    _check(len(set(names)) == len(names), f"no field twice: {names}")
    return dict(pairs)


def _not_json(word: str) -> None:
    raise Refused(f"{word} is no JSON")


def _sample(fields: dict[str, Any]) -> ReadSample:
    names = list(fields)
    _check(set(names) <= _FIELDS, f"no unknown field: {names}")
    _check({"time", "severity", "status", "quality", "type", "value"} <= set(names), f"all mandatory fields: {names}")
    _check(names.index("type") < names.index("value"), "type before value")
    severity = fields["severity"]
    _check(set(severity) == {"level", "hasValue"} and type(severity["hasValue"]) is bool, f"severity: {severity}")
    _check(severity["level"] in {"OK", "MINOR", "MAJOR", "INVALID"}, f"level: {severity}")
    _check(type(fields["time"]) is int, "time is a whole number")
    _check(isinstance(fields["status"], str), "status is a text")
    _check(fields["quality"] in {"Original", "Interpolated"}, "quality")
    kind, value, meta = fields["type"], fields["value"], fields.get("metaData")
    _check(isinstance(value, list), "value is an array")
    _check_meta(kind, meta)
    _check(("minimum" in fields) == ("maximum" in fields) == (kind == "minMaxDouble"), "minimum and maximum of minMaxDouble only")
    low, high = (_double(fields[name]) if name in fields else None for name in ("minimum", "maximum"))
    values = tuple(_element(kind, one) for one in value)
    shown = severity["level"], severity["hasValue"]
    return ReadSample(fields["time"], *shown, fields["status"], fields["quality"], kind, values, meta, low, high)


def _element(kind: str, value: Any) -> Any:
    if kind in {"double", "minMaxDouble"}:
        return _double(value)
    if kind in {"long", "enum"}:
        bits = 63 if kind == "long" else 31
        _check(type(value) is int and -(2**bits) <= value < 2**bits, f"{kind}: {value!r}")
        return value
    _check(kind == "string" and isinstance(value, str), f"{kind}: {value!r}")
    return value


def _double(value: Any) -> float:
    if isinstance(value, str):
        _check(value in _SPECIAL, f"a number: {value!r}")
        return _SPECIAL[value]
    _check(type(value) in {int, float}, f"a number: {value!r}")
    return float(value)


def _check_meta(kind: str, meta: dict[str, Any] | None) -> None:
    if kind == "enum":
        _check(meta is not None and set(meta) == {"type", "states"} and meta["type"] == "enum", f"labels of an enum: {meta}")
        assert meta is not None
        _check(all(isinstance(state, str) for state in meta["states"]), "labels are texts")
    elif meta is not None:
        _check(kind != "string", "no metadata of a text")
        _check(set(meta) == {"type", "precision", "units", *LIMITS} and meta["type"] == "numeric", f"metadata: {meta}")
        _check(type(meta["precision"]) is int and isinstance(meta["units"], str), f"metadata: {meta}")
        for low, high in zip(LIMITS[::2], LIMITS[1::2], strict=True):
            _check(not _double(meta[low]) > _double(meta[high]), f"a range from low to high: {meta}")


def _check(holds: bool, rule: str) -> None:
    if not holds:
        raise Refused(rule)
