from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.condition import Condition, parse_condition
from archioc.core.errors import SettingError

OPERATORS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

names = st.from_regex(r"[A-Za-z0-9_:;<>\[\]{}.-]{1,60}", fullmatch=True).filter(lambda name: not name.endswith(".VAL"))
numbers = st.floats(allow_nan=False, allow_infinity=False)
labels = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"), exclude_characters='"'), max_size=9).filter(str.isprintable)
conditions = st.one_of(
    st.builds(Condition, names, st.sampled_from(list(OPERATORS)), numbers),
    st.builds(Condition, names, st.sampled_from(["==", "!="]), labels),
)


@given(conditions)
def test_a_condition_reads_back(condition: Condition) -> None:
    """Every condition survives being written as text, to the last bit of its number."""
    assert parse_condition(str(condition)) == condition


@given(st.sampled_from(list(OPERATORS)), numbers, numbers)
def test_numbers_are_compared(compared: str, found: float, wanted: float) -> None:
    """A condition with a number holds when the comparison does."""
    assert Condition("X", compared, wanted).holds(found) == OPERATORS[compared](found, wanted)


@pytest.mark.parametrize(
    ("text", "found", "holds"), [('X == "Beam"', "Beam", True), ('X == "Beam"', "beam", False), ("X != 'a b'", "c", True)]
)
def test_texts_are_compared(text: str, found: str, holds: bool) -> None:
    """A condition with a text, in either quotes, compares whole texts with their case."""
    condition = parse_condition(text)
    assert condition is not None
    assert condition.wants_text
    assert condition.holds(found) == holds


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever somebody writes gives a condition, none, or an error that is fit to be shown."""
    try:
        told = str(parse_condition(text) or "")
    except SettingError as error:
        told = str(error)
    assert told.isprintable()
    assert bool(told) == bool(text.strip())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("SR:MODE", "must be written as PV OPERATOR VALUE"),
        ("SR:MODE!=0", "must be written as PV OPERATOR VALUE"),
        ("SR:MODE => 0", "=> is no comparison; there are == != < <= > >="),
        ("SR:MODE == Beam", "Beam must be a number, or a text in double quotes"),
        ('SR:MODE < "Beam"', "a text is compared with == or != only"),
        ("SR:MODE > nan", "nan is no number to compare with"),
        ('SR:MODE == "' + 40 * "x" + '"', "at most 39 bytes"),
        (200 * "x" + " == " + 100 * "1", "is longer than 255 bytes"),
    ],
)
def test_bad_conditions_tell_the_rule(text: str, rule: str) -> None:
    """A condition that cannot be read is refused with the rule that it breaks."""
    with pytest.raises(SettingError) as caught:
        parse_condition(text)
    assert rule in str(caught.value)
