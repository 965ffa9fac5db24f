"""Losses and refusals that events tell of: which of them concern a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archioc.cli.explain.evidence import Evidence
from archioc.cli.explain.verdict import Cause
from archioc.core.events import ChannelEvent, Reason
from archioc.core.timestamp import SECOND

TOLD_WITHIN_NS = 12 * SECOND
"""Losses are told at once, then at most every 10 s, with what was lost meanwhile (`docs/reference/contract/events.md`)."""

EARLIER_NS = 2 * SECOND
"""The first event of a loss may bear a time so long after or before the moment."""

WIDER = 1.5
"""Times the usual spacing of samples: a hole up to this is none."""

_TEXTS = {
    Reason.LOST_OVERFLOW: "updates were lost because the event ring was full",
    Reason.LOST_QUOTA: "samples were beyond the quota of the channel",
    Reason.LOST_SPOOL_FULL: "samples were dropped because the spool had reached its limits",
}


def loss_causes(evidence: Evidence) -> Iterator[Cause]:
    """Overflow and quota within the time in which they are told, what a full spool dropped, refusals at their batch."""
    for event in evidence.events:
        since = event.time_ns - evidence.t_ns
        soon = -EARLIER_NS <= since <= TOLD_WITHIN_NS
        if event.reason is Reason.REJECTED and event.count and soon:
            text = f"the store refused {event.count} samples for good: {event.text}"
            yield Cause("rejected", text, start_ns=event.time_ns, count=event.count)
        elif _concerns(evidence, event, soon=soon):
            yield _loss(event)


def _concerns(evidence: Evidence, event: ChannelEvent, *, soon: bool) -> bool:
    """Whether a loss lies in the hole. soon: it was told soon after the moment."""
    match event.reason:
        case Reason.LOST_QUOTA:
            return soon and (not event.archiver or _wide(evidence))  # the others may have it
        case Reason.LOST_OVERFLOW:
            return soon and _wide(evidence)
        case Reason.LOST_SPOOL_FULL:
            _, high = evidence.hole
            return evidence.t_ns - EARLIER_NS <= event.time_ns <= high + TOLD_WITHIN_NS and _wide(evidence)
        case _:
            return False


def later_drops(evidence: Evidence) -> Iterator[Cause]:
    """What a full spool drops may have waited long: of such a sample an event far behind the hole tells."""
    _, high = evidence.hole
    dropped = [one for one in evidence.events if one.reason is Reason.LOST_SPOOL_FULL and one.time_ns > high + TOLD_WITHIN_NS]
    if dropped and _wide(evidence):
        yield replace(_loss(dropped[0]), certain=False)


def _wide(evidence: Evidence) -> bool:
    """Whether the hole is wider than samples of the channel are apart anyway; a channel that lost some lost none of the others."""
    low, high = evidence.hole
    return high - low > WIDER * evidence.stored.spacing_ns


def _loss(event: ChannelEvent) -> Cause:
    by = f" (archiver {event.archiver})" if event.archiver else ""
    text = f"{event.count} {_TEXTS[event.reason]}{by}; the event tells until when, not which"
    return Cause(event.reason.word, text, start_ns=event.time_ns, count=event.count)
