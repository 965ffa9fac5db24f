"""Samples as lines of CSV, whole columns at a time.

One line at a time costs ten times as much, most of it for the time stamp. The text of a second is made once, the other columns are made by
orjson where it writes a number as Python does.
"""

from __future__ import annotations

import re
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt
import orjson

from archioc.cli.output.sample_text import exact, flag_words, plain_value
from archioc.core.timestamp import SECOND
from archioc.db.sample_columns import SampleColumns

CSV_HEADER = ("channel", "time", "time_ns", "value", "label", "severity", "status", "flags", "src_time_ns")

SHORTEST, LONGEST = 1e-4, 1e16
"""From the one to below the other Python and orjson write a float alike, without an exponent."""

_QUOTED = re.compile(r'[",\r\n]')


def csv_cell(text: str) -> str:
    """A text as a cell: between quotes where RFC 4180 wants them."""
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def csv_lines(channel: str, chunk: SampleColumns) -> str:
    """Samples of a channel as lines with the columns of CSV_HEADER."""
    n = len(chunk)
    if not n:
        return ""
    comma = [b","] * n
    columns = [_seconds(channel, chunk.time), _nanoseconds(chunk.time), _whole(chunk.time), comma]
    columns += [_values(chunk), comma]
    columns += [_labels(chunk)] if chunk.has_texts else []
    columns += [_alarms_and_flags(chunk)]
    columns += [_sources(chunk.src_time)] if chunk.src_time.any() else []
    columns += [[b"\n"] * n]
    return b"".join(chain.from_iterable(zip(*columns, strict=True))).decode()


def _seconds(channel: str, time: npt.NDArray[np.int64]) -> list[bytes]:
    """Channel, and the time up to the point of the second."""
    second = time // SECOND
    first = np.flatnonzero(np.append(True, second[1:] != second[:-1]))
    name = csv_cell(channel)
    heads = [f"{name},{text}.".encode() for text in np.datetime_as_string(second[first].astype("M8[s]")).tolist()]
    return list(chain.from_iterable(map(repeat, heads, np.diff(first, append=len(time)).tolist())))


def _nanoseconds(time: npt.NDArray[np.int64]) -> list[bytes]:
    """Nine digits, and what ends the cell."""
    digits = orjson.dumps(time % SECOND + SECOND, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1] + b","
    ten = np.frombuffer(digits, np.uint8).reshape(len(time), 11)[:, 1:]  # a 1 before the digits, a comma behind them
    ended = np.concatenate([ten[:, :9], np.broadcast_to(np.frombuffer(b"Z,", np.uint8), (len(time), 2))], axis=1)
    cells: list[bytes] = ended.view("S11")[:, 0].tolist()
    return cells


def _whole(numbers: npt.NDArray[np.int64]) -> list[bytes]:
    return orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _sources(src_time: npt.NDArray[np.int64]) -> list[bytes]:
    """Empty where it is 0."""
    return [b"" if text == b"0" else text for text in _whole(src_time)]


def _values(chunk: SampleColumns) -> list[bytes]:
    cells = _numbers(np.ascontiguousarray(chunk.value))
    for at in np.flatnonzero(np.isnan(chunk.value)).tolist():
        text = chunk.text[at]
        if chunk.arrays[at] is not None or chunk.reduced[at] is not None:
            cells[at] = csv_cell(orjson.dumps(plain_value(chunk, at)).decode()).encode()
        elif text is not None:
            cells[at] = csv_cell(text).encode()
    return cells


def _numbers(values: npt.NDArray[np.float64]) -> list[bytes]:
    """Each as `exact` has it."""
    size = np.abs(values)
    whole = (size < 2**53) & (values == np.floor(values)) & ~(np.signbit(values) & (values == 0))
    if whole.all():
        return _whole(values.astype(np.int64))
    cells = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    for at in np.flatnonzero(whole).tolist():
        cells[at] = cells[at].removesuffix(b".0")
    exponent = np.flatnonzero(np.isfinite(values) & ~whole & ~((size >= SHORTEST) & (size < LONGEST)))
    for at, value in zip(exponent.tolist(), values[exponent].tolist(), strict=True):
        cells[at] = repr(value).encode()
    for at in np.flatnonzero(~np.isfinite(values)).tolist():
        cells[at] = str(exact(float(values[at]))).encode()
    return cells


def _labels(chunk: SampleColumns) -> list[bytes]:
    cells = [b""] * len(chunk)
    if chunk.has_texts:
        labelled = ~np.isnan(chunk.value)
        for at, (text, is_label) in enumerate(zip(chunk.text, labelled.tolist(), strict=True)):
            if is_label and text:
                cells[at] = csv_cell(text).encode()
    return cells


def _alarms_and_flags(chunk: SampleColumns) -> list[bytes]:
    """Severity, status and flags, with commas around; each combination is made once."""
    codes = chunk.severity.astype(np.uint32) << 16 | chunk.status.astype(np.uint32) << 8 | chunk.flags
    known = {code: f",{code >> 16},{code >> 8 & 0xFF},{flag_words(code & 0xFF)},".encode() for code in np.unique(codes).tolist()}
    return [known[code] for code in codes.tolist()]
