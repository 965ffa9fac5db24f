"""Channels and values by libca, with our own callbacks.

libca searches, connects and reconnects. What it tells goes through the callbacks of this package,
because those of pyepics cost twenty times as much, and its channels four times as much memory.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from archioc.core.channel import Mask
from archioc.core.dbr import DBR_CTRL_OFFSET, DBR_TIME_OFFSET
from engine.libca import ChannelQueries, Libca

_log = structlog.get_logger()

DBE_VALUE, DBE_LOG, DBE_ALARM = 1, 2, 4
DBE_MASKS = {Mask.LOG: DBE_LOG | DBE_ALARM, Mask.VALUE: DBE_VALUE | DBE_ALARM}

ECA_NORMAL = 1
PRIORITY = 0
"""Of the circuit at the server: the lowest, that of displays and archivers."""
CS_CONN = 2
FIELD_TYPES = 7


class EventCallback(Protocol):
    """The seam between libca and the ring; implementations are interchangeable."""

    name: str
    function: Any
    """The C function for `ca_create_subscription` and `ca_array_get_callback`."""

    def user_argument(self, row: int, generation: int, array: bool) -> ctypes.c_void_p:
        """What to subscribe with, so that events name their channel."""

    def connection_function(self, queries: ChannelQueries) -> Any:
        """The C function for `ca_create_channel`; it writes CONNECTED and DISCONNECTED into the ring.

        The channel's user pointer is its `user_argument`, not as an array. Whoever subscribes keeps what this returns.
        """


@dataclass(slots=True)
class _Link:
    """A channel as libca knows it. chid, subscription: addresses; dbr: type subscribed to, -1 = not subscribed."""

    row: int
    generation: int
    chid: int
    subscription: int | None = None
    dbr: int = -1
    array: bool = False
    mask: Mask = Mask.LOG


class ChannelAccess:
    """All channels of this process; used by its main thread."""

    def __init__(self, callback: EventCallback) -> None:
        self._callback = callback
        self._links: dict[str, _Link] = {}
        self._lib = Libca()
        self._on_connection = callback.connection_function(self._lib)

    def create(self, name: str, row: int, generation: int) -> bool:
        """Start looking for a channel; False when libca refuses the name."""
        chid = ctypes.c_void_p()
        user = self._callback.user_argument(row, generation, False)
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
            self._lib.ca_clear_channel(link.chid)

    def search_again(self, name: str) -> None:
        """Look for a channel that has lost its server now, unless it is back already.

        libca by itself begins to look for lost channels only every 10 s (`disconnectGovernorTimer.cpp`), for new ones at once.
        """
        link = self._links.get(name)
        if link is None or self._lib.ca_state(link.chid) == CS_CONN:
            return
        self.clear(name)
        self.create(name, link.row, link.generation)

    def look(self, name: str) -> tuple[int, int] | None:
        """Native type and number of elements of a channel that is connected now, else None."""
        link = self._links.get(name)
        if link is None or self._lib.ca_state(link.chid) != CS_CONN:
            return None
        return int(self._lib.ca_field_type(link.chid)), self._element_count(link.chid)

    def _element_count(self, chid: int) -> int:
        return int(self._lib.ca_element_count(chid)) & 0xFFFFFFFF

    def follow(self, name: str, dbr: int, count: int, mask: Mask) -> None:
        """Subscribe to a channel that has just connected with this native type, and ask for its metadata.

        libca keeps a subscription over a reconnect with the type it was made with, so another
        type, another shape or another mask gets a new one.
        """
        link = self._links[name]
        if not 0 <= dbr < FIELD_TYPES:
            return  # gone again before we looked
        self._lib.ca_array_get_callback(dbr + DBR_CTRL_OFFSET, 1, link.chid, self._callback.function, self._user(link, count > 1))
        self._subscribe(name, link, dbr, count > 1, mask)

    def follow_mask(self, name: str, mask: Mask) -> None:
        """Have other changes of a connected channel sent from now on; the current value comes first."""
        link = self._links[name]
        if link.subscription is not None:
            self._subscribe(name, link, link.dbr, link.array, mask)

    def _subscribe(self, name: str, link: _Link, dbr: int, array: bool, mask: Mask) -> None:
        if link.subscription is not None:
            if (link.dbr, link.array, link.mask) == (dbr, array, mask):
                return
            self._lib.ca_clear_subscription(link.subscription)
            link.subscription = None
        subscription = ctypes.c_void_p()
        answer = self._lib.ca_create_subscription(
            dbr + DBR_TIME_OFFSET,
            0 if array else 1,
            link.chid,
            DBE_MASKS[mask],
            self._callback.function,
            self._user(link, array),
            ctypes.byref(subscription),
        )
        if answer != ECA_NORMAL:
            _log.error("subscription_refused", channel=name, code=answer)
            return
        link.subscription, link.dbr, link.array, link.mask = subscription.value, dbr, array, mask

    def ask(self, name: str) -> None:
        """Have the current value sent once more, in order with the updates."""
        link = self._links[name]
        if link.subscription is None:
            return
        self._lib.ca_array_get_callback(
            link.dbr + DBR_TIME_OFFSET,
            0 if link.array else 1,
            link.chid,
            self._callback.function,
            self._user(link, link.array),
        )

    def host(self, name: str) -> str:
        """`host:port` of the IOC that serves a connected channel."""
        link = self._links[name]
        raw: bytes = self._lib.ca_host_name(link.chid)
        return raw.decode(errors="replace")

    def _user(self, link: _Link, array: bool) -> ctypes.c_void_p:
        return self._callback.user_argument(link.row, link.generation, array)

    def flush(self) -> None:
        """Send what was asked for."""
        self._lib.ca_flush_io()

    def close(self) -> None:
        """Let go of all channels and of libca; after this no callback runs."""
        for name in list(self._links):
            self.clear(name)
        self._lib.close()
