"""What a server must not send about a subscription, as bytes. Nothing here has to make sense."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random

from tests.processes.raw_frames import (
    ACCESS_RIGHTS,
    CLEAR_CHANNEL,
    CREATE_CHAN_FAIL,
    ECHO,
    ERROR,
    EVENT_ADD,
    READ,
    READ_NOTIFY,
    SERVER_DISCONN,
    VERSION,
    WRITE_NOTIFY,
    extended_header,
    frame,
)

ECA_NORMAL = 1
TIME, CTRL = 14, 28
VALUE_AT = {0: 12, 1: 14, 2: 12, 3: 14, 4: 15, 5: 12, 6: 16}
ELEMENT = {0: 40, 1: 2, 2: 4, 3: 2, 4: 1, 5: 4, 6: 8}
CTRL_BYTES = {0: 44, 1: 30, 2: 52, 3: 424, 4: 22, 5: 48, 6: 88}

COUNTS = (0, 2, 3, 5, 17, 255, 1000, 65_534, 65_535, 65_536, 10**6, 2**24, 2**28, 2**29, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1)
"""As numbers of elements: around the limits of headers and of integers."""
TYPES = (*range(39), 39, 63, 64, 0x7FFF, 0x8000, 0xFFFF)
STATUSES = (0, 2, 8, 72, 114, 152, 176, 192, 368, 440, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""As ECA codes: also those by which libca tells itself that a channel is gone."""
CUTS = (0, 8, 16, 24, 32)
"""As bytes of a message that says that it has more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription. cid, sid: the channel's numbers at the client and the server. dbr: type subscribed to; native: of the channel."""

    number: int
    cid: int
    sid: int
    dbr: int
    native: int
    count: int


def value(one: Wanted, elements: bytes, count: int, seconds: int = 0, command: int = EVENT_ADD) -> bytes:
    """A true value of type DBR_TIME_x."""
    head = struct.pack(">HHII", 0, 0, seconds, 0).ljust(VALUE_AT[one.native], b"\0")
    return frame(command, head + elements, one.dbr, count, ECA_NORMAL, one.number)


def metadata(one: Wanted, command: int = EVENT_ADD) -> bytes:
    """True metadata of type DBR_CTRL_x, all zero."""
    return frame(command, bytes(CTRL_BYTES[one.native]), one.dbr, 1, ECA_NORMAL, one.number)


class HostileMessages:
    """Makes them, by chance. kinds: how many of each kind were made."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._makers = (
            (6, self._odd_content),
            (3, self._other_count),
            (3, self._short),
            (2, self._other_type),
            (1, self._error_status),
            (1, self._nobodys),
            (1, self._read_answer),
            (1, self._error),
            (1, self._noise),
            (1, self._rights),
        )
        self.kinds = {maker.__name__.strip("_"): 0 for _, maker in self._makers}

    def about(self, one: Wanted, number: int) -> bytes:
        """So many messages, one after the other."""
        makers = self._random.choices([maker for _, maker in self._makers], [weight for weight, _ in self._makers], k=number)
        for maker in makers:
            self.kinds[maker.__name__.strip("_")] += 1
        return b"".join(maker(one) for maker in makers)

    def last(self, one: Wanted) -> bytes:
        """Something after which no client can go on with this circuit, or should not."""
        ends = (
            self._random.randbytes(self._random.randrange(1, 200)),
            frame(READ, bytes(16), one.dbr, 1, 0, one.number),
            frame(WRITE_NOTIFY, b"", one.dbr, 1, ECA_NORMAL, one.number),
            extended_header(EVENT_ADD, 12, one.dbr, 1, ECA_NORMAL, one.number) + bytes(12),  # not a multiple of 8
            frame(self._random.randrange(28, 2**16), bytes(8)),
            frame(ERROR, bytes(8)),
            frame(VERSION, count=0) + self.about(one, 20),
            2 * frame(SERVER_DISCONN, first=one.cid) + frame(CREATE_CHAN_FAIL, first=one.cid),
            frame(ERROR, struct.pack(">HHHHII", self._random.randrange(28, 2**16), 0, 0, 0, one.cid, one.number) + b"no such thing\0"),
        )
        return self._random.choice(ends)

    # -- each of one kind ----------------------------------------------------------------------

    def _odd_content(self, one: Wanted) -> bytes:
        """The right size, any content: NaN, text without an end, 65535 states, stamps of any time."""
        if one.dbr >= CTRL:
            content = self._random.randbytes(CTRL_BYTES[one.native])
            if self._random.random() < 0.3:
                content = content[:4] + struct.pack(">H", self._random.choice((0, 16, 17, 255, 0x7FFF, 0x8000, 0xFFFF))) + content[6:]
            return frame(EVENT_ADD, content, one.dbr, 1, ECA_NORMAL, one.number)
        count = 1 if one.count == 1 else self._random.randrange(0, 20)
        content = self._random.randbytes(VALUE_AT[one.native] + count * ELEMENT[one.native])
        return frame(EVENT_ADD, content, one.dbr, count, ECA_NORMAL, one.number)

    def _other_count(self, one: Wanted) -> bytes:
        """As many elements as it says, which nobody asked for."""
        count = self._random.choice([count for count in COUNTS if count <= 1000])
        content = self._random.randbytes(VALUE_AT[one.native] + count * ELEMENT[one.native])
        return frame(EVENT_ADD, content, one.dbr, count, ECA_NORMAL, one.number)

    def _short(self, one: Wanted) -> bytes:
        """Any number of elements, and few bytes."""
        size, count = self._random.choice(CUTS), self._random.choice((1, *COUNTS))
        command = self._random.choice((EVENT_ADD, EVENT_ADD, READ_NOTIFY))
        return extended_header(command, size, one.dbr, count, ECA_NORMAL, one.number) + self._random.randbytes(size)

    def _other_type(self, one: Wanted) -> bytes:
        """Another type, with any number of elements and bytes."""
        size, count = 8 * self._random.randrange(64), self._random.choice((1, *COUNTS))
        header = extended_header(EVENT_ADD, size, self._random.choice(TYPES), count, ECA_NORMAL, one.number)
        return header + self._random.randbytes(size)

    def _error_status(self, one: Wanted) -> bytes:
        status, size = self._random.choice((*STATUSES, self._random.randrange(2**32))), self._random.choice((0, 8, 88))
        return frame(EVENT_ADD, bytes(size), self._random.choice((one.dbr, one.dbr, 99)), 1, status, one.number)

    def _nobodys(self, one: Wanted) -> bytes:
        """A value of a subscription that nobody made; those of other circuits have small numbers."""
        return frame(EVENT_ADD, bytes(24), one.dbr, 1, ECA_NORMAL, self._random.randrange(2**31, 2**32))

    def _read_answer(self, one: Wanted) -> bytes:
        """The answer to a read that nobody asked for, by the number of the subscription."""
        status = self._random.choice((ECA_NORMAL, *STATUSES))
        return frame(READ_NOTIFY, self._random.randbytes(8 * self._random.randrange(12)), one.dbr, 1, status, one.number)

    def _error(self, one: Wanted) -> bytes:
        """An error about any request, whose text has no end, or is no text."""
        command = self._random.choice((VERSION, EVENT_ADD, EVENT_ADD, READ, READ_NOTIFY, CLEAR_CHANNEL, WRITE_NOTIFY, 27))
        request = struct.pack(">HHHHII", command, 0, one.dbr, self._random.choice((0, 1, 9)), one.sid, one.number)
        text = self._random.choice((b"text without an end.", b"%s%n%d\0", self._random.randbytes(64), b"x" * 4000))
        return frame(ERROR, request + text, 0, 0, one.cid, self._random.choice((1, *STATUSES)))

    def _noise(self, one: Wanted) -> bytes:
        """Messages that mean something elsewhere, with content that they do not have; the version stays, as libca would follow it."""
        command = self._random.choice((VERSION, ECHO, CLEAR_CHANNEL))
        return frame(command, self._random.randbytes(8 * self._random.randrange(4)), 0, 13, 0, one.number)

    def _rights(self, one: Wanted) -> bytes:
        """Other rights of access, and then all again."""
        wild = frame(ACCESS_RIGHTS, b"", 0, 0, one.cid, self._random.randrange(2**32) | 1)
        return wild + frame(ACCESS_RIGHTS, b"", 0, 0, one.cid, 3)
