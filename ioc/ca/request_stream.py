"""What a client sends over its circuit, taken apart into requests.

Nothing that a client says about itself is believed: a payload is not waited for when it is longer than any that a PV of ours
takes, and a request that cannot be read is told to whoever sent it while the stream goes on behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import caproto as ca
from caproto._commands import Commands
from caproto._headers import ExtendedMessageHeader, MessageHeader

from archioc.ioc.ca.messages import ECA_BADTYPE, ECA_TOLARGE

LONGEST_PAYLOAD = 2**17
"""Bytes: 16 000 elements of any plain type."""

_HEADER = struct.Struct(">HHHHII")
_EXTENDED = struct.Struct(">HHHHIIII")
_REQUESTS = Commands[ca.CLIENT]


class StreamBroken(Exception):
    """Something that is no request; what follows it in the stream cannot be trusted."""


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A request that cannot be carried out: its id, its first 16 bytes, and what to tell the client.

    status: ECA_ number. data_type, data_count, sid, ioid: as far as its header tells them.
    """

    ID: int
    header: bytes
    status: int
    reason: str

    @property
    def data_type(self) -> int:
        return self._field(2)

    @property
    def data_count(self) -> int:
        """0 where the count stands in an extended header."""
        return self._field(3)

    @property
    def sid(self) -> int:
        return self._field(4)

    @property
    def ioid(self) -> int:
        return self._field(5)

    def _field(self, number: int) -> int:
        return int(_HEADER.unpack(self.header)[number])


class RequestStream:
    """Bytes as they come in, requests as they are complete. It holds at most one payload."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        """The requests that are complete now: those of caproto, and BadRequest. Raises StreamBroken."""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self._data += data[skipped:]
        at = 0
        while at + _HEADER.size <= len(self._data):
            command, size, _, count, _, _ = _HEADER.unpack_from(self._data, at)
            begin = at + _HEADER.size
            if size == 0xFFFF and count == 0:
                begin = at + _EXTENDED.size
                if begin > len(self._data):
                    break
                *_, size, count = _EXTENDED.unpack_from(self._data, at)
            if command not in _REQUESTS:
                raise StreamBroken(f"there is no request {command}")
            end = begin + size
            if size > LONGEST_PAYLOAD:
                header = bytes(self._data[at : at + _HEADER.size])
                self._skip = max(end - len(self._data), 0)
                yield BadRequest(command, header, ECA_TOLARGE, f"{size} bytes: a request has at most {LONGEST_PAYLOAD}")
            elif end > len(self._data):
                break
            else:
                yield _read(self._data[at:end], begin - at)
            at = min(end, len(self._data))
        del self._data[:at]


def _read(message: bytearray, header_size: int) -> Any:
    header = (MessageHeader if header_size == _HEADER.size else ExtendedMessageHeader).from_buffer(message)
    try:
        return _REQUESTS[header.command].from_wire(header, memoryview(message)[header_size:])
    except (LookupError, ValueError):  # a type that there is not, or less payload than its metadata
        reason = f"cannot be read as type {header.data_type}"
        return BadRequest(header.command, bytes(message[: _HEADER.size]), ECA_BADTYPE, reason)
