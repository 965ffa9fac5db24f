"""Channels that are not archived any more: who removed them, or which shard has them now."""

from __future__ import annotations

from collections.abc import Iterator

from archioc.cli.explain.evidence import RESUMED_NS, Evidence
from archioc.cli.explain.verdict import Cause
from archioc.core.events import GAPS, ChannelEvent, Reason

MOVED = "moved to "
"""How the text of an event `removed` begins that tells of another shard."""


def left_causes(evidence: Evidence) -> Iterator[Cause]:
    """The event of the removal, else the put, else that the channel is not archived now."""
    stored = evidence.stored
    if evidence.sample is not None:
        return
    removed = [put for put in evidence.puts if put.command.startswith("Remove") and put.time_ns <= evidence.t_ns]
    event = _told(evidence)
    if event is not None and event.text.startswith(MOVED):
        shard = event.text.removeprefix(MOVED)
        yield Cause("moved", f"the channel has moved to {shard}, which archives it since: ask there", start_ns=event.time_ns)
    elif event is not None:
        by = f" by {removed[-1].who}" if removed else ""
        yield Cause("removed", f"the channel was removed{by}", start_ns=event.time_ns)
    elif evidence.archived is not None or stored.after is not None:
        return
    elif removed:
        yield Cause("removed", f"the channel was removed by {removed[-1].who}", start_ns=removed[-1].time_ns)
    elif evidence.owner and stored.before is not None:
        yield Cause("moved", f"the channel belongs to {evidence.owner} and is not archived here any more: ask there", certain=False)
    elif stored.before is not None:
        text = "the channel is not archived any more; no put to Remove is known, so the file no longer names it, or the audit has forgotten"
        yield Cause("removed", text, certain=False)


def _told(evidence: Evidence) -> ChannelEvent | None:
    """The event of the removal in force at the moment: this archiver has collected nothing since, nor has another."""
    low, _ = evidence.hole
    before = [event for event in evidence.own_events if event.time_ns <= evidence.t_ns and event.reason in GAPS | {Reason.REMOVED}]
    if not before or before[-1].reason is not Reason.REMOVED or (evidence.stored.others and evidence.stored.after is not None):
        return None
    return before[-1] if low <= before[-1].time_ns + RESUMED_NS else None
