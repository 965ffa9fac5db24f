"""A put that is to be carried out, and what `Result` says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from archioc.ioc.peer import Peer
from archioc.ioc.registry.audit import AuditEntry
from archioc.ioc.registry.change import Change

Planner = Callable[[], Awaitable[Change]]
Describer = Callable[[Change], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class PutRequest:
    """A put that is to be carried out.

    old, new: values, for the audit. describe: what `Result` says of its change. dry: nothing is to be changed.
    """

    pv: str
    new: str
    peer: Peer
    plan: Planner
    describe: Describer
    old: str = ""
    dry: bool = False

    def entry(self, time_ns: int, outcome: str = "done") -> AuditEntry:
        """What the audit keeps of it."""
        return AuditEntry(time_ns, self.peer, self.pv, self.old, self.new, outcome)


def saying(text: str) -> Describer:
    """Says the same of every change."""

    async def describe(_: Change) -> str:
        return text

    return describe


async def counted(change: Change) -> str:
    """A change in words, as `Result` shows it."""
    if change.renamed:
        return f"renamed {_channels(len(change.renamed))}"
    for word, channels in (("added", change.added), ("removed", change.removed), ("changed", change.changed)):
        if channels:
            return f"{word} {_channels(len(channels))}"
    return "nothing to do"


def _channels(count: int) -> str:
    return f"{count} channel{'s' if count != 1 else ''}"
