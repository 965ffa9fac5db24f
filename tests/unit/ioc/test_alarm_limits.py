from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.dbr import Dbr, Severity, Status
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.alarm import NO_ALARM, Alarm
from archioc.ioc.ca.alarm_limits import NO_LIMITS, AlarmLimits, metadata_of, read_limit
from archioc.ioc.ca.put_value import PutValue

HIHI: Alarm = (Status.HIHI, Severity.MAJOR)
HIGH: Alarm = (Status.HIGH, Severity.MINOR)
LOW: Alarm = (Status.LOW, Severity.MINOR)
LOLO: Alarm = (Status.LOLO, Severity.MAJOR)
ALL = AlarmLimits(hihi=90, high=80, low=20, lolo=10, hyst=2)


@pytest.mark.parametrize(
    ("value", "before", "alarm"),
    [
        (50, NO_ALARM, NO_ALARM),
        (80, NO_ALARM, HIGH),
        (90, NO_ALARM, HIHI),
        (20, NO_ALARM, LOW),
        (10, NO_ALARM, LOLO),
        (79, NO_ALARM, NO_ALARM),
        (79, HIGH, HIGH),
        (77.9, HIGH, NO_ALARM),
        (89, HIHI, HIHI),
        (87.9, HIHI, HIGH),
        (21, LOW, LOW),
        (11, LOLO, LOLO),
        (12.1, LOLO, LOW),
    ],
)
def test_value_is_judged_as_by_a_record(value: float, before: Alarm, alarm: Alarm) -> None:
    """A value at or beyond a limit is in alarm, and stays there until it has come back by more than the hysteresis."""
    assert ALL.judge(value, before) == alarm


@given(st.floats(), st.sampled_from([NO_ALARM, HIHI, HIGH, LOW, LOLO]))
def test_no_limits_no_alarm(value: float, before: Alarm) -> None:
    """Without limits no value is in alarm, whatever alarm there was."""
    assert NO_LIMITS.judge(value, before) == NO_ALARM


def test_one_sided_limits_and_severities() -> None:
    """One limit works without the others; its severity is its own, and NO_ALARM switches it off."""
    one = AlarmLimits(low=5).changed("LSV", Severity.INVALID)
    assert one.judge(4, NO_ALARM) == (Status.LOW, Severity.INVALID)
    assert one.judge(1e9, NO_ALARM) == NO_ALARM
    assert one.changed("LSV", 0).judge(4, NO_ALARM) == NO_ALARM


def test_limits_are_read_from_puts() -> None:
    """Numbers and NaN are taken as number or text, severities as label; anything else is refused with the rule."""
    assert read_limit("HIHI", PutValue(("7.5",))) == 7.5
    assert math.isnan(read_limit("LOLO", PutValue((math.nan,))))
    assert read_limit("HSV", PutValue(("MAJOR",))) == 2
    for field, item, rule in (("HIHI", "much", "NaN for no limit"), ("HYST", -1.0, "0 or more"), ("HYST", math.nan, "0 or more")):
        with pytest.raises(CommandRefused, match=rule):
            read_limit(field, PutValue((item,)))


def test_limits_in_dbr_ctrl() -> None:
    """DBR_CTRL_DOUBLE tells NaN for a limit that there is not, DBR_CTRL_LONG tells 0."""
    assert math.isnan(metadata_of(NO_LIMITS, Dbr.DOUBLE)["upper_alarm_limit"])
    assert metadata_of(AlarmLimits(hihi=7), Dbr.LONG)["upper_alarm_limit"] == 7
    assert metadata_of(NO_LIMITS, Dbr.LONG)["lower_warning_limit"] == 0
