"""Metadata decoded from the structures of `db_access.h` as pyepics lays them out."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import pytest
from epics import dbr as epics_dbr

from archioc.core.dbr import DBR_CTRL_OFFSET, Dbr
from archioc.core.spool.batch import ChannelMeta
from archioc.engine.ca.metadata import CTRL_BYTES, decode_metadata
from tests.unit.engine.arrivals import T0

LIMITS = {
    "upper_disp_limit": "display_high",
    "lower_disp_limit": "display_low",
    "upper_alarm_limit": "alarm_high",
    "upper_warning_limit": "warning_high",
    "lower_warning_limit": "warning_low",
    "lower_alarm_limit": "alarm_low",
    "upper_ctrl_limit": "control_high",
    "lower_ctrl_limit": "control_low",
}
NUMERIC = {
    Dbr.SHORT: epics_dbr.ctrl_short,
    Dbr.FLOAT: epics_dbr.ctrl_float,
    Dbr.CHAR: epics_dbr.ctrl_char,
    Dbr.LONG: epics_dbr.ctrl_long,
    Dbr.DOUBLE: epics_dbr.ctrl_double,
}


def decode(native: Dbr, raw: bytes) -> ChannelMeta:
    """raw: the structure, whose value is left out as the callbacks do."""
    return decode_metadata("X", T0, "host:5064", 3, native + DBR_CTRL_OFFSET, raw[: CTRL_BYTES[native]])


def numeric(native: Dbr, units: bytes = b"mA") -> Any:
    """A structure with eight different limits."""
    made = NUMERIC[native]()
    made.units = units
    for number, name in enumerate(LIMITS):
        setattr(made, name, 100 + number)
    return made


@pytest.mark.parametrize("native", NUMERIC)
def test_units_and_limits_of_numbers(native: Dbr) -> None:
    """Each of the eight limits and the units come from their place in the structure of every numeric type."""
    assert type(numeric(native)).value.offset == CTRL_BYTES[native]
    raw = bytes(numeric(native))
    meta = decode(native, raw)
    assert (meta.channel, meta.time_ns, meta.host, meta.count, meta.dbr, meta.units) == ("X", T0, "host:5064", 3, native, "mA")
    assert [getattr(meta, name) for name in LIMITS.values()] == [100.0 + number for number in range(8)]


def test_limits_of_characters_have_no_sign() -> None:
    """A DBR_CHAR goes from 0 to 255."""
    made = numeric(Dbr.CHAR)
    made.upper_disp_limit = -1
    assert decode(Dbr.CHAR, bytes(made)).display_high == 255.0


@pytest.mark.parametrize("native", [Dbr.FLOAT, Dbr.DOUBLE])
def test_only_floats_have_a_precision(native: Dbr) -> None:
    """The precision is that of the record, also where it is negative; integers have none."""
    made = numeric(native)
    made.precision = -3
    assert decode(native, bytes(made)).precision == -3
    assert decode(Dbr.LONG, bytes(numeric(Dbr.LONG))).precision is None


def test_limits_without_meaning_are_left_out() -> None:
    """A limit that is NaN or infinite is none."""
    made = numeric(Dbr.DOUBLE)
    made.upper_alarm_limit, made.lower_disp_limit = math.nan, -math.inf
    meta = decode(Dbr.DOUBLE, bytes(made))
    assert (meta.alarm_high, meta.display_low, meta.alarm_low) == (None, None, 105.0)


def test_units_fill_their_field() -> None:
    """Units of eight bytes have no NUL behind them; bytes that are not UTF-8 are Latin-1."""
    assert decode(Dbr.DOUBLE, bytes(numeric(Dbr.DOUBLE, b"mm/s^2/V"))).units == "mm/s^2/V"
    assert decode(Dbr.DOUBLE, bytes(numeric(Dbr.DOUBLE, b"\xb5m"))).units == "µm"


@pytest.mark.parametrize(("told", "known"), [(0, 0), (2, 2), (16, 16), (17, 16), (-1, 0)])
def test_names_of_states(told: int, known: int) -> None:
    """An enum has as many names as it says, sixteen at most, each up to its NUL or its 26 bytes."""
    made = epics_dbr.ctrl_enum()
    made.no_str = told
    for number in range(16):
        name = b"n" * 26 if number == 1 else b"state%d" % number
        ctypes.memmove(ctypes.addressof(made.strs) + 26 * number, name.ljust(26, b"\0"), 26)
    raw = bytes(made)
    assert type(made).value.offset == CTRL_BYTES[Dbr.ENUM]
    labels = decode(Dbr.ENUM, raw).labels
    assert len(labels) == known
    assert labels[:2] == ("state0", "n" * 26)[:known]


def test_a_string_has_no_metadata_of_its_own() -> None:
    """A string channel tells its type, count and host only."""
    assert decode(Dbr.STRING, bytes(CTRL_BYTES[Dbr.STRING])) == ChannelMeta("X", T0, Dbr.STRING, 3, "host:5064")


@pytest.mark.parametrize("native", Dbr)
@pytest.mark.parametrize("difference", [-2, -1, 1, 400])
def test_metadata_of_another_size_are_not_decoded(native: Dbr, difference: int) -> None:
    """What is not exactly as long as the structure before its value is no metadata of the type."""
    raw = bytes(CTRL_BYTES[native] + difference)
    with pytest.raises(ValueError, match=f"{len(raw)} bytes of metadata"):
        decode_metadata("X", T0, "host:5064", 3, native + DBR_CTRL_OFFSET, raw)
