"""Channel names, settings and the command line of a channel."""

from __future__ import annotations

import math
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.channel import SETTING_NAMES, ChannelSettings, Clock, LargeArrays, Mask, Mode, read_setting
from archioc.core.channel_name import channel_name, field_of, read_as_text, split_command_line, stamped_by_ioc
from archioc.core.errors import ChannelNameError, SettingError

names = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="_-:.[]<>;$"), min_size=1, max_size=60).filter(
    lambda text: not text.startswith("ca:") and not text.endswith(".VAL")
)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(names, st.dictionaries(st.sampled_from(SETTING_NAMES), values))
def test_command_line_round_trip(name: str, changes: dict[str, str]) -> None:
    """A line written with shell quoting is read back as the same name and settings."""
    line = " ".join([name, *(shlex.quote(f"{key}={value}") for key, value in changes.items())])
    assert split_command_line(line) == (name, changes)


@given(st.text(max_size=60))
def test_any_line_is_read_or_refused(line: str) -> None:
    """Whatever is put, the line is read or refused with an error of ours."""
    try:
        name, _ = split_command_line(line)
    except (ChannelNameError, SettingError):
        return
    assert channel_name(name) == name or name.endswith(".VAL") or name.startswith("ca://")


def test_command_line_takes_tabs_and_double_quotes() -> None:
    """Any blanks separate words, and double quotes hold a value with blanks together."""
    assert split_command_line('  SR:X \t rate=5\tdescription="left of the pump" ') == (
        "SR:X",
        {"rate": "5", "description": "left of the pump"},
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("SR:X rate", "rate=: must be written as setting=value"),
        ("SR:X rate=1 rate=2", "rate=2: is given twice"),
        ('SR:X description="open', 'settings=description="open: cannot be read: No closing quotation'),
    ],
)
def test_broken_command_line(line: str, message: str) -> None:
    """A line that cannot be read is refused with the word and the rule."""
    with pytest.raises(SettingError) as caught:
        split_command_line(line)
    assert str(caught.value) == message


def test_command_line_without_a_name() -> None:
    """An empty line has no channel name."""
    with pytest.raises(ChannelNameError, match="is empty"):
        split_command_line("   ")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SR:X", "SR:X"),
        (" SR:X ", "SR:X"),
        ("ca://SR:X", "SR:X"),
        ("SR:X.VAL", "SR:X"),
        ("SR:X.DESC$", "SR:X.DESC$"),
        ("SR:X.VAL$", "SR:X.VAL$"),
    ],
)
def test_channel_name_is_normalised(text: str, name: str) -> None:
    """The scheme and the default field are not part of the name."""
    assert channel_name(text) == name


@pytest.mark.parametrize("text", ["", " ", ".VAL", "ca://", "a b", "a\tb", "a\u00a0b", "a\x00b", "\ud800", "x" * 256, "\u00fc" * 128])
def test_bad_channel_name(text: str) -> None:
    """Names that are empty, too long in bytes, or hold blanks or unprintable characters are refused."""
    with pytest.raises(ChannelNameError):
        channel_name(text)


def test_longest_channel_name() -> None:
    """255 bytes are taken."""
    assert channel_name("x" * 255) == "x" * 255


@pytest.mark.parametrize("rate", [-5.0, 100_000.1, math.inf, math.nan])
def test_rate_out_of_range(rate: float) -> None:
    """A rate outside 0 to 100 000 Hz is refused, in an object and when it is read alone."""
    with pytest.raises(SettingError, match="rate"):
        ChannelSettings(rate=rate)
    with pytest.raises(SettingError, match="rate"):
        read_setting("rate", rate)


def test_scan_needs_a_rate() -> None:
    """Scanning without a rate has no period and is refused."""
    with pytest.raises(SettingError, match="mode scan needs a rate above 0 Hz"):
        ChannelSettings(mode=Mode.SCAN)
    assert ChannelSettings(mode=Mode.SCAN, rate=0.1).rate == 0.1


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("enable", "off", False),
        ("enable", 1, True),
        ("enable", True, True),
        ("mode", "Scan", Mode.SCAN),
        ("mode", Mode.SCAN, Mode.SCAN),
        ("rate", "2kHz", 2000.0),
        ("rate", 3, 3.0),
        ("description", "a = b", "a = b"),
        ("deadband", "1e-9", 1e-9),
        ("deadband", 0, 0.0),
        ("deadband_pct", "2.5%", 2.5),
        ("deadband_pct", 100, 100.0),
        ("quota", "2kHz", 2000.0),
        ("quota", 0, 0.0),
        ("clock", "Archiver", Clock.ARCHIVER),
        ("max_elements", "1e6", 1_000_000),
        ("large_arrays", "refuse", LargeArrays.REFUSE),
        ("as_text", "yes", True),
        ("group", "vac-1", "vac-1"),
        ("max_interval", "1min", 60.0),
        ("mask", "Value", Mask.VALUE),
        ("mask", Mask.LOG, Mask.LOG),
        ("max_interval", 0.1, 0.1),
        ("max_interval", 0, 0.0),
    ],
)
def test_setting_is_read(name: str, value: object, expected: object) -> None:
    """A setting is read from text or from a value of its own type."""
    assert read_setting(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("enable", "maybe", "must be 1 or 0"),
        ("mode", "fast", "must be monitor or scan"),
        ("rate", "often", "must be a rate"),
        ("description", 5, "must be text"),
        ("deadband", "wide", "must be a number"),
        ("deadband", True, "must be a number"),
        ("deadband", -1, "-1.*must be 0 or more, in the unit of the channel"),
        ("deadband", "inf", "must be 0 or more"),
        ("deadband_pct", "101%", "101.*must lie between 0 and 100 %"),
        ("deadband_pct", "nan", "must lie between 0 and 100 %"),
        ("mask", "all", "must be log or value"),
        ("quota", -1, "between 0"),
        ("quota", "1MHz", "none of Hz"),
        ("quota", "101kHz", "between 0"),
        ("clock", "mine", "must be auto, ioc or archiver"),
        ("max_elements", 2.5, "whole number"),
        ("max_elements", "many", "must be a number"),
        ("max_elements", float("nan"), "whole number"),
        ("max_elements", -1, "between 0"),
        ("large_arrays", "half", "must be statistics, store or refuse"),
        ("group", "a b", "letters, digits"),
        ("group", "x" * 41, "letters, digits"),
        ("group", 5, "must be text"),
        ("max_interval", "often", "must be a duration"),
        ("max_interval", 0.05, r"0.05.*must be 0 \(never\) or lie between 0.1 and 31536000 s"),
        ("max_interval", "2y", "must be 0"),
        ("description", "x" * 256, "is longer than 255 bytes"),
        ("description", "\ud800", "UTF-8"),
        ("colour", "red", "no such setting; there are enable, mode, rate, description"),
    ],
)
def test_setting_is_refused(name: str, value: object, rule: str) -> None:
    """A bad setting is refused with its rule."""
    with pytest.raises(SettingError, match=rule):
        read_setting(name, value)


def test_with_changes_leaves_the_rest() -> None:
    """Changed settings replace theirs and leave the others."""
    assert ChannelSettings(description="pump").with_changes({"mode": "scan", "rate": "0.5"}) == ChannelSettings(
        mode=Mode.SCAN, rate=0.5, description="pump"
    )


def test_with_changes_checks_settings_together() -> None:
    """A rule between settings holds after a change of one of them."""
    with pytest.raises(SettingError, match="mode scan needs"):
        ChannelSettings(rate=5).with_changes({"mode": "scan", "rate": 0})


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("SR:DCCT", "VAL"),
        ("SR:DCCT.HIHI", "HIHI"),
        ("SR:DCCT.DESC$", "DESC"),
        ('SR:DCCT.{"dbnd":{"d":0.1}}', "VAL"),
        ("SR:WAVE.[0:3]", "VAL"),
        ('SR:DCCT.RVAL{"ts":{}}', "RVAL"),
        ("device.sub.value", "VAL"),
        ("SR:A", "VAL"),
    ],
)
def test_field_of_a_name(name: str, field: str) -> None:
    """The field that a name reads is found behind its first dot, before filters; a name of another kind reads a value."""
    assert field_of(name) == field


def test_auto_clock_and_text_follow_the_name() -> None:
    """With `auto` the value of a record has the IOC's time and its other fields the archiver's; `$` makes a text."""
    auto = ChannelSettings()
    assert stamped_by_ioc("SR:DCCT", auto)
    assert not stamped_by_ioc("SR:DCCT.HIHI", auto)
    assert stamped_by_ioc("SR:DCCT.HIHI", ChannelSettings(clock=Clock.IOC))
    assert not stamped_by_ioc("SR:DCCT", ChannelSettings(clock=Clock.ARCHIVER))
    assert read_as_text("SR:DCCT.DESC$", auto)
    assert read_as_text("SR:TEXT", ChannelSettings(as_text=True))
    assert not read_as_text("SR:TEXT", auto)
