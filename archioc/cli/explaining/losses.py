"""Losses and refusals that events tell of: which of them concern a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archioc.cli.explaining.evidence import Evidence
from archioc.cli.explaining.verdict import Cause
from archioc.core.events import ChannelEvent, Reason
from archioc.core.timestamp import SECOND

TOLD_WITHIN_NS = 12 * SECOND
"""Losses are told at once, then at most every 10 s, with what was lost meanwhile (`docs/reference/contract/events.md`)."""

EARLIER_NS = 2 * SECOND
"""The first event of a loss may bear a time so long after or before the moment."""

_TEXTS = {
    Reason.LOST_OVERFLOW: "updates were lost because the event ring was full",
    Reason.LOST_QUOTA: "samples were beyond the quota of the channel",
    Reason.LOST_SPOOL_FULL: "samples were dropped because the spool had reached its limits",
}


def loss_causes(evidence: Evidence) -> Iterator[Cause]:
    """Overflow and quota within the time in which they are told, what a full spool dropped, refusals at their batch."""
    _, high = evidence.hole
    for event in evidence.events:
        since = event.time_ns - evidence.t_ns
        if event.reason in {Reason.LOST_OVERFLOW, Reason.LOST_QUOTA} and -EARLIER_NS <= since <= TOLD_WITHIN_NS:
            yield _loss(event)
        elif event.reason is Reason.REJECTED and event.count and -EARLIER_NS <= since <= TOLD_WITHIN_NS:
            yield Cause(
                "rejected", f"the store refused {event.count} samples for good: {event.text}", start_ns=event.time_ns, count=event.count
            )
        elif event.reason is Reason.LOST_SPOOL_FULL and since >= -EARLIER_NS and event.time_ns <= high + TOLD_WITHIN_NS:
            yield _loss(event)


def later_drops(evidence: Evidence) -> Iterator[Cause]:
    """What a full spool drops may have waited long: of such a sample an event far behind the hole tells."""
    _, high = evidence.hole
    dropped = [one for one in evidence.events if one.reason is Reason.LOST_SPOOL_FULL and one.time_ns > high + TOLD_WITHIN_NS]
    if dropped:
        yield replace(_loss(dropped[0]), certain=False)


def _loss(event: ChannelEvent) -> Cause:
    text = f"{event.count} {_TEXTS[event.reason]}; the event tells until when, not which"
    return Cause(event.reason.word, text, start_ns=event.time_ns, count=event.count)
