"""Samples in the raw format: protobuf messages, one a line, whole columns at a time.

The messages are in `docs/reference/contract/appliance.proto`. In a line the bytes 1B, 0A and 0D are escaped as 1B 01, 1B 02 and
1B 03.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from archioc.core.batch import decode_text
from retrieval.appliance.payload import PayloadType

Bytes = npt.NDArray[np.uint8]
Column = tuple[Bytes, npt.NDArray[np.bool_] | None]
"""Bytes of one field of all samples, shape (samples, width), and which of them are there; None: all."""

_SECONDS, _NANO, _SEVERITY, _STATUS, _FIELD_VALUES = 0x08, 0x10, 0x20, 0x28, 0x3A
_UNCHANGED = b"\x40\x00"
"""`fieldactualchange` false, which says nothing."""

_STRIPPED = b"\t\x0b\x0c "
"""Some clients strip white space from a line before they look at it: a sample must not end with any of these."""

_IS_SPECIAL = np.zeros(256, bool)
_IS_SPECIAL[[0x1B, 0x0A, 0x0D]] = True
_IS_STRIPPED = np.zeros(256, bool)
_IS_STRIPPED[list(_STRIPPED)] = True
_ZIGZAG = {PayloadType.SCALAR_SHORT, PayloadType.SCALAR_ENUM}
_FIXED = {PayloadType.SCALAR_DOUBLE: (0x19, "<f8"), PayloadType.SCALAR_FLOAT: (0x1D, "<f4"), PayloadType.SCALAR_INT: (0x1D, "<i4")}


def escape(message: bytes) -> bytes:
    """A message as it stands in a line."""
    return message.replace(b"\x1b", b"\x1b\x01").replace(b"\n", b"\x1b\x02").replace(b"\r", b"\x1b\x03")


def varint(number: int) -> bytes:
    """A number that is not negative, seven bits a byte."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def header_line(kind: PayloadType, channel: str, year: int, elements: int, headers: Mapping[str, str]) -> bytes:
    """The line (PayloadInfo) with which a chunk begins."""
    message = b"\x08" + varint(kind) + _bytes_field(0x12, channel.encode()) + b"\x18" + varint(year) + b"\x20" + varint(elements)
    return escape(message + b"".join(_bytes_field(0x7A, _field_value(name, value)) for name, value in headers.items())) + b"\n"


def number_lines(
    kind: PayloadType,
    second: npt.NDArray[np.int64],
    nano: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    severity: Bytes,
    status: Bytes,
) -> bytes:
    """Lines of scalar numbers that the type can carry (`payload.fits`). second: of the year. All have one length."""
    n = len(second)
    columns = [
        _constant(n, _SECONDS),
        _varints(second, 4),
        _constant(n, _NANO),
        _varints(nano, 5),
        *_values(kind, values),
        *_unless_zero(_SEVERITY, severity),
        *_unless_zero(_STATUS, status),
    ]
    return _lines(columns)


def sample_line(second: int, nano: int, value: bytes, severity: int, status: int, fields: Mapping[str, str]) -> bytes:
    """The line of one sample. value: its field, from `value_field`; fields: what is told beside the value."""
    message = b"\x08" + varint(second) + b"\x10" + varint(nano) + value
    if severity:
        message += b"\x20" + varint(severity)
    if status:
        message += b"\x28" + varint(status)
    message += b"".join(_bytes_field(_FIELD_VALUES, _field_value(name, text)) for name, text in fields.items())
    return escape(message + _UNCHANGED if message[-1] in _STRIPPED else message) + b"\n"


def value_field(kind: PayloadType, value: float | bytes | npt.NDArray[np.generic]) -> bytes:
    """The field `val` of one sample: of a number, a text in UTF-8, or the elements of an array (of the type's own numpy type)."""
    if isinstance(value, bytes):
        return _bytes_field(0x1A, value)
    if isinstance(value, np.ndarray):
        if kind is PayloadType.WAVEFORM_STRING:
            return b"".join(_bytes_field(0x1A, decode_text(bytes(element)).encode()) for element in value.tolist())
        packed = _packed_zigzag(value) if kind in {PayloadType.WAVEFORM_SHORT, PayloadType.WAVEFORM_ENUM} else value.tobytes()
        return _bytes_field(0x1A, packed) if packed or kind is PayloadType.WAVEFORM_BYTE else b""
    if kind in _ZIGZAG:
        return b"\x18" + varint(_zigzag(int(value)))
    if kind is PayloadType.SCALAR_BYTE:
        return b"\x1a\x01" + bytes([int(value)])
    tag, dtype = _FIXED[kind]
    return bytes([tag]) + np.array(value, dtype).tobytes()


def _values(kind: PayloadType, values: npt.NDArray[np.float64]) -> list[Column]:
    n = len(values)
    if kind in _ZIGZAG:
        whole = values.astype(np.int64)
        return [_constant(n, 0x18), _varints((whole << 1) ^ (whole >> 63), 3)]
    if kind is PayloadType.SCALAR_BYTE:
        return [_constant(n, 0x1A, 0x01), (values.astype(np.uint8).reshape(n, 1), None)]
    tag, dtype = _FIXED[kind]
    raw = np.ascontiguousarray(values.astype(dtype))
    return [_constant(n, tag), (raw.view(np.uint8).reshape(n, raw.itemsize), None)]


def _constant(n: int, *cells: int) -> Column:
    return np.broadcast_to(np.array(cells, np.uint8), (n, len(cells))), None


def _varints(numbers: npt.NDArray[np.int64], width: int) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Numbers that are not negative, in at most so many bytes each."""
    rest = numbers.astype(np.uint32)
    cells, there = np.empty((len(rest), width), np.uint8), np.empty((len(rest), width), bool)
    for at in range(width):
        there[:, at] = True if at == 0 else rest != 0
        cells[:, at] = (rest & 0x7F) | ((rest > 0x7F).astype(np.uint32) << 7)
        rest >>= np.uint32(7)
    return cells, there


def _unless_zero(tag: int, codes: Bytes) -> list[Column]:
    """Severity or status: codes below 128, left out where they are 0."""
    if not codes.any():
        return []
    there = np.repeat((codes != 0)[:, np.newaxis], 2, axis=1)
    return [(np.stack([np.full_like(codes, tag), codes], axis=1), there)]


def _lines(columns: list[Column]) -> bytes:
    """The messages that the columns make, escaped, each with its newline."""
    n, width = len(columns[0][0]), sum(cells.shape[1] for cells, _ in columns)
    cells, there = np.empty((n, width + len(_UNCHANGED)), np.uint8), np.ones((n, width + len(_UNCHANGED)), bool)
    at = 0
    for part, present in columns:
        end = at + part.shape[1]
        cells[:, at:end] = part
        if present is not None:
            there[:, at:end] = present
        at = end
    last = cells[np.arange(n), width - 1 - np.argmax(there[:, width - 1 :: -1], axis=1)]
    cells[:, width:] = np.frombuffer(_UNCHANGED, np.uint8)
    there[:, width:] = _IS_STRIPPED[last][:, np.newaxis]
    message = cells[there]
    lengths = np.add.reduce(there, axis=1, dtype=np.int64)
    special = np.searchsorted(np.cumsum(lengths), np.flatnonzero(_IS_SPECIAL[message]), side="right")
    ends = np.cumsum(lengths + 1 + np.bincount(special, minlength=len(cells))) - 1
    escaped = np.frombuffer(escape(message.tobytes()), np.uint8)
    text = np.ones(len(escaped) + len(cells), bool)
    text[ends] = False
    found = np.empty(len(text), np.uint8)
    found[text] = escaped
    found[ends] = 0x0A
    return found.tobytes()


def _packed_zigzag(elements: npt.NDArray[np.generic]) -> bytes:
    whole = elements.astype(np.int64)
    cells, there = _varints((whole << 1) ^ (whole >> 63), 3)
    return cells[there].tobytes()


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _field_value(name: str, value: str) -> bytes:
    return _bytes_field(0x0A, name.encode()) + _bytes_field(0x12, value.encode())


def _bytes_field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content
