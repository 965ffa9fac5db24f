"""Line protocol, checked with a parser of its own that follows the rules of InfluxDB's documentation."""

from __future__ import annotations

import base64
import gzip
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.config.store import InfluxStore, Store
from archioc.core.dbr import ELEMENT_DTYPE, Dbr, Status
from archioc.core.errors import ChannelNameError
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind, SampleFlag, decode_exactly
from archioc.core.spool.encoding import encoder_for
from archioc.core.spool.encoding.escaping import channel_of_tag, escape_tag, split_lines
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.encoding.pieces import SIZE_TOLD_FROM, join_bytes, piece_names
from archioc.core.spool.encoding.plain_text import original, plain
from tests.archives.batches import T0, Alarm, Point, alarms, make_batch, names, points

Value = float | int | str
Line = tuple[str, dict[str, str], dict[str, Value], int]


def parse(body: bytes) -> list[Line]:
    """Line protocol as a list of measurement, tags, fields, time."""
    text, at, lines = body.decode(), 0, []
    while at < len(text):
        measurement, at = _word(text, at, ", ")
        tags: dict[str, str] = {}
        while text[at] == ",":
            key, at = _word(text, at + 1, "=")
            tags[key], at = _word(text, at + 1, ", ")
        fields: dict[str, Value] = {}
        while text[at] in ", ":
            key, at = _word(text, at + 1, "=")
            fields[key], at = _field(text, at + 1)
            if text[at] == " ":
                break
        end = text.index("\n", at)
        lines.append((measurement, tags, fields, int(text[at + 1 : end])))
        at = end + 1
    return lines


def _word(text: str, at: int, stops: str) -> tuple[str, int]:
    found = ""
    while text[at] not in stops:
        if text[at] == "\\" and text[at + 1] in ",= ":
            at += 1
        found += text[at]
        at += 1
    return found, at


def _field(text: str, at: int) -> tuple[Value, int]:
    if text[at] != '"':
        end = min(place for place in (text.find(",", at), text.find(" ", at)) if place >= 0)
        word = text[at:end]
        return (int(word[:-1]) if word.endswith("i") else float(word)), end
    found, at = "", at + 1
    while text[at] != '"':
        if text[at] == "\\" and text[at + 1] in '"\\':
            at += 1
        found += text[at]
        at += 1
    return found, at + 1


def lines_of(points_: list[Point]) -> list[Line]:
    return parse(LineEncoder("x").lines(make_batch(points_)))


def expected(point: Point) -> tuple[str, dict[str, Value]]:
    fields: dict[str, Value] = {}
    flags = point.flags
    if point.kind is Kind.TEXT:
        fields["text"], flag = decode_exactly(point.blob or b"")
        flags |= flag
    elif point.kind is Kind.ARRAY and flags & SampleFlag.STATISTICS:
        fields["n"] = ArrayStatistics.unpack(point.blob or b"").n
    elif point.kind is Kind.ARRAY:
        elements = np.frombuffer(point.blob or b"", ELEMENT_DTYPE[point.dbr])
        fields |= {"data": base64.b64encode(elements.tobytes()).decode(), "dtype": elements.dtype.str, "n": len(elements)}
        fields["size"] = elements.nbytes
    elif math.isfinite(point.value):
        fields["value"] = point.value
    else:
        fields["non_finite"] = 1 if math.isnan(point.value) else 2 if point.value > 0 else 3
    if point.kind is Kind.ENUM and point.blob is not None:
        fields["label"], flag = decode_exactly(point.blob)
        flags |= flag
    fields |= {"severity": point.severity} if point.severity else {}
    fields |= {"status": point.status} if point.status else {}
    fields |= {"flags": flags} if flags else {}
    fields |= {"src_time": point.src_time} if point.flags & (SampleFlag.GENERATED | SampleFlag.RESTAMPED) else {}
    return ("array" if point.kind is Kind.ARRAY else "sample"), fields


@given(st.lists(points(names()), max_size=20))
def test_every_sample_can_be_read_back(given_points: list[Point]) -> None:
    """Any sample of any channel is one line that reads back as the same sample, floats bit for bit, sorted by row."""
    found = lines_of(given_points)
    row_of = {name: row for row, name in enumerate(dict.fromkeys(point.channel for point in given_points))}
    wanted = sorted(given_points, key=lambda point: row_of[point.channel])
    assert len(found) == len(wanted)
    for (measurement, tags, fields, time_ns), point in zip(found, wanted, strict=True):
        statistics = {name: fields.pop(name) for name in ("min", "max", "mean", "std") if name in fields}
        texts = {name: original(value) for name, value in fields.items() if isinstance(value, str)}
        assert (measurement, fields | texts) == expected(point)
        assert channel_of_tag(tags.pop("pv")) == point.channel
        assert not tags
        assert time_ns == point.time_ns
        assert all(isinstance(number, float) and math.isfinite(number) for number in statistics.values())
        if "value" in fields:
            assert repr(fields["value"]) == repr(point.value)


@given(st.lists(points(names()), min_size=1, max_size=10))
def test_a_body_splits_into_its_lines(given_points: list[Point]) -> None:
    """Splitting a body gives one line for each sample, also when a text holds newlines and quotes."""
    body = LineEncoder("x").lines(make_batch(given_points))
    found = split_lines(body)
    assert len(found) == len(given_points)
    assert b"\n".join(found) + b"\n" == body


@given(st.lists(points(names()), max_size=5), st.lists(alarms(names()), min_size=1, max_size=10))
def test_alarm_states_follow_the_samples(given_points: list[Point], states: list[Alarm]) -> None:
    """Each alarm state is a line behind the samples, its severity and status written also when they are 0."""
    found = parse(LineEncoder("x").lines(make_batch(given_points, alarms=states)))[len(given_points) :]
    assert [(line[0], channel_of_tag(line[1]["pv"]), line[3]) for line in found] == [("alarm", one.channel, one.time_ns) for one in states]
    assert [line[2] for line in found] == [
        {"severity": one.severity, "status": one.status, "status_text": Status(one.status).name} for one in states
    ]


def test_an_array_that_is_too_large_has_statistics_only() -> None:
    """In place of the elements stand their number and statistics; what is not finite is left out."""
    blob = ArrayStatistics(1_000_000, -1.0, math.inf, math.nan, 0.5).pack()
    found = lines_of([Point("A", 1, blob=blob, kind=Kind.ARRAY, flags=SampleFlag.STATISTICS, severity=1)])
    assert found == [("array", {"pv": "A"}, {"n": 1_000_000, "min": -1.0, "std": 0.5, "flags": 4, "severity": 1}, 1)]


def test_an_element_that_is_a_signalling_nan() -> None:
    """An array with a NaN of the signalling kind is encoded like one with any other NaN, without a warning."""
    ((_, _, fields, _),) = lines_of([Point("A", 1, blob=b"\x00\x00\x81\x7f", kind=Kind.ARRAY, dbr=Dbr.FLOAT)])
    assert (fields["n"], "mean" in fields) == (1, False)


def test_statistics_have_one_size() -> None:
    """A blob that is no statistics is refused."""
    with pytest.raises(ValueError, match="statistics of an array are 40 bytes, these are 8"):
        ArrayStatistics.unpack(b"8 bytes!")


@pytest.mark.parametrize("size", [0, 1, SIZE_TOLD_FROM, 49_149, 49_150, 65_532, 65_533, 200_000])
def test_long_strings_come_in_pieces(size: int) -> None:
    """No string field is longer than 65 532 bytes; the pieces joined are the whole, texts and arrays, and `size` tells of long ones."""
    array = np.arange(size, dtype=np.uint8)
    text = ("é中a" * (size // 6 + 1)).encode()[:size].decode(errors="ignore")
    points_ = [
        Point("A", 1, blob=array.tobytes(), kind=Kind.ARRAY, dbr=Dbr.CHAR),
        Point("A", 2, blob=text.encode(), kind=Kind.TEXT),
    ]
    (_, _, data, _), (_, _, texts, _) = lines_of(points_)
    for fields, name in ((data, "data"), (texts, "text")):
        pieces = {key: str(piece) for key, piece in fields.items() if key == name or key.startswith(f"{name}_")}
        assert max(len(piece.encode()) for piece in pieces.values()) <= 65_532
        assert list(pieces) == piece_names(name, size)[: len(pieces)]
    assert join_bytes([str(data[name]) for name in piece_names("data", size)]) == array.tobytes()
    assert "".join(str(texts.get(name, "")) for name in piece_names("text", size)) == text
    assert data["size"] == size
    assert texts.get("size") == (len(text.encode()) if len(text.encode()) >= SIZE_TOLD_FROM else None)


@pytest.mark.parametrize("value", [5.0, -0.0, 1e22, 5e-324, 2.0**53])
def test_a_number_is_written_as_a_float(value: float) -> None:
    """A whole number keeps a point or an exponent, so that InfluxDB never makes an integer field of it, and no bit of it is lost."""
    plain = LineEncoder("x").lines(make_batch([Point("A", 7, value)]))
    flagged = LineEncoder("x").lines(make_batch([Point("A", 7, value, flags=1, src_time=3)]))
    assert plain.endswith(b" 7\n")
    assert flagged.endswith(b",src_time=3i,flags=1i 7\n")
    for line in (plain, flagged):
        text = line.removeprefix(b"sample,pv=A value=").removesuffix(b" 7\n").removesuffix(b",src_time=3i,flags=1i")
        assert re.fullmatch(rb"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", text)
        assert not text.removeprefix(b"-").isdigit()
        assert float(text).hex() == value.hex()


def test_alarms_are_written_only_where_there_are_any() -> None:
    """Severity and status appear as integers when they are not 0."""
    found = LineEncoder("x").lines(
        make_batch([Point("A", 1, 1.0), Point("A", 2, 1.0, severity=2, status=3), Point("A", 3, 1.0, status=17)])
    )
    assert found == b"sample,pv=A value=1.0 1\nsample,pv=A value=1.0,severity=2i,status=3i 2\nsample,pv=A value=1.0,status=17i 3\n"


def test_an_empty_text_is_stored_as_text() -> None:
    """A text sample without a blob has the field text, empty."""
    assert LineEncoder("x").lines(make_batch([Point("A", 1, kind=Kind.TEXT)])) == b'sample,pv=A text="" 1\n'


def test_statistics_of_an_array() -> None:
    """Minimum, maximum, mean and standard deviation are those of the finite elements, and left out where there are none."""
    good = np.array([1.0, 2.0, 6.0])
    arrays = [good, np.array([1.0, np.inf, 2.0, 6.0, np.nan]), np.array([-np.inf])]
    found = lines_of([Point("A", at, blob=elements.tobytes(), kind=Kind.ARRAY) for at, elements in enumerate(arrays)])
    statistics = [{name: fields[name] for name in ("min", "max", "mean", "std") if name in fields} for _, _, fields, *_ in found]
    assert statistics == [*[{"min": 1.0, "max": 6.0, "mean": 3.0, "std": good.std()}] * 2, {}]


def test_metadata_and_events() -> None:
    """Metadata and events are lines with all that they tell; absent limits and open ends are left out."""
    meta = ChannelMeta(
        "A B", 5, dbr=3, count=1, host="h:1", units="m,m", precision=2, labels=("on", 'o"ff'), display_low=1.0, alarm_low=math.nan
    )
    events = [ChannelEvent("A", 6, Reason.DISCONNECTED, text="x\\"), ChannelEvent("A", 6, Reason.DISCONNECTED, end_ns=T0, count=3)]
    found = parse(LineEncoder("x").lines(make_batch([], events, [meta])))
    assert found[0] == (
        "meta",
        {"pv": "A B"},
        {"dbr": 3, "count": 1, "host": "h:1", "units": "m,m", "labels": '["on","o\\"ff"]', "precision": 2, "display_low": 1.0},
        5,
    )
    tags = {"archiver": "main", "code": "1", "pv": "A"}
    assert found[1] == ("event", tags, {"reason": "disconnected", "count": 0, "text": plain("x\\")}, 6)
    assert found[2] == ("event", tags, {"reason": "disconnected", "count": 3, "text": "", "end_ns": T0}, 6)


def test_the_payload_is_gzip() -> None:
    """What goes into the spool is the gzipped body, for the configured destination."""
    encoder = encoder_for(Store(influxdb=InfluxStore(url="http://h:8086", bucket="epics")))
    batch = make_batch([Point("A", 1, 2.0)])
    assert gzip.decompress(encoder.encode(batch)) == b"sample,pv=A value=2.0 1\n"
    assert encoder.destination == "influxdb:http://h:8086/epics"
    assert gzip.decompress(encoder.encode(make_batch([]))) == b""


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_a_name_that_no_tag_can_carry(name: str) -> None:
    """A name that would break the line is refused."""
    with pytest.raises(ChannelNameError):
        escape_tag(name)
