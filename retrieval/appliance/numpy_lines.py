"""Lines of scalar numbers in the raw format, whole columns at a time, written by numpy.

A line is put together out of words of eight bytes, each escaped where it is made, and what a word does not need is filled up with a byte
that no line can have, since it is escaped everywhere. Then all of these bytes are taken out at once.

    word 0   the end of the line before, tag and second, tag of the nanosecond
    word 1   nanosecond, tag of the value
    word 2   value; in a word more where it is longer for its escapes
    one more severity and status, or what keeps white space from being the last byte; in few lines only
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.retrieval.appliance.escaping import ESCAPES, STRIPPED, UNCHANGED, escape, varint
from archioc.retrieval.appliance.protobuf_lines import FIXED, ZIGZAG, ZIGZAG_TAG
from archioc.retrieval.appliance.runs import Run
from archioc.retrieval.appliance.series import SECOND_NS

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.intp]

_SECOND, _NANO, _SEVERITY, _STATUS = 0x08, 0x10, 0x20, 0x28
_WORD = 8
_FILLER = b"\r"
_TIME_BYTES = 5
"""Of the varint of a second of a year, and of a nanosecond, with its escape."""

_FIRST = np.arange(256, dtype=np.uint8)
_FIRST[list(ESCAPES)] = 0x1B
_AFTER = np.full(256, _FILLER[0], np.uint8)
_AFTER[list(ESCAPES)] = list(ESCAPES.values())
_IS_ESCAPED = np.not_equal(_AFTER, _FILLER[0])
_IS_STRIPPED = np.zeros(256, bool)
_IS_STRIPPED[list(STRIPPED)] = True


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Values of all lines. tag: before each; word: their bytes; last: the last byte of each, unescaped.

    long, rest: the places of values that do not fit into a word, and their next one.
    """

    tag: bytes
    word: Words
    last: Bytes
    long: Places
    rest: Words


def number_lines(run: Run, year_start_s: int) -> bytes:
    """The same as `archioc.retrieval.appliance.compiled_lines.number_lines`."""
    if not len(run):
        return b""
    second, nano = run.time // SECOND_NS - year_start_s, run.time % SECOND_NS
    value = _values(run)
    ended, ends = _ends(value.last, run.severity, run.status)
    number = np.full(len(second), 3, np.int64)
    number[value.long] += 1
    number[ended] += 1
    after = np.cumsum(number)
    begin = after - number
    found = np.empty(int(after[-1]) + 1, "<u8")
    found[begin] = _seconds(second)
    found[begin + 1] = _varints(nano, _TIME_BYTES)[0] | np.uint64(_word(b"\0" * _TIME_BYTES + value.tag))
    found[begin + 2] = value.word
    found[begin[value.long] + 3] = value.rest
    found[after[ended] - 1] = ends
    found[0] = found[0] & ~np.uint64(0xFF) | np.uint64(_FILLER[0])  # there is no line before the first
    found[-1] = _word(b"\n")
    return found.tobytes().translate(None, _FILLER)


def _word(piece: bytes) -> int:
    """At most eight bytes, filled up."""
    return int.from_bytes(piece.ljust(_WORD, _FILLER), "little")


def _seconds(second: npt.NDArray[np.int64]) -> Words:
    """Word 0. Of samples in order there are often several in a second: each second is looked at once then."""
    first, number = int(second[0]), int(second[-1] - second[0]) + 1
    if not 0 < number < len(second) or second.min() < first or second.max() >= first + number:
        return _first_words(second)
    return _first_words(first + np.arange(number))[second - first]


def _first_words(second: npt.NDArray[np.int64]) -> Words:
    numbers = _varints(second, _TIME_BYTES)[0] & np.uint64((1 << 8 * _TIME_BYTES) - 1)
    return numbers << np.uint64(16) | np.uint64(int.from_bytes(bytes([ord("\n"), _SECOND, *[0] * _TIME_BYTES, _NANO]), "little"))


def _values(run: Run) -> _Values:
    if run.header.kind in ZIGZAG:
        whole = np.asarray(run.values, np.int64)
        word, last = _varints((whole << 1) ^ (whole >> 63), _WORD)
        return _Values(ZIGZAG_TAG, word, last, np.zeros(0, np.intp), np.zeros(0, np.uint64))
    tag, dtype = FIXED[run.header.kind]
    return _fixed(tag, np.ascontiguousarray(run.values, dtype))


def _varints(numbers: npt.NDArray[np.int64], width: int) -> tuple[Words, Bytes]:
    """Numbers from 0 to below 2**30, seven bits a byte, filled up to so many bytes, with 0 beyond; and the last byte of each.

    Only the last byte can be one that is escaped; in numbers of five bytes it is too small.
    """
    rest = numbers.astype(np.uint64)
    word, more = rest & np.uint64(0x7F), np.zeros(len(rest), np.uint8)
    highest = int(numbers.max())
    for at in range(1, _TIME_BYTES):
        if highest < 1 << 7 * at:
            break
        word |= (rest & np.uint64(0x7F << 7 * at)) << np.uint64(at)
        more += numbers >= 1 << 7 * at
    shift = more * np.uint8(8)
    last = (word >> shift).astype(np.uint8)
    word |= _around(width)[more]
    special = np.flatnonzero(_IS_ESCAPED[last])
    if len(special):
        byte, before = last[special], shift[special].astype(np.uint64)
        pair = _FIRST[byte].astype(np.uint64) | _AFTER[byte].astype(np.uint64) << np.uint64(8)
        word[special] = word[special] & ~(np.uint64(0xFFFF) << before) | pair << before
    return word, last


def _around(width: int) -> Words:
    """By the number of bytes before the last one: the bits that tell that more follow, and the bytes that fill up."""
    return np.array(
        [int.from_bytes((b"\x80" * more + b"\0").ljust(width, _FILLER), "little") for more in range(_TIME_BYTES)],
        np.uint64,
    )


def _fixed(tag: bytes, raw: npt.NDArray[np.generic]) -> _Values:
    """Numbers of 1, 4 or 8 bytes, any of which may be escaped."""
    n, width = len(raw), raw.itemsize
    cells = raw.view(np.uint8).reshape(n, width)
    word = raw.view(f"<u{width}").astype(np.uint64)  # a copy in any case
    if width < _WORD:
        word |= np.uint64(_word(b"\0" * width))
    special = (cells == 0x1B) | (cells == 0x0A) | (cells == 0x0D)
    at = np.flatnonzero(special.view(f"<u{width}"))
    pairs = np.full((len(at), 2 * _WORD), _FILLER[0], np.uint8)
    pairs[:, : 2 * width : 2], pairs[:, 1 : 2 * width : 2] = _FIRST[cells[at]], _AFTER[cells[at]]
    words = pairs.view("<u8")
    word[at] = words[:, 0]
    if width < _WORD:
        at, words = at[:0], words[:0]
    return _Values(tag, word, cells[:, -1], at, words[:, 1])


def _ends(last: Bytes, severity: Bytes, status: Bytes) -> tuple[Places, Words]:
    """The lines that have severity or status, or need the field that keeps white space from being the last; and that word of each."""
    code = severity.astype(np.uint16) << np.uint16(8) | status
    at = np.flatnonzero(_IS_STRIPPED[last] | (code != 0))
    codes, which = np.unique(code[at], return_inverse=True)
    words = np.array([_word(_end_of(*divmod(one, 256))) for one in codes.tolist()], np.uint64)
    return at, words[which]


def _end_of(severity: int, status: int) -> bytes:
    """Seven bytes at most; where both are 0, the last byte of the value is white space."""
    message = b"".join(bytes([tag]) + varint(code) for tag, code in ((_SEVERITY, severity), (_STATUS, status)) if code)
    return escape(message + UNCHANGED if not message or message[-1] in STRIPPED else message)
