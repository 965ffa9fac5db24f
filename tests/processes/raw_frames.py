"""Channel Access messages as bytes, right ones and wrong ones: nothing is checked (CA protocol specification, version 4.13)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

VERSION, EVENT_ADD, EVENT_CANCEL, READ, WRITE, SEARCH, ERROR = 0, 1, 2, 3, 4, 6, 11
CLEAR_CHANNEL, READ_NOTIFY, CREATE_CHAN, WRITE_NOTIFY, CLIENT_NAME, HOST_NAME = 12, 15, 18, 19, 20, 21
ACCESS_RIGHTS, ECHO, CREATE_CHAN_FAIL, SERVER_DISCONN = 22, 23, 26, 27

STRING, INT, FLOAT, ENUM, CHAR, LONG, DOUBLE = range(7)
CTRL_DOUBLE = 34

_HEADER = struct.Struct(">HHHHII")
_EXTENDED = struct.Struct(">HHHHIIII")


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the server."""

    command: int
    data_type: int
    count: int
    first: int
    second: int
    payload: bytes


def frame(command: int, payload: bytes = b"", data_type: int = 0, count: int = 0, first: int = 0, second: int = 0) -> bytes:
    """A message whose header says how long its payload is, which is filled up to a multiple of 8."""
    payload += bytes(-len(payload) % 8)
    if len(payload) < 0xFFFF and count < 0xFFFF:
        return _HEADER.pack(command, len(payload), data_type, count, first, second) + payload
    return extended_header(command, len(payload), data_type, count, first, second) + payload


def extended_header(command: int, size: int, data_type: int, count: int, first: int, second: int) -> bytes:
    """The header of a large message."""
    return _EXTENDED.pack(command, 0xFFFF, data_type, 0, first, second, size, count)


def greeting(user: str = "fuzz", host: str = "control-room") -> bytes:
    """What a client says first."""
    return frame(VERSION, count=13) + frame(HOST_NAME, host.encode() + b"\0") + frame(CLIENT_NAME, user.encode() + b"\0")


def create(name: bytes, cid: int) -> bytes:
    return frame(CREATE_CHAN, name + b"\0", first=cid, second=13)


def clear(sid: int, cid: int) -> bytes:
    return frame(CLEAR_CHANNEL, first=sid, second=cid)


def put(sid: int, data_type: int, count: int, payload: bytes, ioid: int, *, notify: bool = True) -> bytes:
    return frame(WRITE_NOTIFY if notify else WRITE, payload, data_type, count, sid, ioid)


def read(sid: int, data_type: int, count: int, ioid: int) -> bytes:
    return frame(READ_NOTIFY, b"", data_type, count, sid, ioid)


def subscribe(sid: int, data_type: int, count: int, subscription: int, mask: int) -> bytes:
    return frame(EVENT_ADD, struct.pack(">fffHH", 0, 0, 0, mask, 0), data_type, count, sid, subscription)


def search(name: bytes, cid: int, *, reply: bool = False) -> bytes:
    """reply: also where there is no such PV (`DOREPLY`; TCP only)."""
    return frame(SEARCH, name + b"\0", 10 if reply else 5, 13, cid, cid)


def encoded(values: list[float], data_type: int) -> bytes:
    """Numbers as the elements of a DBR type."""
    letter = {INT: "h", FLOAT: "f", ENUM: "H", CHAR: "B", LONG: "i", DOUBLE: "d"}[data_type]
    return struct.pack(f">{len(values)}{letter}", *(value if data_type in {FLOAT, DOUBLE} else int(value) for value in values))


def messages(data: bytes) -> Iterator[tuple[Message, int]]:
    """The whole messages at the beginning of what the server sent, each with where the next one begins."""
    at = 0
    while at + _HEADER.size <= len(data):
        command, size, data_type, count, first, second = _HEADER.unpack_from(data, at)
        begin = at + _HEADER.size
        if size == 0xFFFF and count == 0:
            if at + _EXTENDED.size > len(data):
                return
            *_, size, count = _EXTENDED.unpack_from(data, at)
            begin = at + _EXTENDED.size
        if begin + size > len(data):
            return
        at = begin + size
        yield Message(command, data_type, count, first, second, data[begin:at]), at


def asked(error: Message) -> tuple[int, int]:
    """Command and second parameter of the request that an error is about."""
    command, _, _, _, _, second = _HEADER.unpack_from(error.payload)
    return command, second


def words(error: Message) -> str:
    """The text of an error."""
    return error.payload[_HEADER.size :].split(b"\0", 1)[0].decode(errors="replace")
