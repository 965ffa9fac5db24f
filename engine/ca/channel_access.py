"""Channels and values by libca, with our own callbacks.

libca searches, connects and reconnects. What it tells goes through the callbacks of this package,
because those of pyepics cost twenty times as much, and its channels four times as much memory.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from archioc.core.channel import Mask
from archioc.core.dbr import DBR_CTRL_OFFSET, DBR_TIME_OFFSET, ELEMENT_DTYPE, Dbr
from archioc.engine.ca.libca import ChannelQueries, Libca
from archioc.engine.ca.libca_messages import LibcaMessages
from archioc.engine.ca.user_argument import user_argument

_log = structlog.get_logger()

DBE_VALUE, DBE_LOG, DBE_ALARM, DBE_PROPERTY = 1, 2, 4, 8
DBE_MASKS = {Mask.LOG: DBE_LOG | DBE_ALARM, Mask.VALUE: DBE_VALUE | DBE_ALARM}

ECA_NORMAL = 1
PRIORITY = 0
"""Of the circuit at the server: the lowest, that of displays and archivers."""
CS_CONN = 2
FIELD_TYPES = 7
DBR_TIME_BYTES = 16
"""At most so much of a DBR_TIME_x comes before the value."""
SMALLEST_LIMIT = 16384
"""libca takes values of this size whatever the limit."""


class EventCallback(Protocol):
    """The seam between libca and the ring; implementations are interchangeable."""

    name: str
    function: Any
    """The C function for `ca_create_subscription` and `ca_array_get_callback`."""

    def connection_function(self, queries: ChannelQueries) -> Any:
        """The C function for `ca_create_channel`; it writes CONNECTED and DISCONNECTED into the ring.

        The channel's user pointer is a `user_argument` without a type. Whoever subscribes keeps what this returns.
        """


@dataclass(slots=True)
class _Link:
    """A channel as libca knows it. chid, subscription, metadata: addresses of the channel and its subscriptions.

    dbr: type subscribed to, -1 = not subscribed; properties: the same of the subscription to metadata.
    bare: its server knows no subscription to metadata.
    """

    row: int
    generation: int
    chid: int
    subscription: int | None = None
    dbr: int = -1
    array: bool = False
    mask: Mask = Mask.LOG
    metadata: int | None = None
    properties: int = -1
    bare: bool = False


class ChannelAccess:
    """All channels of this process; used by its main thread."""

    def __init__(self, callback: EventCallback) -> None:
        self._callback = callback
        self._links: dict[str, _Link] = {}
        self._lib = Libca()
        self._messages = LibcaMessages(self._lib)
        self._largest = _largest_array()
        self._on_connection = callback.connection_function(self._lib)

    def create(self, name: str, row: int, generation: int) -> bool:
        """Start looking for a channel; False when libca refuses the name."""
        chid = ctypes.c_void_p()
        user = user_argument(row, generation, array=False, dbr=0)
        answer = self._lib.ca_create_channel(name.encode(), self._on_connection, user, PRIORITY, ctypes.byref(chid))
        if answer != ECA_NORMAL or chid.value is None:
            _log.error("channel_refused", channel=name, error=self._lib.ca_message(answer).decode())
            return False
        self._links[name] = _Link(row, generation, chid.value)
        return True

    def clear(self, name: str) -> None:
        """Let go of a channel; no event of it comes after this returns."""
        link = self._links.pop(name, None)
        if link is not None:
            self._lib.ca_clear_channel(link.chid)  # and of its subscriptions, which libca knows

    def search_again(self, name: str) -> None:
        """Look for a channel that has lost its server now, unless it is back already.

        libca by itself begins to look for lost channels only every 10 s (`disconnectGovernorTimer.cpp`), for new ones at once.
        """
        link = self._links.get(name)
        if link is None or self._lib.ca_state(link.chid) == CS_CONN:
            return
        self.clear(name)
        self.create(name, link.row, link.generation)

    def native_type_of(self, name: str) -> tuple[int, int] | None:
        """Native type and number of elements of a channel that is connected now, else None."""
        link = self._links.get(name)
        if link is None or self._lib.ca_state(link.chid) != CS_CONN:
            return None
        return int(self._lib.ca_field_type(link.chid)), self._element_count(link.chid)

    def _element_count(self, chid: int) -> int:
        return int(self._lib.ca_element_count(chid)) & 0xFFFFFFFF

    def follow(self, name: str, dbr: int, count: int, mask: Mask) -> int:
        """Subscribe to values and metadata of a channel that has just connected with this native type; ECA_NORMAL, or why it failed.

        libca keeps a subscription over a reconnect with the type it was made with, so another
        type, another shape or another mask gets a new one.
        """
        link = self._links[name]
        if not 0 <= dbr < FIELD_TYPES:
            return ECA_NORMAL  # gone again before we looked
        self._follow_metadata(link, dbr)
        return self._subscribe(link, dbr, count != 1, mask)

    def follow_mask(self, name: str, mask: Mask) -> None:
        """Have other changes of a connected channel sent from now on; the current value comes first."""
        link = self._links[name]
        if link.subscription is not None:
            self._subscribe(link, link.dbr, link.array, mask)

    def _subscribe(self, link: _Link, dbr: int, array: bool, mask: Mask) -> int:
        if link.subscription is not None:
            if (link.dbr, link.array, link.mask) == (dbr, array, mask):
                return ECA_NORMAL
            self._lib.ca_clear_subscription(link.subscription)
            link.subscription = None
        answer, subscription = self._subscription(link, dbr + DBR_TIME_OFFSET, 0 if array else 1, DBE_MASKS[mask], array)
        if answer == ECA_NORMAL:
            link.subscription, link.dbr, link.array, link.mask = subscription, dbr, array, mask
        return answer

    def _follow_metadata(self, link: _Link, dbr: int) -> None:
        """Have metadata sent now and on change.

        A subscription with DBE_PROPERTY sends the present metadata first, and again after each reconnect, as a
        get would; so it costs no message more. Texts have no metadata that could change.
        """
        if dbr == link.properties:
            return
        if link.metadata is not None:
            self._lib.ca_clear_subscription(link.metadata)
            link.metadata, link.properties = None, -1
        if dbr != Dbr.STRING and not link.bare:
            answer, metadata = self._subscription(link, dbr + DBR_CTRL_OFFSET, 1, DBE_PROPERTY, array=False)
            if answer == ECA_NORMAL:
                link.metadata, link.properties = metadata, dbr
                return
        self._get(link, dbr + DBR_CTRL_OFFSET, 1, array=False)

    def _subscription(self, link: _Link, dbr: int, count: int, events: int, array: bool) -> tuple[int, int | None]:
        subscription = ctypes.c_void_p()
        answer = self._lib.ca_create_subscription(
            dbr, count, link.chid, events, self._callback.function, _user(link, dbr, array), ctypes.byref(subscription)
        )
        return int(answer), subscription.value

    def _get(self, link: _Link, dbr: int, count: int, array: bool) -> None:
        self._lib.ca_array_get_callback(dbr, count, link.chid, self._callback.function, _user(link, dbr, array))

    def end_values(self, name: str) -> None:
        """Have no values of a channel sent any more, until it connects again and is followed anew."""
        link = self._links.get(name)
        if link is not None and link.subscription is not None:
            self._lib.ca_clear_subscription(link.subscription)
            link.subscription, link.dbr = None, -1

    def end_metadata(self, name: str) -> None:
        """Have no metadata of a channel sent any more, until it connects again and is followed anew."""
        link = self._links.get(name)
        if link is not None and link.metadata is not None:
            self._lib.ca_clear_subscription(link.metadata)
            link.metadata, link.properties = None, -1

    def do_without_properties(self, name: str) -> None:
        """The server refuses to tell changes of metadata: ask for it once, now and after each reconnect."""
        link = self._links.get(name)
        if link is not None and link.metadata is not None:
            dbr = link.properties
            link.bare, link.properties = True, -1
            self._follow_metadata(link, dbr)

    def too_large(self, dbr: int, count: int) -> bool:
        """Whether libca will not take so many elements of this type, by EPICS_CA_MAX_ARRAY_BYTES; it leaves them out without a word."""
        return self._largest is not None and count * ELEMENT_DTYPE[Dbr(dbr)].itemsize + DBR_TIME_BYTES > self._largest

    def ask(self, name: str) -> None:
        """Have the current value sent once more, in order with the updates."""
        link = self._links[name]
        if link.subscription is not None:
            self._get(link, link.dbr + DBR_TIME_OFFSET, 0 if link.array else 1, link.array)

    def host(self, name: str) -> str:
        """`host:port` of the IOC that serves a connected channel."""
        link = self._links[name]
        raw: bytes = self._lib.ca_host_name(link.chid)
        return raw.decode(errors="replace")

    def flush(self) -> None:
        """Send what was asked for, and log what libca has said."""
        self._lib.ca_flush_io()
        self._messages.log()

    def close(self, timeout: float) -> bool:
        """Let go of all channels and of libca, waiting at most so many seconds for it; after this no callback of a channel runs.

        False where libca still waits, as it does for a server that hangs: then the process must end without
        the interpreter taking itself down.
        """
        for name in list(self._links):
            self.clear(name)
        self._lib.ca_flush_io()
        ended = self._lib.close(timeout)
        self._messages.log()
        if not ended:
            _log.warning("libca_not_ended", waited_s=timeout)
        return ended


def _user(link: _Link, dbr: int, array: bool) -> ctypes.c_void_p:
    return user_argument(link.row, link.generation, array, dbr)


def _largest_array() -> int | None:
    """Bytes of the largest value that libca takes, None where there is no limit (`EPICS_CA_AUTO_ARRAY_BYTES`)."""
    if os.environ.get("EPICS_CA_AUTO_ARRAY_BYTES", "YES").strip().upper() == "YES":
        return None
    limit = os.environ["EPICS_CA_MAX_ARRAY_BYTES"].strip()  # pyepics has set it where it was not
    return max(int(limit), SMALLEST_LIMIT) if limit.isdecimal() else SMALLEST_LIMIT
