"""How many circuits the server has: in all, and from one address."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from archioc.core.machine.rate_limited_log import RateLimitedLog

MOST_CIRCUITS = 1000
"""Circuits at a time, where descriptors allow so many. One address has at most half of them."""

SPARE_DESCRIPTORS = 48
"""Descriptors that no circuit takes: table, registry, log, searches, and the pipes of the process that reads a file."""

FEWEST_CIRCUITS = 8
"""Circuits where descriptors are very scarce."""

log = RateLimitedLog()


class Place(Protocol):
    """A circuit, as far as it needs a place."""

    @property
    def address(self) -> str:
        """Where it comes from."""
        ...

    @property
    def is_unused(self) -> bool:
        """Whether its client has opened no channel, so that the client loses nothing when it has to connect again."""
        ...

    def close(self) -> None:
        """End it."""
        ...


def circuits_within(descriptors: int) -> int:
    """How many circuits there may be so that descriptors are left for the rest of the work."""
    return min(MOST_CIRCUITS, max(descriptors - SPARE_DESCRIPTORS, FEWEST_CIRCUITS))


class CircuitPlaces:
    """The places of one server. most: how many there are; one address has at most half of them.

    Where none is free, the oldest circuit without a channel gives its place to a newcomer: of the same address, where that has its share.
    So whoever only connects keeps nobody out.
    """

    def __init__(self, most: int) -> None:
        self.most, self.most_of_address = most, max(most // 2, 1)
        self._taken: dict[Place, None] = {}
        self._of_address: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Whether a circuit from this address may be served; the log has a line now and then when not."""
        if self._of_address[address] >= self.most_of_address:
            return self._make_room(address, address)
        return len(self._taken) < self.most or self._make_room(address, "")

    def take(self, circuit: Place) -> None:
        """The circuit has a place from now on."""
        self._taken[circuit] = None
        self._of_address[circuit.address] += 1

    def leave(self, circuit: Place) -> None:
        """The circuit has ended; where it has given its place away before, nothing changes."""
        if circuit not in self._taken:
            return
        del self._taken[circuit]
        self._of_address[circuit.address] -= 1
        if not self._of_address[circuit.address]:
            del self._of_address[circuit.address]

    def _make_room(self, newcomer: str, address: str) -> bool:
        """Whether a circuit, of this address or of any (empty), has given its place away."""
        unused = next((one for one in self._taken if one.is_unused and address in {"", one.address}), None)
        log.warning("too_many_circuits", peer=newcomer, open=len(self._taken), most=self.most, most_of_address=self.most_of_address)
        if unused is None:
            return False
        self.leave(unused)
        unused.close()
        return True
