"""Which channels have been handed over: the shard to which they moved has had its time to take them up."""

from __future__ import annotations

from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.content import Content


def channels_due(content: Content, now_ns: int) -> tuple[ArchivedChannel, ...]:
    """The channels whose time here is over at a moment (ns since 1970)."""
    over = [name for name, handover in content.handed_over.items() if handover.leaves and handover.ends_ns <= now_ns]
    return tuple(content.channels[name] for name in over)
