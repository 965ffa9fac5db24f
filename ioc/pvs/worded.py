"""The field `TXT`: the value of a PV as people write it, and read it back.

Numbers have thousands apart, times of minutes and more are in days, hours and minutes, bytes in kB, MB and GB, and a 0 that stands for
no limit says so. What stands for nothing, a slot without a channel, is empty.
"""

from __future__ import annotations

import math
import re

from archioc.core.dbr import Dbr
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV

IN_WORDS_FROM_S = 120.0
"""Shorter times are in seconds."""

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z")
"""A time; in words it is without its year and its fraction."""

_SPANS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_BYTES = ("byte", "kB", "MB", "GB", "TB", "PB")
_LARGEST = 1e15
"""Numbers beyond this are written with an exponent."""


def worded(pv: PV) -> str:
    """The value of a PV in words of at most 39 bytes."""
    value = pv.last_value
    if pv.is_empty:
        return ""
    if isinstance(value, str):
        return f"{value[5:10]} {value[11:19]}" if _ISO.fullmatch(value) else value
    if pv.spec.dbr is Dbr.ENUM:
        return pv.spec.labels[int(value)] if 0 <= int(value) < len(pv.spec.labels) else str(int(value))
    if value == 0 and pv.spec.zero:
        return pv.spec.zero
    return quantity(float(value), pv.unit, pv.precision, small=not pv.spec.unit and pv.spec.precision > 0)


def quantity(number: float, unit: str, precision: int, *, small: bool = False) -> str:
    """A number with its unit. precision: digits after the point. small: one that would read 0 and is not has an exponent."""
    if unit == "s" and IN_WORDS_FROM_S <= number < _LARGEST:
        return _span(round(number))
    if unit == "byte" and 1000 <= number < _LARGEST:
        return _bytes(number)
    text = digits(number, precision) if small or abs(number) >= _LARGEST or not math.isfinite(number) else f"{number:.{precision}f}"
    return f"{_apart(text)} {unit}".rstrip()


def digits(number: float, precision: int) -> str:
    """A number with so many digits after the point; one that would have more than 15 digits, or none that counts, with an exponent."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    text = f"{number:.{precision}f}"
    if abs(number) >= _LARGEST or (number and float(text) == 0):
        return f"{number:.{min(max(precision, 1), 6)}e}"
    return text


def _apart(text: str) -> str:
    """A number with its thousands apart; one with an exponent stays."""
    whole, point, rest = text.partition(".")
    return text if "e" in text else re.sub(r"(?<=\d)(?=(\d{3})+(?!\d))", " ", whole) + point + rest


def _span(seconds: int) -> str:
    """The two largest parts, `5 d 4 h`."""
    parts = []
    for name, length in _SPANS:
        count, seconds = divmod(seconds, length)
        parts.append((count, name))
    first = next(place for place, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count)


def _bytes(number: float) -> str:
    power = min(int(math.log10(number) // 3), len(_BYTES) - 1)
    return f"{number / 1000**power:.3g} {_BYTES[power]}"


def can_be_put_worded(pv: PV) -> bool:
    """Whether a put to `TXT` is one to the PV: for the numbers of settings."""
    return pv.writer is not None and pv.spec.access == "control" and pv.spec.dbr in {Dbr.DOUBLE, Dbr.LONG} and bool(pv.spec.zero)


def read_worded(pv: PV, value: PutValue) -> PutValue:
    """What was put to `TXT`, as the PV takes it: a number, with or without its unit, or the word for 0.

    What is none of them stays as it is, for the PV to refuse.
    """
    if len(value.items) != 1 or not isinstance(value.items[0], str):
        return value
    item = value.items[0]
    words = " ".join(item.split())
    bare = words.removesuffix(pv.unit).rstrip() if pv.unit else words
    if words.lower() == pv.spec.zero:
        return PutValue((0.0,), value.arrived)
    try:
        return PutValue((float(bare.replace(" ", "")),), value.arrived)
    except ValueError:
        return value
