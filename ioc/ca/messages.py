"""Channel Access messages that the server sends, as bytes (CA protocol specification, version 4.13)."""

from __future__ import annotations

import struct
from typing import Any, Protocol

from archioc.core.printable import printable

MINOR_VERSION = 13
_HEADER = struct.Struct(">HHHHII")
_EXTENDED = struct.Struct(">HHHHIIII")
_VERSION_PAYLOAD = struct.pack(">H6x", MINOR_VERSION)

ECA_NORMAL = 1
ECA_ALLOCMEM = 48
ECA_TOLARGE = 72
ECA_BADTYPE = 114
ECA_PUTFAIL = 160
ECA_BADCOUNT = 176
ECA_NOWTACCESS = 376
ECA_NOCONVERT = 400
ECA_BADCHID = 410
"""Of `caerr.h`."""


class Request(Protocol):
    """What the answer to a put or a read needs of it. header: as bytes, or as caproto has it."""

    @property
    def header(self) -> Any: ...

    @property
    def data_count(self) -> int: ...


SENDER_ADDRESS = 0xFFFFFFFF
"""In a search reply: use the address that the reply comes from."""


def message(command: int, payload: bytes, data_type: int, count: int, first: int, second: int) -> bytes:
    """A message. Large ones get the extended header."""
    if len(payload) < 0xFFFF and count < 0xFFFF:
        return _HEADER.pack(command, len(payload), data_type, count, first, second) + payload
    return _EXTENDED.pack(command, 0xFFFF, data_type, 0, first, second, len(payload), count) + payload


def version_over_tcp() -> bytes:
    """CA_PROTO_VERSION on a circuit."""
    return message(0, b"", 0, MINOR_VERSION, 0, 0)


def version_over_udp(sequence: int | None) -> bytes:
    """CA_PROTO_VERSION before search replies.

    sequence: what the request's own carried; libca takes only replies that repeat it as a sign
    that the network keeps up, and else goes on at one datagram per round trip timeout.
    """
    return message(0, b"", 0 if sequence is None else 1, MINOR_VERSION, sequence or 0, 0)


def search_reply(tcp_port: int, cid: int) -> bytes:
    """CA_PROTO_SEARCH: the channel is here."""
    return message(6, _VERSION_PAYLOAD, tcp_port, 0, SENDER_ADDRESS, cid)


def not_found(cid: int) -> bytes:
    """CA_PROTO_NOT_FOUND: no such channel here (over TCP only)."""
    return message(14, b"", 10, MINOR_VERSION, cid, cid)


def access_rights(cid: int, *, read: bool, write: bool) -> bytes:
    """CA_PROTO_ACCESS_RIGHTS."""
    return message(22, b"", 0, 0, cid, int(read) | int(write) << 1)


def channel_created(cid: int, sid: int, data_type: int, count: int) -> bytes:
    """CA_PROTO_CREATE_CHAN."""
    return message(18, b"", data_type, count, cid, sid)


def channel_refused(cid: int) -> bytes:
    """CA_PROTO_CREATE_CH_FAIL: no such channel."""
    return message(26, b"", 0, 0, cid, 0)


def channel_cleared(sid: int, cid: int) -> bytes:
    """CA_PROTO_CLEAR_CHANNEL."""
    return message(12, b"", 0, 0, sid, cid)


def channel_gone(cid: int) -> bytes:
    """CA_PROTO_SERVER_DISCONN: the channel is here no longer."""
    return message(27, b"", 0, 0, cid, 0)


def monitor_cancelled(data_type: int, sid: int, subscription: int) -> bytes:
    """CA_PROTO_EVENT_ADD without payload: the last message of a monitor."""
    return message(1, b"", data_type, 0, sid, subscription)


def put_done(data_type: int, count: int, ioid: int, status: int = ECA_NORMAL) -> bytes:
    """CA_PROTO_WRITE_NOTIFY."""
    return message(19, b"", data_type, count, status, ioid)


def put_refused(command: Request, cid: int, status: int, text: str, *, notify: bool) -> bytes:
    """What the client of a refused put gets.

    As EPICS Base has it (rsrv, `camessage.c`): CA_PROTO_WRITE_NOTIFY is answered with a CA_PROTO_WRITE_NOTIFY that carries the status
    (`putNotifyErrorReply`, `write_notify_reply`), CA_PROTO_WRITE with CA_PROTO_ERROR (`send_err` in `write_action`). Beyond that, the error
    goes before the former too: it has the words. libca ends the put with the first that comes and passes over the second.
    """
    header = bytes(command.header)
    _, _, data_type, _, _, ioid = _HEADER.unpack_from(header)  # of a type that there is not, caproto would raise ValueError
    words = error(header, cid, status, text)
    return words + put_done(data_type, command.data_count, ioid, status) if notify else words


def read_refused(command: Request, cid: int, status: int, text: str, *, notify: bool) -> bytes:
    """What the client of a refused read gets: the error, and for CA_PROTO_READ_NOTIFY a reply without elements that carries the status.

    The reply has the plain type of the one that was asked for: caproto wants the metadata of others, libca looks at the status first.
    """
    header = bytes(command.header)
    _, _, data_type, _, _, ioid = _HEADER.unpack_from(header)
    words = error(header, cid, status, text)
    return words + message(15, b"", data_type % 7 if data_type < 35 else 0, 0, status, ioid) if notify else words


def echo() -> bytes:
    """CA_PROTO_ECHO."""
    return message(23, b"", 0, 0, 0, 0)


def error(request_header: bytes, cid: int, status: int, text: str) -> bytes:
    """CA_PROTO_ERROR about a request, with a text for the person at the client."""
    payload = request_header[:16] + printable(text).encode(errors="replace")[:500] + b"\0"
    return message(11, payload.ljust(-(-len(payload) // 8) * 8, b"\0"), 0, 0, cid, status)


def beacon(tcp_port: int, count: int) -> bytes:
    """CA_PROTO_RSRV_IS_UP; the repeater fills in the address that it comes from."""
    return message(13, b"", MINOR_VERSION, tcp_port, count, 0)
