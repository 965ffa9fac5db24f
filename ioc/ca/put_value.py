"""What a client wrote, whatever DBR type it chose for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from caproto import ChannelType

from archioc.core.errors import CommandRefused
from archioc.core.printable import printable
from archioc.ioc.ca.character_codes import text_of_codes
from archioc.ioc.ca.messages import ECA_BADCOUNT, ECA_BADTYPE, ECA_PUTFAIL
from archioc.ioc.results import ResultCode

_PLAIN = tuple(np.dtype(kind) for kind in ("S40", ">i2", ">f4", ">u2", "u1", ">i4", ">f8"))
"""Elements of the types that a put may have, by their numbers (STRING, INT, FLOAT, ENUM, CHAR, LONG, DOUBLE)."""


class PutUnreadable(CommandRefused):
    """A put whose bytes are no value. status: ECA_ number that its client gets."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(ResultCode.SYNTAX, message)


@dataclass(frozen=True, slots=True)
class PutValue:
    """The elements of a put: numbers, texts (DBR_STRING), or one text (DBR_CHAR, or character codes put to an array of characters).

    arrived: when it was received (s, monotonic).
    """

    items: tuple[float | str, ...]
    arrived: float = 0.0

    def __str__(self) -> str:
        return "\n".join(item if isinstance(item, str) else f"{item:g}" for item in self.items)

    def text(self, limit: int) -> str:
        """As text of at most `limit` bytes; the elements of an array of strings are lines. Raises CommandRefused."""
        if not all(isinstance(item, str) for item in self.items):
            raise _unreadable(self, "must be text; with caput write it with -S")
        text = "\n".join(str(item) for item in self.items)
        if len(text.encode()) > limit:
            raise _unreadable(self, f"is longer than {limit} bytes")
        return text

    def scalar(self) -> float | str:
        """The one element. Raises CommandRefused when there are more or none."""
        if len(self.items) != 1:
            raise _unreadable(self, f"must be one value, not {len(self.items)}")
        return self.items[0]

    def whole(self) -> int:
        """A whole number. Raises CommandRefused."""
        item = self.scalar()
        try:
            number = float(item)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number != int(number):
            raise _unreadable(self, "must be a whole number")
        return int(number)

    def choice(self, labels: Sequence[str]) -> int:
        """The index of an enum's state, written as number or label. Raises CommandRefused."""
        item = self.scalar()
        named = {label.lower(): index for index, label in enumerate(labels)}
        index = named.get(item.strip().lower(), item) if isinstance(item, str) else item
        try:
            number = float(index)
        except ValueError:
            number = -1.0
        if number not in range(len(labels)):
            raise _unreadable(self, f"must be one of {', '.join(f'{n} {label}' for n, label in enumerate(labels))}")
        return int(number)


def read_put(data_type: int, count: int, payload: bytes, arrived: float = 0.0, *, as_text: bool = False) -> PutValue:
    """The elements of a write request. Raises PutUnreadable for other types than plain ones, for missing elements, for text that is not
    UTF-8, and for codes that are no characters.

    payload: without what fills it up. Of a single DBR_STRING libca sends no more than the text and its NUL.
    arrived: when it was received (s, monotonic). as_text: what is put to is an array of characters, so numbers are character codes.
    """
    if not 0 <= data_type < len(_PLAIN):
        known = f" ({ChannelType(data_type).name})" if data_type in list(ChannelType) else ""
        raise PutUnreadable(ECA_BADTYPE, f"type {data_type}{known} cannot be put; nothing was changed")
    dtype = _PLAIN[data_type]
    if len(payload) < count * dtype.itemsize and not (dtype.kind == "S" and count == 1):
        shown = f"{count} element{'s' if count != 1 else ''} of {ChannelType(data_type).name}"
        raise PutUnreadable(ECA_BADCOUNT, f"{shown} in {len(payload)} bytes; nothing was changed")
    try:
        if data_type == ChannelType.CHAR:
            return PutValue((payload.split(b"\0", 1)[0].decode(),), arrived)
        if data_type == ChannelType.STRING:
            items = (payload[begin : begin + dtype.itemsize] for begin in range(0, count * dtype.itemsize, dtype.itemsize))
            return PutValue(tuple(item.split(b"\0", 1)[0].decode() for item in items), arrived)
    except UnicodeDecodeError:
        raise PutUnreadable(ECA_PUTFAIL, "the text is not UTF-8; nothing was changed") from None
    numbers = np.frombuffer(payload, dtype, count).astype(float)
    if not as_text:
        return PutValue(tuple(numbers.tolist()), arrived)
    try:
        return PutValue((text_of_codes(numbers),), arrived)
    except ValueError as error:
        raise PutUnreadable(ECA_PUTFAIL, f"{error}; nothing was changed") from None


def shown_put(data_type: int, count: int, payload: bytes, *, as_text: bool = False) -> str:
    """What a put would have written, for people, also where it cannot be read."""
    try:
        return str(read_put(data_type, count, payload, as_text=as_text))
    except PutUnreadable:
        return payload[:100].decode("latin-1") if data_type in {ChannelType.CHAR, ChannelType.STRING} else payload[:100].hex(" ")


def _unreadable(value: PutValue, rule: str) -> CommandRefused:
    text = printable(str(value))
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return CommandRefused(ResultCode.SYNTAX, f"'{shown}': {rule}; nothing was changed")
