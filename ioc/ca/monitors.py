"""The monitors of one client."""

from __future__ import annotations

from collections import defaultdict

from archioc.ioc.ca.limits.allowance import Allowance
from archioc.ioc.ca.outbox import Monitor, Outbox


class Monitors:
    """By the number that the client gave each of them, and by its channel.

    outbox: where they wait for their turn. allowance: shared with the other clients. peer: address of the client.
    """

    def __init__(self, outbox: Outbox, allowance: Allowance, peer: str) -> None:
        self._outbox, self._allowance, self._peer = outbox, allowance, peer
        self._monitors: dict[int, Monitor] = {}
        self._of_channel: defaultdict[int, set[Monitor]] = defaultdict(set)

    def add(self, monitor: Monitor) -> str:
        """Have a monitor told of changes; an earlier one under its number ends. Empty, or why there may be no more."""
        self.end(monitor.subscription)
        refused = self._allowance.take(len(self._monitors), self._peer)
        if refused:
            return refused
        self._monitors[monitor.subscription] = monitor
        self._of_channel[monitor.sid].add(monitor)
        monitor.pv.add_monitor(monitor)
        return ""

    def post(self, subscription: int) -> None:
        """Let the monitor of this number, if there still is one, be sent the newest value."""
        if monitor := self._monitors.get(subscription):
            monitor.post()

    def end(self, subscription: int) -> None:
        """Tell the monitor of this number, if there is one, nothing any more."""
        monitor = self._monitors.get(subscription)
        if monitor is not None:
            self._of_channel[monitor.sid].discard(monitor)
            self._forget(monitor)

    def end_of_channel(self, sid: int) -> None:
        """Tell the monitors of a channel nothing any more."""
        for monitor in self._of_channel.pop(sid, ()):
            self._forget(monitor)

    def _forget(self, monitor: Monitor) -> None:
        del self._monitors[monitor.subscription]
        self._allowance.give()
        monitor.pv.remove_monitor(monitor)
        self._outbox.forget(monitor)
