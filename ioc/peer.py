"""A Channel Access client: where its connection comes from, and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Peer:
    """A Channel Access client.

    address, port: where its connection comes from; these cannot be claimed.
    host, user: what it says about itself.
    view: the view whose PV it puts to, empty for any other PV.
    """

    address: str
    port: int
    host: str = ""
    user: str = ""
    view: str = ""

    @property
    def connection(self) -> tuple[str, int]:
        """Address and port: what tells one connection from all others."""
        return self.address, self.port

    def putting_to(self, view: str | None) -> Peer:
        """The same client, which puts to a PV of this view; None for a PV of no view."""
        return replace(self, view=view or "")

    def __str__(self) -> str:
        return f"{self.address} (user {self.user or 'unknown'})"
