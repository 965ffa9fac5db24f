from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.errors import TimeFormatError
from archioc.core.timestamp import LIMIT, format_local, format_span, format_utc, parse_time

NOW = 1_790_000_000_123_456_789


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is that of Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@given(st.integers(-LIMIT, LIMIT - 1))
def test_utc_reads_back(time_ns: int) -> None:
    """What `format_utc` writes `parse_time` reads, to the nanosecond."""
    assert parse_time(format_utc(time_ns), NOW) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("now", NOW),
        (" now ", NOW),
        ("-1h", NOW - 3_600_000_000_000),
        ("-1.5s", NOW - 1_500_000_000),
        ("-1ns", NOW - 1),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01Z", 0),
        ("1970-01-01 00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:00,000000001Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T01:00:00 +0100", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-01-31T12:00:00.123456789Z", 1_769_860_800_123_456_789),
        ("1769860800", 1_769_860_800_000_000_000),
        ("1769860800.123456789", 1_769_860_800_123_456_789),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
        ("2017-01-01T00:59:60.5+01:00", 1_483_228_800_500_000_000),
    ],
)
def test_times_that_can_be_read(text: str, time_ns: int) -> None:
    """`now`, a time before it, seconds since 1970, and ISO 8601 with and without clock, fraction, zone and leap second."""
    assert parse_time(text, NOW) == time_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "yesterday 8",
        "25:00",
        "08:61",
        "12345",
        "1790000000123",
        "2016-12-31T22:59:60Z",
        "2016-12-31T23:58:60Z",
        "1h",
        "-",
        "-1 fortnight",
        "--1h",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-1-1",
        "2026-01-01T12Z",
        "0000-01-01",
        "2026-01-01T00:00:00+99:00",
    ],
)
def test_texts_that_are_no_time(text: str) -> None:
    """Anything else is refused, and the error shows the text."""
    with pytest.raises(TimeFormatError) as refused:
        parse_time(text, NOW)
    assert str(refused.value).startswith(f"{text!r} is not a time")


@given(st.text(max_size=30))
def test_no_text_does_harm(text: str) -> None:
    """Whatever is typed is a time or a clear error."""
    try:
        assert isinstance(parse_time(text, NOW), int)
    except TimeFormatError as refused:
        assert repr(text) in str(refused)  # noqa: PT017 - most texts are refused, a few are not


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01",
        "9999-12-31T23:59Z",
        "1677-09-21T00:12:43.145224191Z",
        "2262-04-11T23:47:16.854775808Z",
        "-400y",
        "-1e300y",
    ],
)
def test_times_beyond_64_bits(text: str) -> None:
    """A time that nanoseconds in 64 bits cannot carry, or that its zone leads out of the calendar, is refused like any other."""
    with pytest.raises(TimeFormatError, match="is not a time"):
        parse_time(text, NOW)


def test_without_a_zone_it_is_local_time(berlin: None) -> None:
    """A time without a zone is that of this machine, in summer and in winter, and is shown the same way."""
    summer, winter = "2026-07-01 12:00:00.000001", "2026-01-01 12:00:00.000001"
    assert format_utc(parse_time(summer, NOW)) == "2026-07-01T10:00:00.000001000Z"
    assert format_utc(parse_time(winter, NOW)) == "2026-01-01T11:00:00.000001000Z"
    assert [format_local(parse_time(text, NOW)) for text in (summer, winter)] == [summer, winter]


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("today", "2026-09-21 00:00:00.000000"),
        ("yesterday", "2026-09-20 00:00:00.000000"),
        ("yesterday 08:30:01.5", "2026-09-20 08:30:01.500000"),
        ("today 23:59", "2026-09-21 23:59:00.000000"),
        ("08:30", "2026-09-21 08:30:00.000000"),
        ("16:13:20.123456789", "2026-09-21 16:13:20.123456"),
        ("16:13:21", "2026-09-20 16:13:21.000000"),
    ],
)
def test_days_and_clocks_for_people(berlin: None, text: str, local: str) -> None:
    """A day and a clock are local; a clock alone is when it showed that time last. NOW is 16:13:20 in Berlin."""
    assert format_local(parse_time(text, NOW)) == local


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2026-03-29 02:30", "does not exist"),
        ("2026-03-29 02:00:00", "does not exist"),
        ("2026-10-25 02:30", r"comes twice.*\+0200 or \+0100"),
        ("2026-10-25 02:59:59.9", "comes twice"),
    ],
)
def test_local_times_when_clocks_are_changed(berlin: None, text: str, rule: str) -> None:
    """A local time that is left out or comes twice is refused; with a zone it is read, and so are its neighbours."""
    with pytest.raises(TimeFormatError, match=rule):
        parse_time(text, NOW)
    assert parse_time(f"{text}+01:00", NOW)
    for neighbour in ("2026-03-29 01:59:59", "2026-03-29 03:00", "2026-10-25 01:59:59", "2026-10-25 03:00"):
        assert format_local(parse_time(neighbour, NOW)).startswith(neighbour)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (12.2, "12 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (18_600, "5 h 10 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_spans_for_people(seconds: float, text: str) -> None:
    """A duration is told in its two largest units."""
    assert format_span(seconds) == text
