"""Numbers with units as people write them in the configuration: durations, sizes, rates."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)")
"""No text can be taken apart in more than one way: of a long one the search must not try them all."""

_DURATIONS = {
    "": 1.0,
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "y": 365 * 86400.0,
}
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_RATES = {"": 1.0, "hz": 1.0, "khz": 1e3, "mhz": 1e-3}


def _split(value: object, what: str, example: str) -> tuple[float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return _finite(float(value)), ""
        except OverflowError:
            raise ValueError("must be a finite number") from None
    match = _NUMBER.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"must be {what} such as {example}")
    return _finite(float(match[1])), match[2]


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def parse_duration(value: object) -> float:
    """Seconds from `0.5`, `500ms`, `10s`, `5min`, `2h`, `30d`, `1w`, `1y` (365 days). Raises ValueError."""
    number, unit = _split(value, "a duration", "10s or 2h")
    if unit not in _DURATIONS:
        raise ValueError(f"unit {unit!r} is none of {', '.join(u for u in _DURATIONS if u)}")
    if number < 0:
        raise ValueError("must not be negative")
    return _finite(number * _DURATIONS[unit])


def parse_size(value: object) -> int:
    """Bytes, to the nearest one, from `4096`, `64MB`, `20GB`, `1GiB`. Raises ValueError."""
    number, unit = _split(value, "a size", "64MB or 20GB")
    if unit.lower() not in _SIZES:
        raise ValueError(f"unit {unit!r} is none of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB")
    if number < 0:
        raise ValueError("must not be negative")
    return round(_finite(number * _SIZES[unit.lower()]))


def parse_rate(value: object) -> float:
    """Hz from `10`, `10Hz`, `1kHz`, `0.1`. `mHz` is a thousandth. Raises ValueError."""
    number, unit = _split(value, "a rate", "10 or 0.1Hz")
    if unit.startswith("M"):
        raise ValueError(f"unit {unit!r} is none of Hz, kHz, mHz (a thousandth of a Hz)")
    if unit.lower() not in _RATES:
        raise ValueError(f"unit {unit!r} is none of Hz, kHz, mHz")
    return _finite(number * _RATES[unit.lower()])
