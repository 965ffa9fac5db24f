"""The raw format of the Archiver Appliance, read as its description says; nothing here knows how the server writes it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

(
    STRING, SHORT, FLOAT, ENUM, BYTE, INT, DOUBLE,
    STRINGS, SHORTS, FLOATS, ENUMS, BYTES, INTS, DOUBLES,
) = range(14)  # fmt: skip

Value = float | int | str | list[float] | list[int] | list[str]
Raw = int | bytes


@dataclass(frozen=True, slots=True)
class DecodedSample:
    """One sample. time_ns: ns since 1970."""

    time_ns: int
    value: Value
    severity: int
    status: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class DecodedChunk:
    """A header line and the samples under it."""

    kind: int
    channel: str
    year: int
    elements: int
    headers: dict[str, str]
    samples: list[DecodedSample] = field(default_factory=list)


def decode(body: bytes) -> list[DecodedChunk]:
    """All chunks of an answer. Raises AssertionError where a rule of the format is broken."""
    assert body.endswith(b"\n"), "the last line has an end"
    lines = body[:-1].split(b"\n")
    chunks: list[DecodedChunk] = []
    header_next = True
    for at, line in enumerate(lines):
        assert len(line) <= 16 << 20, "a line is at most 16 MiB"
        if not line:
            assert not header_next, f"line {at}: an empty line stands only between two chunks"
            header_next = True
        elif header_next:
            chunks.append(_header(unescape(line)))
            header_next = False
        else:
            assert line.strip() == line, f"line {at}: a client that strips it loses bytes"
            chunks[-1].samples.append(_sample(unescape(line), chunks[-1]))
    assert not header_next, "an answer does not end with an empty line"
    return chunks


def unescape(line: bytes) -> bytes:
    """Bytes of a message from its line."""
    found = bytearray()
    rest = iter(line)
    for byte in rest:
        assert byte != 0x0D
        found.append(byte if byte != 0x1B else {1: 0x1B, 2: 0x0A, 3: 0x0D}[next(rest)])
    return bytes(found)


def _header(message: bytes) -> DecodedChunk:
    found = list(_fields(message))
    one = {number: value for number, value in found if number != 15}
    headers = dict(_field_value(_bytes(value)) for number, value in found if number == 15)
    return DecodedChunk(_int(one[1]), _bytes(one[2]).decode(), _int(one[3]), _int(one.get(4, 1)), headers)


def _sample(message: bytes, chunk: DecodedChunk) -> DecodedSample:
    found = list(_fields(message))
    one = {number: value for number, value in found if number not in {3, 7}}
    seconds = int(datetime(chunk.year, 1, 1, tzinfo=UTC).timestamp()) + _int(one[1])
    time_ns = seconds * 10**9 + _int(one[2])
    assert datetime.fromtimestamp(seconds, UTC).year == chunk.year
    values = [value for number, value in found if number == 3]
    fields = dict(_field_value(_bytes(value)) for number, value in found if number == 7)
    return DecodedSample(time_ns, _value(chunk.kind, values), _int(one.get(4, 0)), _int(one.get(5, 0)), fields)


def _value(kind: int, found: list[Raw]) -> Value:
    if kind == STRINGS:
        return [_text(_bytes(one)) for one in found]
    if kind >= STRINGS:
        return _array(kind, _bytes(found[0]) if found else b"")
    (value,) = found
    if kind in {SHORT, ENUM}:
        return _unzigzag(_int(value))
    if kind == STRING:
        return _text(_bytes(value))
    if kind == BYTE:
        (byte,) = _bytes(value)
        return byte
    number: float = struct.unpack({FLOAT: "<f", INT: "<i", DOUBLE: "<d"}[kind], _bytes(value))[0]
    return number


def _array(kind: int, raw: bytes) -> list[float] | list[int]:
    if kind == BYTES:
        return list(raw)
    if kind in {SHORTS, ENUMS}:
        return [_unzigzag(number) for number in _varints(raw)]
    form = {FLOATS: "f", INTS: "i", DOUBLES: "d"}[kind]
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(form)}{form}", raw))


def _fields(message: bytes) -> Iterator[tuple[int, Raw]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        else:
            if wire == 2:
                size, at = _varint(message, at)
            else:
                size = {1: 8, 5: 4}[wire]
            assert at + size <= len(message)
            yield number, message[at : at + size]
            at += size


def _field_value(message: bytes) -> tuple[str, str]:
    found = dict(_fields(message))
    return _bytes(found[1]).decode(), _bytes(found[2]).decode()


def _varints(raw: bytes) -> Iterator[int]:
    at = 0
    while at < len(raw):
        number, at = _varint(raw, at)
        yield number


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def _unzigzag(number: int) -> int:
    return number >> 1 if not number & 1 else -(number >> 1) - 1


def _text(raw: bytes) -> str:
    return raw.decode()


def _int(value: Raw) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: Raw) -> bytes:
    assert isinstance(value, bytes)
    return value
