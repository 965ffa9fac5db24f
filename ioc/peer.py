"""A Channel Access client: where its connection comes from, and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A Channel Access client.

    address, port: where its connection comes from; these cannot be claimed.
    host, user: what it says about itself.
    """

    address: str
    port: int
    host: str = ""
    user: str = ""

    def __str__(self) -> str:
        return f"{self.address} (user {self.user or 'unknown'})"
