"""Durations, sizes and rates as people write them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.units import parse_duration, parse_rate, parse_size

DURATION_UNITS = {
    "": 1.0, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0,
    "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0,
}  # fmt: skip
SIZE_UNITS = {"": 1, "B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 1024, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
RATE_UNITS = {"": 1.0, "Hz": 1.0, "kHz": 1000.0, "mHz": 0.001}
PARSERS: list[Callable[[object], float]] = [parse_duration, parse_size, parse_rate]

numbers = st.floats(min_value=0, max_value=1e12, allow_nan=False)
blanks = st.sampled_from(["", " ", "  "])


@given(numbers, st.sampled_from(sorted(DURATION_UNITS)), blanks)
def test_duration_is_number_times_unit(number: float, unit: str, blank: str) -> None:
    """A duration written with any unit is the number times the seconds of that unit."""
    assert parse_duration(f"{blank}{number!r}{blank}{unit}{blank}") == pytest.approx(number * DURATION_UNITS[unit])


@given(st.integers(min_value=0, max_value=10**6), st.sampled_from(sorted(SIZE_UNITS)), blanks)
def test_size_is_number_times_unit(number: int, unit: str, blank: str) -> None:
    """A size written with a whole number and any unit is exact."""
    assert parse_size(f"{number}{blank}{unit}") == number * SIZE_UNITS[unit]


@given(numbers, st.sampled_from(sorted(RATE_UNITS)), blanks)
def test_rate_is_number_times_unit(number: float, unit: str, blank: str) -> None:
    """A rate written with any unit is the number times the Hz of that unit."""
    assert parse_rate(f"{number!r}{blank}{unit}") == pytest.approx(number * RATE_UNITS[unit])


@given(st.text(max_size=12) | st.floats() | st.integers() | st.booleans() | st.none())
def test_any_value_is_a_finite_number_or_a_value_error(value: object) -> None:
    """Whatever stands in the file, a parser returns a finite number or raises ValueError."""
    for parse in PARSERS:
        try:
            found = parse(value)
        except ValueError:
            continue
        assert math.isfinite(found)


def test_size_is_rounded_to_the_nearest_byte() -> None:
    """A decimal size does not lose a byte to binary floating point."""
    assert parse_size("4.1GB") == 4_100_000_000


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("value", ["1e999", "9" * 400, 10**400, math.inf, math.nan])
def test_what_no_float_can_hold_is_refused(parse: Callable[[object], float], value: object) -> None:
    """A number beyond the range of a float is a ValueError, not an infinity or an OverflowError."""
    with pytest.raises(ValueError, match="finite"):
        parse(value)


def test_unit_can_carry_a_number_out_of_range() -> None:
    """The product with the unit must be finite too."""
    with pytest.raises(ValueError, match="finite"):
        parse_size("1e300TB")


@pytest.mark.parametrize(
    ("parse", "value", "rule"),
    [
        (parse_duration, "-1s", "must not be negative"),
        (parse_duration, "5 fortnights", "unit 'fortnights' is none of ns, us"),
        (parse_duration, True, "must be a duration such as 10s or 2h"),
        (parse_size, "-1", "must not be negative"),
        (parse_size, "5 parsecs", "unit 'parsecs' is none of B, kB"),
        (parse_size, "big", "must be a size such as 64MB"),
        (parse_rate, "10 MHz", "unit 'MHz' is none of Hz, kHz, mHz"),
        (parse_rate, "10 MHZ", "unit 'MHZ' is none of Hz, kHz, mHz"),
        (parse_rate, "often", "must be a rate such as 10"),
    ],
)
def test_refusal_names_the_rule(parse: Callable[[object], float], value: object, rule: str) -> None:
    """A refused value comes with the rule it breaks."""
    with pytest.raises(ValueError, match=rule):
        parse(value)


def test_rate_keeps_its_sign() -> None:
    """A negative rate is read; the range is a rule of the channel settings."""
    assert parse_rate("-5") == -5.0
