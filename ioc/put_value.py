"""What a client wrote, whatever DBR type it chose for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from caproto import ChannelType, native_type

from archioc.core.errors import CommandRefused
from ioc.results import ResultCode


@dataclass(frozen=True, slots=True)
class PutValue:
    """The elements of a put: numbers, texts (DBR_STRING), or one text (DBR_CHAR array). arrived: when it was received (s, monotonic)."""

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


def read_put(data_type: ChannelType, data: object, payload: bytes, arrived: float = 0.0) -> PutValue:
    """The elements of a write request. Raises CommandRefused for text that is not UTF-8.

    data: as caproto decodes it; payload: the same as bytes, used for text. arrived: when it was received (s, monotonic).
    """
    native = native_type(data_type)
    try:
        if native == ChannelType.CHAR:
            return PutValue((payload.split(b"\0", 1)[0].decode(),), arrived)
        if native == ChannelType.STRING:
            return PutValue(tuple(bytes(item).split(b"\0", 1)[0].decode() for item in data), arrived)  # type: ignore[attr-defined]
    except UnicodeDecodeError:
        raise CommandRefused(ResultCode.SYNTAX, "the text is not UTF-8; nothing was changed") from None
    return PutValue(tuple(float(item) for item in data), arrived)  # type: ignore[attr-defined]


def _unreadable(value: PutValue, rule: str) -> CommandRefused:
    text = str(value)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return CommandRefused(ResultCode.SYNTAX, f"{shown!r}: {rule}; nothing was changed")
