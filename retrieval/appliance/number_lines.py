"""Lines of scalar numbers in the raw format, whole columns at a time.

A line is tags and four pieces: second, nanosecond, value, and what follows it. Pieces are escaped where they are made, each in integers of
64 bits, its first byte in the lowest. All lines of one layout (the lengths of their pieces) are put together at once, and each is copied
to its place in one go; there are some ten layouts, whatever the samples are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.appliance.escaping import ESCAPES, STRIPPED, UNCHANGED, escape, varint
from retrieval.appliance.payload import PayloadType
from retrieval.appliance.wire import FIXED, ZIGZAG

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_SECOND, _NANO, _SEVERITY, _STATUS = 0x08, 0x10, 0x20, 0x28
_ESCAPED_AS = np.zeros(256, np.uint8)
_ESCAPED_AS[list(ESCAPES)] = list(ESCAPES.values())
_IS_STRIPPED = np.zeros(256, bool)
_IS_STRIPPED[list(STRIPPED)] = True
_WORD = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A part of each line. tag: before it; low, high: its bytes, of which the first `length` count; last: the last one unescaped."""

    tag: bytes
    low: Words
    high: Words | None
    length: Bytes
    last: Bytes


def number_lines(
    kind: PayloadType,
    second: npt.NDArray[np.int64],
    nano: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    severity: Bytes,
    status: Bytes,
) -> bytes:
    """Lines of scalar numbers that the type can carry (`payload.fits`). second: of the year. All have one length."""
    value = _value(kind, values)
    return _join([_seconds(second), _varints(bytes([_NANO]), nano), value, _ends(value.last, severity, status)])


def _seconds(second: npt.NDArray[np.int64]) -> _Piece:
    """Of samples in order there are often several in a second: each second is looked at once then."""
    tag, n = bytes([_SECOND]), len(second)
    first, number = (int(second[0]), int(second[-1] - second[0]) + 1) if n else (0, 1)
    if not 0 < number < n or second.min() < first or second.max() >= first + number:
        return _varints(tag, second)
    known, at = _varints(tag, first + np.arange(number)), second - first
    return _Piece(tag, known.low[at], None, known.length[at], known.last[at])


def _value(kind: PayloadType, values: npt.NDArray[np.float64]) -> _Piece:
    if kind in ZIGZAG:
        whole = values.astype(np.int64)
        return _varints(b"\x18", (whole << 1) ^ (whole >> 63))
    tag, dtype = FIXED[kind]
    return _fixed(tag, np.ascontiguousarray(values.astype(dtype)))


def _varints(tag: bytes, numbers: npt.NDArray[np.int64]) -> _Piece:
    """Numbers from 0 to below 2**35, seven bits a byte. Only the last byte can be one that is escaped."""
    rest = numbers.astype(np.uint64)
    word = rest & np.uint64(0x7F)
    extra = np.zeros(len(rest), np.uint8)
    for at in range(1, 5):
        rest = rest >> np.uint64(7)
        if not rest.any():
            break
        more = rest != 0
        extra += more
        word |= more.astype(np.uint64) << np.uint64(8 * at - 1)
        word |= (rest & np.uint64(0x7F)) << np.uint64(8 * at)
    before_last = extra * np.uint8(8)
    last = (word >> before_last).astype(np.uint8)
    length = extra + np.uint8(1)
    code = _ESCAPED_AS[last]
    special = np.flatnonzero(code)
    if len(special):
        shift = before_last[special].astype(np.uint64)
        escaped = np.uint64(0x1B) | code[special].astype(np.uint64) << np.uint64(8)
        word[special] = word[special] & ((np.uint64(1) << shift) - np.uint64(1)) | escaped << shift
        length[special] += np.uint8(1)
    return _Piece(tag, word, None, length, last)


def _fixed(tag: bytes, raw: npt.NDArray[np.generic]) -> _Piece:
    """Numbers of 1, 4 or 8 bytes, any of which may be escaped."""
    n, width = len(raw), raw.itemsize
    word, cells = raw.view(f"<u{width}").astype(np.uint64), raw.view(np.uint8).reshape(n, width)
    length, high = np.full(n, width, np.uint8), None
    special = (cells == 0x1B) | (cells == 0x0A) | (cells == 0x0D)
    at = np.flatnonzero(special.view(f"<u{width}"))
    if len(at):
        pairs = np.stack([np.where(special[at], np.uint8(0x1B), cells[at]), _ESCAPED_AS[cells[at]]], axis=2)
        there = np.stack([np.ones_like(special[at]), special[at]], axis=2)
        length[at] += special[at].sum(axis=1, dtype=np.uint8)
        escaped = np.zeros((len(at), 2 * _WORD), np.uint8)
        escaped[np.arange(2 * _WORD) < length[at, np.newaxis]] = pairs[there]
        words = escaped.view("<u8")
        word[at] = words[:, 0]
        if width == _WORD:
            high = np.zeros(n, np.uint64)
            high[at] = words[:, 1]
    return _Piece(tag, word, high, length, cells[:, -1])


def _ends(last: Bytes, severity: Bytes, status: Bytes) -> _Piece:
    """Severity and status where they are not 0, the field that keeps white space from being the last, and the end of the line."""
    code = severity.astype(np.uint16) << np.uint16(8) | status
    alarms = np.unique(code[code != 0])
    found = [b"\n", escape(UNCHANGED) + b"\n", *(_end_of(*divmod(one, 256)) for one in alarms.tolist())]
    which = _IS_STRIPPED[last].astype(np.intp)
    if len(alarms):
        which = np.where(code != 0, 2 + np.searchsorted(alarms, code), which)
    words = np.array([int.from_bytes(one, "little") for one in found], np.uint64)
    lengths = np.array([len(one) for one in found], np.uint8)
    return _Piece(b"", words[which], None, lengths[which], last)


def _end_of(severity: int, status: int) -> bytes:
    message = b"".join(bytes([tag]) + varint(code) for tag, code in ((_SEVERITY, severity), (_STATUS, status)) if code)
    return escape(message + UNCHANGED if message[-1] in STRIPPED else message) + b"\n"


def _join(pieces: list[_Piece]) -> bytes:
    n = len(pieces[0].low)
    layout, size = np.zeros(n, np.uint16), np.full(n, sum(len(piece.tag) for piece in pieces), np.int64)
    for piece in pieces:
        layout = layout << np.uint16(4) | (piece.length - np.uint8(1))
        size += piece.length
    end = np.cumsum(size)
    total = int(end[-1]) if n else 0
    begin, found = end - size, np.empty(total, np.uint8)
    order = np.argsort(layout, kind="stable")
    firsts = np.flatnonzero(np.append(True, layout[order[1:]] != layout[order[:-1]])) if n else order
    for places in np.split(order, firsts[1:]) if n else ():
        lines = _of_one_layout(pieces, places, int(size[places[0]]))
        # A place for a line at every byte: they overlap, the lines that are written do not.
        np.ndarray((total - lines.itemsize + 1,), lines.dtype, found, strides=(1,))[begin[places]] = lines
    return found.tobytes()


def _of_one_layout(pieces: list[_Piece], places: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.void]:
    """Lines that have the same length, each as one element."""
    # A word is written whole; what is beyond the length of its piece is written over by the next one, or stands behind the line.
    pitch = size + 2 * _WORD
    cells = np.empty((len(places), pitch), np.uint8)
    at = 0
    for piece in pieces:
        for byte in piece.tag:
            cells[:, at] = byte
            at += 1
        length = int(piece.length[places[0]])
        words = [piece.low] if piece.high is None or length <= _WORD else [piece.low, piece.high]
        for number, word in enumerate(words):
            np.ndarray((len(places),), "<u8", cells, at + number * _WORD, (pitch,))[:] = word[places]
        at += length
    return np.ndarray((len(places),), f"V{size}", cells, strides=(pitch,))
