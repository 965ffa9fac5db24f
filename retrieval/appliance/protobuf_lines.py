"""Lines of the raw format: protobuf messages, one a line (`docs/reference/contract/appliance.proto`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import decode_text
from archioc.retrieval.appliance.escaping import STRIPPED, UNCHANGED, escape, varint
from archioc.retrieval.appliance.payload import PayloadType

FIXED = {
    PayloadType.SCALAR_DOUBLE: (b"\x19", "<f8"),
    PayloadType.SCALAR_FLOAT: (b"\x1d", "<f4"),
    PayloadType.SCALAR_INT: (b"\x1d", "<i4"),
    PayloadType.SCALAR_BYTE: (b"\x1a\x01", "|u1"),
}
"""Types whose scalars have a fixed number of bytes: what stands before them, and their numpy type."""

ZIGZAG = frozenset((PayloadType.SCALAR_SHORT, PayloadType.SCALAR_ENUM))
"""Types whose scalars are zigzag varints."""

ZIGZAG_TAG = b"\x18"
"""What stands before them."""

_FIELD_VALUES = 0x3A


def header_line(kind: PayloadType, channel: str, year: int, elements: int, headers: Mapping[str, str]) -> bytes:
    """The line (PayloadInfo) with which a chunk begins."""
    message = b"\x08" + varint(kind) + _bytes_field(0x12, channel.encode()) + b"\x18" + varint(year) + b"\x20" + varint(elements)
    return escape(message + b"".join(_bytes_field(0x7A, _field_value(name, value)) for name, value in headers.items())) + b"\n"


def sample_line(second: int, nano: int, value: bytes, severity: int, status: int, fields: Mapping[str, str]) -> bytes:
    """The line of one sample. value: its field, from `value_field`; fields: what is told beside the value."""
    message = b"\x08" + varint(second) + b"\x10" + varint(nano) + value
    if severity:
        message += b"\x20" + varint(severity)
    if status:
        message += b"\x28" + varint(status)
    message += b"".join(_bytes_field(_FIELD_VALUES, _field_value(name, text)) for name, text in fields.items())
    return escape(message + UNCHANGED if message[-1] in STRIPPED else message) + b"\n"


def value_field(kind: PayloadType, value: float | bytes | npt.NDArray[np.generic]) -> bytes:
    """The field `val` of one sample: of a number, a text in UTF-8, or the elements of an array (of the type's own numpy type)."""
    if isinstance(value, bytes):
        return _bytes_field(0x1A, value)
    if isinstance(value, np.ndarray):
        if kind is PayloadType.WAVEFORM_STRING:
            return b"".join(_bytes_field(0x1A, decode_text(bytes(element)).encode()) for element in value.tolist())
        packed = _packed_zigzag(value) if kind in {PayloadType.WAVEFORM_SHORT, PayloadType.WAVEFORM_ENUM} else value.tobytes()
        return _bytes_field(0x1A, packed) if packed or kind is PayloadType.WAVEFORM_BYTE else b""
    if kind in ZIGZAG:
        return ZIGZAG_TAG + varint(_zigzag(int(value)))
    tag, dtype = FIXED[kind]
    return tag + np.array(value, dtype).tobytes()


def _packed_zigzag(elements: npt.NDArray[np.generic]) -> bytes:
    """Elements of two bytes, each in at most three."""
    whole = elements.astype(np.int64)
    rest = ((whole << 1) ^ (whole >> 63))[:, np.newaxis] >> np.array([0, 7, 14])
    there = rest > 0
    there[:, 0] = True
    found: npt.NDArray[np.uint8] = (rest & 0x7F | (rest > 0x7F) << 7).astype(np.uint8)[there]
    return found.tobytes()


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _field_value(name: str, value: str) -> bytes:
    return _bytes_field(0x0A, name.encode()) + _bytes_field(0x12, value.encode())


def _bytes_field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content
