"""Lines that the strictest parser takes: what is written does not depend on how a parser reads newlines and backslashes."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.audit import AuditRecord
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import Batch, ChannelMeta, Kind, SampleFlag
from archioc.core.spool.encoding.escaping import channel_of_line, channel_of_tag, escape_tag, tag_value
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.encoding.plain_text import MARK, original, plain
from tests.archives.batches import Alarm, Point, alarms, make_batch, names, points

ODD = ["a", "\\", "\n", "\r", "\0", "\x1b", "\x7f", "\t", '"', MARK, "\u240a", "\u29f5", "é", "中"]
ODD_NAMES = ["a", "\\", ",", "=", MARK, "'", '"', "\u29f5"]

FIELD = rb'[a-z_0-9]+=(?:"(?:[^"\\]|\\["\\])*"|-?[0-9][-+.e0-9]*i?)'
FIELDS_AND_TIME = re.compile(FIELD + b"(?:," + FIELD + b")* [0-9]{1,19}")


def separators(line: bytes, escaped: bytes) -> list[int]:
    """Where commas, equals signs and the first blank separate, to a parser for which a backslash escapes these characters."""
    found, at = [], 0
    while True:
        if line[at : at + 1] == b"\\" and line[at + 1 : at + 2] in [bytes([one]) for one in escaped]:
            at += 2
            continue
        if line[at] in b",= ":
            found.append(at)
        if line[at] in b" ":
            return found
        at += 1


def check_lines(body: bytes, count: int) -> None:
    """Each line is whole for whoever splits at newlines, and separated alike to parsers that differ in what a backslash escapes."""
    lines = body.split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == count
    for line in lines:
        assert not re.search(rb"[\x00-\x1f\x7f]", line)
        found = separators(line, b",= ")
        assert found == separators(line, b",= \\")
        assert FIELDS_AND_TIME.fullmatch(line[found[-1] + 1 :])
        assert not re.search(rb'[^\\]\\\\"(?:,[a-z]| \d+\Z)', line), "a backslash before the closing quote"


@given(st.text(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"]), max_size=30), st.booleans())
def test_a_text_comes_back(text: str, in_pieces: bool) -> None:
    """Any text is read back as it was; as it is stored it has no control character and no backslash at its end."""
    stored = plain(text, in_pieces=in_pieces)
    assert original(stored) == text
    assert not re.search(r"[\x00-\x1f\x7f]|\\\Z", stored)
    assert not (in_pieces and "\\" in stored)


def test_every_short_text_comes_back() -> None:
    """All texts of up to 4 odd characters: no two are stored alike."""
    texts = ["".join(one) for length in range(5) for one in itertools.product(ODD[:12], repeat=length)]
    stored = [plain(text) for text in texts]
    assert [original(one) for one in stored] == texts
    assert len(set(stored)) == len(texts)


def test_usual_texts_are_stored_as_they_are() -> None:
    """What every parser takes is not changed."""
    for text in ("", "OK", "a\\b", 'say "so"', "20 µA", "C:\\temp\\x", "a␊b", "中文"):
        assert plain(text) == text
    assert plain("a\nb") == "␦a␊b"


def test_every_short_name_comes_back() -> None:
    """All names of up to 4 odd characters, as tags: no two alike, no backslash before what a tag escapes."""
    texts = ["".join(one) for length in range(1, 5) for one in itertools.product(ODD_NAMES, repeat=length)]
    values = [tag_value(name) for name in texts]
    assert [channel_of_tag(value) for value in values] == texts
    assert len(set(values)) == len(texts)
    assert not any(re.search(r"\\(?:[,= ]|\Z)", value) for value in values)
    assert [channel_of_line(b"sample,pv=" + escape_tag(name) + b" value=1.0 1") for name in texts] == texts


def test_names_of_archives_of_before() -> None:
    """A blank behind a backslash at the end, and a backslash before a comma, are read as they were meant."""
    assert channel_of_tag("end\\ ") == "end\\"
    assert channel_of_tag("x\\,y") == "x\\,y"


@given(st.lists(points(names()), max_size=10), st.lists(alarms(names()), max_size=3), st.text(st.sampled_from(ODD), max_size=6))
def test_no_line_can_be_misread(given_points: list[Point], states: list[Alarm], text: str) -> None:
    """Samples, alarms, metadata, events and audit: one line each for every parser, whatever names and texts there are."""
    events = [ChannelEvent("E\\", 5, Reason.REJECTED, text=text)]
    metas = [ChannelMeta("M", 6, dbr=3, count=1, host=text, units=text, labels=(text, "b"))]
    made = make_batch(given_points, events, metas, alarms=states)
    audit = (AuditRecord(time_ns=7, pv="P", user=text, host=text, peer=text, old=text, new=text, outcome=text),)
    batch = Batch(made.samples, made.blobs, made.names, made.counts, made.events, made.metas, made.alarms, audit)
    check_lines(LineEncoder("x").lines(batch), len(given_points) + len(states) + 3)


@pytest.mark.parametrize("size", [65_530, 65_532, 65_533, 70_000, 200_000])
def test_long_texts_of_backslashes(size: int) -> None:
    """No piece of a long text ends with a backslash."""
    body = LineEncoder("x").lines(make_batch([Point("A", 1, blob=b"\\" * size + b"\n", kind=Kind.TEXT)]))
    check_lines(body, 1)


@pytest.mark.parametrize("value", [1.5, float("nan")])
def test_times_before_1970(value: float) -> None:
    """A negative time is unusable: the sample is stored soon after 0, restamped, with the stamp that it had."""
    made = make_batch([Point("A", -5, value), Point("A", -1, 2.0), Point("A", 7, 3.0)])
    body = LineEncoder("x").lines(made)
    check_lines(body, 3)
    lines = body.splitlines()
    assert [line.split()[-1] for line in lines] == [b"0", b"1", b"7"]
    assert b"src_time=-5i" in lines[0]
    assert b"flags=%di" % SampleFlag.RESTAMPED in lines[0]
    assert made.samples["time"].tolist() == [-5, -1, 7]
    check_lines(LineEncoder("x").lines(make_batch([], [ChannelEvent("A", -3, Reason.REJECTED)], alarms=[Alarm("A", -4, 1, 1)])), 2)
