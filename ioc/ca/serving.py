"""What the circuits of one server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from archioc.core.errors import ArchiocError, CommandRefused
from archioc.ioc.ca.limits.allowance import Allowance
from archioc.ioc.ca.limits.backlog import Backlog
from archioc.ioc.ca.limits.put_rate import PutRate
from archioc.ioc.ca.limits.time_slice import LoopSharing
from archioc.ioc.ca.pv import PV
from archioc.ioc.peer import Peer


class PvNames(Protocol):
    """The PVs that are served, by name."""

    def has(self, name: str) -> bool:
        """Whether there is such a PV; must be cheap, every search asks."""
        ...

    async def open(self, name: str) -> tuple[PV, bool]:
        """The PV of a name, and whether its text is wanted as characters (`$`). Raises KeyError."""
        ...

    def forget(self, gone: Callable[[PV], bool]) -> None:
        """Serve these PVs no more."""
        ...


class PutAudit(Protocol):
    """Where the server reports puts that it refuses."""

    async def make_room_for_notes(self) -> None:
        """Wait until another refusal can be kept."""
        ...

    async def forbid(self, pv: str, value: str, peer: Peer) -> CommandRefused:
        """Count and audit the put of a peer that may not write; the refusal to raise."""
        ...

    async def refuse_unreadable(self, pv: str, value: str, error: ArchiocError, peer: Peer) -> CommandRefused:
        """Audit a put whose value is not of a kind that the PV accepts; the refusal to raise."""
        ...


@dataclass(frozen=True, slots=True)
class Serving:
    """What the circuits of one server share.

    sharing: decides which circuit continues with work that takes long. tcp_port: the port of the circuits, for search replies.
    may_write: whether a client may write a PV. has_rights: whether there is any right that a client has.
    channels, monitors: how many clients may have. backlog: what waits for all of them. put_rate: of clients without rights.
    """

    names: PvNames
    audit: PutAudit
    sharing: LoopSharing
    tcp_port: int
    may_write: Callable[[PV, Peer], bool]
    has_rights: Callable[[Peer], bool]
    channels: Allowance
    monitors: Allowance
    backlog: Backlog
    put_rate: PutRate
