"""The field `TXT`: values in the words of people, and back."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.dbr import Dbr
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV, PvSpec
from archioc.ioc.pvs.channel_fields import CHANNEL_FIELDS
from archioc.ioc.pvs.worded import can_be_put_worded, quantity, read_worded, worded

RATE = PV("P:CH:X:Rate", CHANNEL_FIELDS["Rate"].spec)


@pytest.mark.parametrize(
    ("number", "unit", "precision", "text"),
    [
        (307_169.0, "", 0, "307 169"),
        (1_234_567.891, "1/s", 1, "1 234 567.9 1/s"),
        (999.0, "", 0, "999"),
        (-1000.0, "", 0, "-1 000"),
        (1398.0, "s", 0, "23 min 18 s"),
        (7 * 86_400 + 3 * 3600.0, "s", 0, "7 d 3 h"),
        (86_400.0, "s", 0, "1 d"),
        (119.94, "s", 1, "119.9 s"),
        (0.5161, "s", 3, "0.516 s"),
        (1_234_567.0, "byte", 0, "1.23 MB"),
        (512.0, "byte", 0, "512 byte"),
        (0.048, "s", 1, "0.0 s"),
        (1e18, "", 0, "1.0e+18"),
        (math.nan, "mA", 3, "NaN mA"),
        (-math.inf, "", 3, "-Infinity"),
        (0.0, "mm", 4, "0.0000 mm"),
    ],
)
def test_quantities(number: float, unit: str, precision: int, text: str) -> None:
    """Thousands apart, times in their two largest parts, bytes in thousands; small and large numbers keep their digits."""
    assert quantity(number, unit, precision) == text


@given(st.floats(), st.sampled_from(["", "s", "byte", "%", "1/s"]), st.integers(0, 17))
def test_every_number_has_words(number: float, unit: str, precision: int) -> None:
    """No number is beyond words, and a text fits a DBR_STRING."""
    assert 0 < len(quantity(number, unit, min(precision, 9)).encode()) <= 39


@pytest.mark.parametrize(("typed", "put"), [("no limit", 0.0), ("No  Limit", 0.0), ("10 Hz", 10.0), ("10", 10.0), ("1 000.5 Hz", 1000.5)])
def test_words_are_read_back(typed: str, put: float) -> None:
    """A number with or without its unit, or the word for 0, is the number."""
    assert read_worded(RATE, PutValue((typed,), 7.0)) == PutValue((put,), 7.0)


@pytest.mark.parametrize("items", [("abc",), (5.0,), ("1", "2"), ()])
def test_other_puts_stay(items: tuple[float | str, ...]) -> None:
    """What is no number in words is left to the PV, which takes or refuses it."""
    assert read_worded(RATE, PutValue(items)) == PutValue(items)


def test_which_settings_take_words() -> None:
    """Numbers for which 0 has a meaning; nothing that is only read."""

    async def put(*_: object) -> None: ...

    names = {name for name, field in CHANNEL_FIELDS.items() if can_be_put_worded(PV(name, field.spec, writer=put))}
    assert names == {"Rate", "Deadband", "DeadbandPct", "MaxInterval", "Quota", "MaxElements"}
    assert not can_be_put_worded(RATE)


async def _shown(spec: PvSpec, value: float | str, *, empty: bool = False) -> str:
    pv = PV("P:X", spec)
    await pv.show(value, empty=empty)
    return worded(pv)


def test_words_of_pvs() -> None:
    """A 0 that stands for no limit says so, a state is its label, an empty slot is empty, whatever its value."""
    rate = CHANNEL_FIELDS["Rate"].spec
    assert asyncio.run(_shown(rate, 0.0)) == "no limit"
    assert asyncio.run(_shown(rate, 2.5)) == "2.500 Hz"
    assert asyncio.run(_shown(CHANNEL_FIELDS["Value"].spec, 2.2e-9)) == "2.200000e-09"
    assert asyncio.run(_shown(CHANNEL_FIELDS["Time"].spec, "2026-12-01T10:57:33.862148971Z")) == "12-01 10:57:33"
    assert asyncio.run(_shown(rate, 0.0, empty=True)) == ""
    assert asyncio.run(_shown(PvSpec(Dbr.ENUM, "", labels=("Off", "On")), 1)) == "On"
    assert asyncio.run(_shown(PvSpec(Dbr.CHAR, "", count=9), "abc")) == "abc"
