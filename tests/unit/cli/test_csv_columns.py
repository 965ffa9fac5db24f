from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from archioc.cli.output.channel_result import ChannelResult
from archioc.cli.output.csv_columns import CSV_HEADER
from archioc.cli.output.sample_text import flag_words, label_of, plain_value
from archioc.cli.output.sample_writers import CsvWriter
from archioc.core.array_statistics import ArrayStatistics
from archioc.core.timestamp import format_utc
from archioc.db.sample_columns import Array, SampleColumns

_TEXTS = st.one_of(st.text(max_size=5), st.text('",\n; xµ', max_size=5)).filter(lambda text: "\r" not in text)
_TIMES = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(1_700_000_000 * 10**9, 1_700_000_002 * 10**9))
_NUMBERS = st.one_of(
    st.floats(),
    st.floats(-1e-3, 1e-3),
    st.floats(1e15, 1e17),
    st.integers(-(2**54), 2**54).map(float),
    st.sampled_from([-0.0, 1e-4, 9.999999999999999e-05, 1e-5, 2.0**53, 2.0**53 - 1, 1e16, 9999999999999998.0, 5e-324, 1.7e308]),
)
_ARRAYS = st.one_of(
    st.lists(st.floats(), max_size=4).map(lambda elements: np.array(elements, "<f8")),
    st.lists(st.binary(max_size=6), max_size=3).map(lambda elements: np.array(elements, "S40")),
)
_STATISTICS = st.builds(ArrayStatistics, st.integers(0, 2**40), st.floats(), st.floats(), st.floats(), st.floats())
_BYTE = st.integers(0, 255)
_FLAGS = st.integers(0, 31)

Value = tuple[float, str | None, Array | None, ArrayStatistics | None]
Sample = tuple[int, Value, int, int, int, int]
"""Time, value, severity, status, flags, the IOC's stamp."""

_VALUES: st.SearchStrategy[Value] = st.one_of(
    st.tuples(_NUMBERS, st.none(), st.none(), st.none()),
    st.tuples(st.integers(0, 15).map(float), _TEXTS, st.none(), st.none()),
    st.tuples(st.just(math.nan), _TEXTS, st.none(), st.none()),
    st.tuples(st.just(math.nan), st.none(), _ARRAYS, st.none()),
    st.tuples(st.just(math.nan), st.none(), st.none(), _STATISTICS),
)
_SAMPLES = st.lists(st.tuples(_TIMES, _VALUES, _BYTE, _BYTE, _FLAGS, st.one_of(st.just(0), _TIMES)), max_size=12)


def _columns(samples: Sequence[Sample]) -> SampleColumns:
    values = [value for _, value, *_ in samples]
    return SampleColumns(
        np.array([time for time, *_ in samples], np.int64),
        np.array([number for number, *_ in values], np.float64),
        np.array([severity for _, _, severity, *_ in samples], np.uint8),
        np.array([status for *_, status, _, _ in samples], np.uint8),
        np.array([flags for *_, flags, _ in samples], np.uint8),
        np.array([source for *_, source in samples], np.int64),
        [text for _, text, *_ in values],
        [array for *_, array, _ in values],
        [reduced for *_, reduced in values],
    )


def _one_line_at_a_time(channel: str, chunk: SampleColumns) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for at, stamp in enumerate(chunk.time.tolist()):
        value = plain_value(chunk, at)
        text = orjson.dumps(value).decode() if isinstance(value, list | dict) else value
        alarm = int(chunk.severity[at]), int(chunk.status[at])
        words, source = flag_words(int(chunk.flags[at])), int(chunk.src_time[at]) or ""
        writer.writerow((channel, format_utc(stamp), stamp, text, label_of(chunk, at), *alarm, words, source))
    return out.getvalue()


def _written(channel: str, chunk: SampleColumns) -> str:
    out = io.StringIO()
    CsvWriter(out).write(ChannelResult(channel, 0, iter([chunk])))
    return out.getvalue()


@given(st.text('SR:x.{},"', min_size=1, max_size=8), _SAMPLES)
def test_lines_are_those_of_one_sample_at_a_time(channel: str, samples: list[Sample]) -> None:
    """Whole columns give the same bytes as a `csv.writer` that gets one sample after the other."""
    chunk = _columns(samples)
    assert _written(channel, chunk) == _one_line_at_a_time(channel, chunk)


@given(_NUMBERS)
def test_a_number_reads_back_as_the_same(number: float) -> None:
    """What stands under `value` is the very number."""
    [line] = csv.DictReader(io.StringIO(_written("A", _columns([(1, (number, None, None, None), 0, 0, 0, 0)]))))
    assert np.array(float(line["value"])).tobytes() == np.array(number).tobytes() or math.isnan(number)


@given(st.text(max_size=8), st.booleans())
def test_a_text_reads_back_as_the_same(text: str, is_label: bool) -> None:
    """Texts and labels come back from a reader of CSV, also with quotes, commas and ends of lines of any kind."""
    written = _written("A", _columns([(1, (2.0 if is_label else math.nan, text, None, None), 0, 0, 0, 0)]))
    [line] = csv.DictReader(io.StringIO(written, newline=""))
    assert line["label" if is_label else "value"] == text
