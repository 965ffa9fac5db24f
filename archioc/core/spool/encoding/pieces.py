"""Long strings in InfluxDB: several fields of a bounded size.

What a string field may hold depends on the version: InfluxData documents 64 KiB for 1.x and 3.x, servers from
2.1 on refuse more than 1 MiB (1.6.7 takes tens of MB). So no field of ours is longer than 64 KiB.
"""

from __future__ import annotations

import base64

MAX_PIECE = 65_532
"""Bytes of a string field, at most; base64 of a whole number of groups."""

SIZE_TOLD_FROM = 1000
"""A text of so many bytes or more has the field `size`, so that a reader knows how many samples it can take at a time."""

_RAW_PIECE = MAX_PIECE // 4 * 3
_LONGEST_CHARACTER = 4


def piece_names(field: str, size: int) -> list[str]:
    """Names of all fields that a value of `size` bytes may fill: `data`, `data_1`, `data_2`, ..."""
    # A piece of text ends where a character does, so it may be a few bytes short; base64 pieces hold less than texts.
    number = -(-size // min(_RAW_PIECE, MAX_PIECE - _LONGEST_CHARACTER + 1))
    return [field] + [f"{field}_{at}" for at in range(1, number)]


def split_bytes(raw: bytes) -> list[str]:
    """Bytes as base64 in pieces, at least one."""
    return [base64.b64encode(raw[at : at + _RAW_PIECE]).decode() for at in range(0, len(raw), _RAW_PIECE)] or [""]


def join_bytes(pieces: list[str]) -> bytes:
    """What `split_bytes` was given."""
    return b"".join(map(base64.b64decode, pieces))


def split_text(text: str) -> list[str]:
    """A text in pieces, at least one; joined they are the text."""
    raw = text.encode()
    if len(raw) <= MAX_PIECE:
        return [text]
    pieces = []
    while raw:
        piece = raw[:MAX_PIECE].decode(errors="ignore")  # without the bytes of a character that is cut in two
        pieces.append(piece)
        raw = raw[len(piece.encode()) :]
    return pieces
