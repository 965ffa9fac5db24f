"""How much of something the clients of one server may have open: one of them, and all together."""

from __future__ import annotations

from archioc.core.machine.rate_limited_log import RateLimitedLog

CHANNELS_OF_CLIENT, CHANNELS = 50_000, 100_000
"""Channels that clients have open; one that is monitored costs 2 to 4 kB."""

MONITORS_OF_CLIENT, MONITORS = 200_000, 250_000
"""Subscriptions; a further one to the same PV costs some 0.5 kB."""

log = RateLimitedLog()


class Allowance:
    """Counts what all clients have. what: for the log, in the plural."""

    def __init__(self, what: str, most_of_client: int, most: int) -> None:
        self._what, self._most_of_client, self._most = what, most_of_client, most
        self._taken = 0

    def take(self, held: int, peer: str) -> str:
        """Take one more for a client that has `held`; empty, or why it may not. peer: its address, for the log."""
        if held >= self._most_of_client:
            rule = f"a client may have {self._most_of_client} {self._what} open"
        elif self._taken >= self._most:
            rule = f"all clients together may have {self._most} {self._what} open"
        else:
            self._taken += 1
            return ""
        log.warning("too_much_open", peer=peer, rule=rule)
        return rule

    def give(self) -> None:
        """One is closed."""
        self._taken -= 1
