"""The raw format, written by the server and read by a decoder made from its description."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.retrieval.appliance import numpy_lines, raw_format
from archioc.retrieval.appliance import protobuf_lines as wire
from archioc.retrieval.appliance.payload import PayloadType, fits
from archioc.retrieval.appliance.raw_format import raw_pieces
from archioc.retrieval.appliance.runs import Header, Run
from archioc.retrieval.appliance.series import Series
from tests.processes.tools import missing_tool
from tests.readers.appliance_decoder import DecodedChunk, decode

try:
    from archioc.retrieval.appliance import _compiled_lines, compiled_lines
except ImportError:  # installed where there was no C compiler
    FORMS = {"numpy": numpy_lines.number_lines}
else:
    FORMS = {"compiled": compiled_lines.number_lines, "numpy": numpy_lines.number_lines}

NUMBERS = {
    PayloadType.SCALAR_DOUBLE: st.floats(),
    PayloadType.SCALAR_FLOAT: st.floats(width=32),
    PayloadType.SCALAR_INT: st.integers(-(2**31), 2**31 - 1),
    PayloadType.SCALAR_SHORT: st.integers(-(2**15), 2**15 - 1),
    PayloadType.SCALAR_ENUM: st.integers(0, 2**16 - 1),
    PayloadType.SCALAR_BYTE: st.integers(0, 255),
}
ARRAYS = {
    PayloadType.WAVEFORM_DOUBLE: "<f8",
    PayloadType.WAVEFORM_FLOAT: "<f4",
    PayloadType.WAVEFORM_INT: "<i4",
    PayloadType.WAVEFORM_SHORT: "<i2",
    PayloadType.WAVEFORM_ENUM: "<u2",
    PayloadType.WAVEFORM_BYTE: "|u1",
    PayloadType.WAVEFORM_STRING: "|S40",
}
Lines = Callable[..., bytes]
YEAR_START_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
ODD_TEXTS = st.text(st.sampled_from(list("ab\n\r\x1b\x0b µ中")), max_size=12)
TIMES = st.integers(0, 2**62)
BEFORE_NEW_YEAR = YEAR_START_S * 10**9 - 3


def bits(value: object) -> object:
    """A number bit for bit."""
    if isinstance(value, list):
        return [bits(one) for one in value]
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else struct.pack("<d", value)
    return value


def read(run: Run) -> list[DecodedChunk]:
    return decode(b"".join(raw_pieces([Series("asked", 2020, iter([run]))])))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Samples of any type at any times."""
    times = np.array(sorted(draw(st.sets(TIMES, max_size=12))), np.int64)
    n = len(times)
    kind = draw(st.sampled_from(PayloadType))
    severity = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), np.uint8)
    status = np.array(draw(st.lists(st.integers(0, 21), min_size=n, max_size=n)), np.uint8)
    fields = {at: {draw(ODD_TEXTS): draw(ODD_TEXTS)} for at in range(n) if draw(st.integers(0, 3)) == 0}
    header = Header(draw(ODD_TEXTS), kind, draw(st.integers(1, 10_000)), draw(st.dictionaries(ODD_TEXTS, ODD_TEXTS, max_size=3)))
    if kind in NUMBERS:
        values = np.array(draw(st.lists(NUMBERS[kind], min_size=n, max_size=n)), np.float64)
        return Run(header, times, values, severity, status, fields)
    if kind is PayloadType.SCALAR_STRING:
        return Run(header, times, [one.encode() for one in draw(st.lists(ODD_TEXTS, min_size=n, max_size=n))], severity, status, fields)
    dtype = np.dtype(ARRAYS[kind])
    raw = [draw(st.binary(max_size=40)).ljust(40, b"a")[: dtype.itemsize * draw(st.integers(0, 1))] for _ in range(n)]
    arrays = [np.frombuffer(one, dtype) for one in raw]
    return Run(header, times, arrays, severity, status, fields)


def told(run: Run) -> list[object]:
    """What the decoder must find."""
    if isinstance(run.values, np.ndarray):
        whole = run.header.kind not in {PayloadType.SCALAR_DOUBLE, PayloadType.SCALAR_FLOAT}
        return [int(one) if whole else one for one in run.values.tolist()]
    return [_told(one) for one in run.values]


def _told(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    assert isinstance(value, np.ndarray)
    return [_text(one) if isinstance(one, bytes) else one for one in value.tolist()]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


@given(runs())
def test_round_trip(run: Run) -> None:
    """Any samples are read as they were written, each year under a header of its own, and no line begins or ends with white space."""
    chunks = read(run)
    assert len(chunks) == max(1, len({one.astype("datetime64[Y]") for one in run.time.astype("datetime64[ns]")}))
    for chunk in chunks:
        assert (chunk.kind, chunk.channel, chunk.elements) == (run.header.kind, run.header.channel, run.header.elements)
        assert chunk.headers == run.header.headers
    samples = [sample for chunk in chunks for sample in chunk.samples]
    assert [sample.time_ns for sample in samples] == run.time.tolist()
    assert [bits(sample.value) for sample in samples] == [bits(value) for value in told(run)]
    assert [sample.severity for sample in samples] == run.severity.tolist()
    assert [sample.status for sample in samples] == run.status.tolist()
    assert [sample.fields for sample in samples] == [run.fields.get(at, {}) for at in range(len(run))]


@pytest.fixture(params=["compiled", "numpy"], scope="module", autouse=True)
def number_lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    """Each form of the lines of numbers, which is then also the one that answers are made with."""
    _ask_for_compiler(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_format, "number_lines", FORMS[request.param])
        yield FORMS[request.param]


@given(st.sampled_from(list(NUMBERS)), st.data())
def test_columns_are_written_like_single_samples(number_lines: Lines, kind: PayloadType, data: st.DataObject) -> None:
    """A whole column gives the bytes that its samples give one by one."""
    samples = data.draw(
        st.lists(st.tuples(st.integers(0, 31_622_399), st.integers(0, 10**9 - 1), NUMBERS[kind], st.integers(0, 3), st.integers(0, 21)))
    )
    columns = list(zip(*samples, strict=True)) or [()] * 5
    second, nano = (np.array(column, np.int64) for column in columns[:2])
    severity, status = (np.array(column, np.uint8) for column in columns[3:])
    time = (YEAR_START_S + second) * 10**9 + nano
    run = Run(Header("A", kind), time, np.array(columns[2], np.float64), severity, status)
    one_by_one = [wire.sample_line(s, n, wire.value_field(kind, v), sev, stat, {}) for s, n, v, sev, stat in samples]
    assert number_lines(run, YEAR_START_S) == b"".join(one_by_one)


@pytest.mark.parametrize(
    ("kind", "second", "value", "severity", "status", "line"),
    [
        (PayloadType.SCALAR_SHORT, 1, -3, 0, 0, "080110001805"),
        (PayloadType.SCALAR_BYTE, 1, 5, 0, 0, "080110001a0105"),
        (PayloadType.SCALAR_INT, 1, -7, 0, 0, "080110001df9ffffff"),
        (PayloadType.SCALAR_DOUBLE, 1, 1.5, 3, 17, "0801100019000000000000f83f20032811"),
        (PayloadType.SCALAR_ENUM, 1, 6, 0, 0, "08011000180c4000"),
        (PayloadType.SCALAR_SHORT, 1, 5, 0, 0, "08011000181b02"),
    ],
)
def test_known_lines(number_lines: Lines, kind: PayloadType, second: int, value: float, severity: int, status: int, line: str) -> None:
    """Lines are, byte for byte, those that the description of the format gives; one that would end with white space has a field more."""
    columns = np.array([second * 10**9]), np.array([value], np.float64), np.array([severity], "u1"), np.array([status], "u1")
    assert number_lines(Run(Header("A", kind), *columns), 0).hex() == f"{line}0a"


@pytest.mark.parametrize("wrong", [{"values": 1}, {"severity": 1}, {"status": 3}, {"time": 0}])
def test_columns_of_different_lengths_are_refused(wrong: dict[str, int]) -> None:
    """The compiled form says so where columns are not of one length, and reads beyond the end of none."""
    _ask_for_compiler("compiled")
    columns: dict[str, Any] = {"time": np.zeros(2, "i8"), "values": np.zeros(2), "severity": np.zeros(2, "u1"), "status": np.zeros(2, "u1")}
    columns |= {name: np.resize(columns[name], n) for name, n in wrong.items()}
    with pytest.raises(ValueError, match="columns of one length"):
        compiled_lines.number_lines(Run(Header("A", PayloadType.SCALAR_DOUBLE), **columns), 0)


@pytest.mark.parametrize(("width", "tag"), [(-1, b"\x19"), (9, b"\x19"), (8, b"\x19\x19\x19")])
def test_what_does_not_fit_into_a_line_is_refused(width: int, tag: bytes) -> None:
    """The compiled form keeps room for values of 8 bytes and tags of 2, and takes no more."""
    _ask_for_compiler("compiled")
    codes = np.zeros(8, "u1")
    with pytest.raises(ValueError, match="values of at most 8 bytes, a tag of at most 2"):
        _compiled_lines.lines(np.zeros(8, "i8"), 0, np.zeros(abs(width), "i8"), width, tag, codes, codes)


def _ask_for_compiler(form: str) -> None:
    if form not in FORMS:
        missing_tool("cc", "install a C compiler, then ArchIOC again")


def test_known_header() -> None:
    """A header line is, byte for byte, what the description gives."""
    line = wire.header_line(PayloadType.SCALAR_DOUBLE, "TST:A", 2024, 1, {"EGU": "mA", "PREC": "3"})
    assert line.hex() == "080612055453543a4118e80f20017a091b020345475512026d417a091b0204505245431201330a"


def test_chunks_at_new_year() -> None:
    """Samples on both sides of a new year stand in two chunks with one empty line between; the same type again needs no header."""
    time = BEFORE_NEW_YEAR + np.arange(6)
    none = np.zeros(6, np.uint8)
    run = Run(Header("A", PayloadType.SCALAR_DOUBLE), time, np.arange(6.0), none, none)
    parts = [Series("A", 2020, iter([run.part(0, 2), run.part(2, 6)]))]
    body = b"".join(raw_pieces(parts))
    assert [(chunk.year, len(chunk.samples)) for chunk in decode(body)] == [(2025, 3), (2026, 3)]
    assert body.count(b"\n\n") == 1


@given(st.sampled_from([PayloadType.SCALAR_INT, PayloadType.SCALAR_SHORT, PayloadType.SCALAR_FLOAT]), st.lists(st.floats(), max_size=4))
def test_fits(kind: PayloadType, values: list[float]) -> None:
    """A type carries numbers if and only if they come back from its numpy type."""
    dtype = {PayloadType.SCALAR_INT: np.int32, PayloadType.SCALAR_SHORT: np.int16, PayloadType.SCALAR_FLOAT: np.float32}[kind]
    column = np.array(values, np.float64)
    with np.errstate(all="ignore"):
        back = column.astype(dtype).astype(np.float64)
    assert fits(kind, column) == bool(((back == column) | (np.isnan(back) & np.isnan(column))).all())
