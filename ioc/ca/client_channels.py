"""The channels that one client has open."""

from __future__ import annotations

from collections.abc import Callable

from archioc.core.machine.rate_limited_log import RateLimitedLog
from archioc.ioc.ca import messages
from archioc.ioc.ca.limits.allowance import Allowance
from archioc.ioc.ca.limits.open_views import MAX_VIEWS_OF_CLIENT, OpenViews
from archioc.ioc.ca.limits.time_slice import LoopSharing, TimeSlice
from archioc.ioc.ca.monitors import Monitors
from archioc.ioc.ca.outbox import Outbox
from archioc.ioc.ca.pv import PV
from archioc.ioc.ca.served_channel import ServedChannel

log = RateLimitedLog()


class ClientChannels:
    """By the number that the server gives each of them (sid).

    allowance: shared with the other clients. outbox: sends what happens to channels without a request. peer: address of the client.
    """

    def __init__(self, allowance: Allowance, sharing: LoopSharing, monitors: Monitors, outbox: Outbox, peer: str) -> None:
        self._allowance, self._sharing, self._monitors, self._outbox, self._peer = allowance, sharing, monitors, outbox, peer
        self._channels: dict[int, ServedChannel] = {}
        self._views = OpenViews()
        self._next_sid = 1

    def __len__(self) -> int:
        return len(self._channels)

    def get(self, sid: int) -> ServedChannel | None:
        """The channel of this number; None where the client has none, or none any more."""
        return self._channels.get(sid)

    def open(self, cid: int, pv: PV, long_string: bool) -> ServedChannel | None:
        """One more channel, unless a limit forbids it. cid: the client's own number for it."""
        if self._allowance.take(len(self._channels), self._peer):
            return None
        if not self._views.admit(pv):
            self._allowance.give()
            log.warning("too_many_views", peer=self._peer, pv=pv.name, views=MAX_VIEWS_OF_CLIENT)
            return None
        channel = ServedChannel(self._next_sid, cid, pv, long_string)
        self._next_sid += 1
        self._channels[channel.sid] = channel
        return channel

    def close(self, channel: ServedChannel) -> None:
        """One channel less, and its monitors."""
        del self._channels[channel.sid]
        self._allowance.give()
        self._views.leave(channel.pv)
        self._monitors.end_of_channel(channel.sid)
        self._outbox.forget_notices(channel.cid)

    async def close_all(self) -> None:
        """The client has gone."""
        slice_ = TimeSlice(self._sharing)
        while self._channels:
            self.close(next(reversed(self._channels.values())))
            await slice_.give_way()

    async def send_rights(self, may_write: Callable[[PV], bool]) -> None:
        """Tell the client which of them it may write now."""
        slice_ = TimeSlice(self._sharing)
        for sid in list(self._channels):
            await slice_.give_way()
            channel = self._channels.get(sid)
            if channel is not None and channel.pv.spec.access != "read":
                rights = messages.access_rights(channel.cid, read=True, write=may_write(channel.pv))
                self._outbox.notify(channel.cid, rights)

    async def drop(self, gone: Callable[[PV], bool]) -> None:
        """Take channels from the client whose PVs are no longer there."""
        slice_ = TimeSlice(self._sharing)
        for sid in list(self._channels):
            await slice_.give_way()
            channel = self._channels.get(sid)
            if channel is not None and gone(channel.pv):
                self.close(channel)
                self._outbox.notify(channel.cid, messages.channel_gone(channel.cid))
