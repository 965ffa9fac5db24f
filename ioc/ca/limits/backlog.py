"""What waits for the clients of one server, in all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from archioc.core.machine.rate_limited_log import RateLimitedLog

MOST_BYTES = 2**26
"""64 MB. Each client has at most some 400 kB of it, see `outlet`."""

log = RateLimitedLog()


class Waiting(Protocol):
    """A circuit, as far as it keeps bytes for its client."""

    @property
    def address(self) -> str:
        """Where it comes from."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """What its client has not taken yet."""
        ...

    def cut(self) -> None:
        """End it at once; what waits is thrown away."""
        ...


class Backlog:
    """Ends the circuits for which most waits when more than `most` bytes wait in all. circuits: those that are served now."""

    def __init__(self, circuits: Iterable[Waiting], most: int = MOST_BYTES) -> None:
        self._circuits, self._most = circuits, most

    def check(self) -> None:
        """Look at all circuits. Whoever has more to wait for than its connection takes calls this."""
        by_size = sorted(((one.waiting_bytes, id(one), one) for one in self._circuits), reverse=True)
        total = sum(size for size, _, _ in by_size)
        for size, _, circuit in by_size:
            if total <= self._most:
                return
            total -= size
            log.warning("client_does_not_read", peer=circuit.address, waiting_bytes=size, most_of_all=self._most)
            circuit.cut()
