"""The rules by which evidence becomes causes, the one that holds first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from archioc.cli.explain.evidence import RESUMED_NS, Evidence
from archioc.cli.explain.filters import filter_causes
from archioc.cli.explain.leaving import left_causes
from archioc.cli.explain.losses import later_drops, loss_causes
from archioc.cli.explain.verdict import Cause
from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.spool.batch import SampleFlag
from archioc.core.table.table import ChannelState
from archioc.core.timestamp import SECOND, format_local, format_span

COMMIT_SLACK_S = 2.0
"""From receiving a value until it is stored, beside the commit interval (s)."""

Rule = Callable[[Evidence], Iterator[Cause]]

_GAP_TEXTS = {
    Reason.DISCONNECTED: "the IOC was not reachable, or no server answered for the channel",
    Reason.NO_VALUE: "the channel was connected, but no value was archived",
    Reason.DISABLED: "archiving was switched off",
    Reason.GROUP_OFF: "its group was off",
    Reason.ARCHIVER_STOP: "the archiver was stopped",
    Reason.ENGINE_RESTART: "the engine was not running (crash or reboot)",
    Reason.STORE_DAMAGED: "it was in a file of the store that was damaged and set aside",
    Reason.STORE_LOST: "the store has lost what it had acknowledged",
    Reason.DELETED: "somebody deleted what was stored, the audit says who",
}

_NOT_ARCHIVING = {
    ChannelState.DISABLED: "disabled",
    ChannelState.GROUP_OFF: "group_off",
    ChannelState.CONNECTING: "disconnected",
    ChannelState.DISCONNECTED: "disconnected",
    ChannelState.REJECTED: "rejected",
}


def causes(evidence: Evidence) -> list[Cause]:
    """All that explains the moment, the true cause first; each word once. There is always one.

    What follows from settings and counters is asked for only where no event or file tells.
    """
    found: dict[str, Cause] = {}
    for rules in (_FACTS, _INFERENCES):
        for rule in rules:
            for cause in rule(evidence):
                found.setdefault(cause.word, cause)
        if any(cause.certain for cause in found.values()):
            break
    if not found:
        found |= {cause.word: cause for cause in _no_update(evidence)}
    for cause in _circumstances(evidence):
        found.setdefault(cause.word, cause)
    return list(found.values()) or [Cause("unknown", "nothing is known that explains it", certain=False)]


def _future(evidence: Evidence) -> Iterator[Cause]:
    if evidence.t_ns > evidence.now_ns:
        yield Cause("future", "the moment has not come yet")


def _bad_time(evidence: Evidence) -> Iterator[Cause]:
    sample = evidence.sample
    if sample is not None and int(sample.flags[0]) & SampleFlag.RESTAMPED:
        stamp = format_local(int(sample.src_time[0]))
        yield Cause("bad_time", f"the IOC's own stamp ({stamp}) could not be used; the sample is stored under its receive time")


def _stored(evidence: Evidence) -> Iterator[Cause]:
    if evidence.sample is not None:
        yield Cause("stored", "there is a sample of this moment")


def _retention(evidence: Evidence) -> Iterator[Cause]:
    if evidence.retention_s is not None and evidence.t_ns < evidence.now_ns - evidence.retention_s * SECOND:
        yield Cause("retention", f"the store keeps samples for {format_span(evidence.retention_s)}")


def _never_archived(evidence: Evidence) -> Iterator[Cause]:
    stored = evidence.stored
    nothing = stored.before is None and stored.after is None and not evidence.events and not evidence.spooled
    if evidence.archived is None and nothing and not stored.error:
        removed = [put for put in evidence.puts if put.command.startswith("Remove")]
        if not removed:
            whose = f"; it belongs to {evidence.owner}" if evidence.owner else ""
            yield Cause("not_archived", f"there is no such channel in this archive, and there are no samples of it{whose}")


def _gap(evidence: Evidence) -> Iterator[Cause]:
    """The gap that covers the moment. An open one that has a sample behind its start is over: its end was lost."""
    low, _ = evidence.hole
    for event in reversed(evidence.events):
        if event.reason not in GAPS or event.time_ns > evidence.t_ns:
            continue
        over = low > event.time_ns if event.end_ns is None else event.end_ns < evidence.t_ns
        if not over:
            yield _gap_cause(event)


def _refused(evidence: Evidence) -> Iterator[Cause]:
    """Values have been refused since the last sample; a gap that began before that is over, though no value has ended it."""
    low, _ = evidence.hole
    before = [event for event in evidence.events if low <= event.time_ns <= evidence.t_ns]
    states = [event for event in before if event.reason in GAPS or (event.reason is Reason.REJECTED and not event.count)]
    if states and states[-1].reason is Reason.REJECTED:
        yield Cause("rejected", f"values of the channel were refused: {states[-1].text}", start_ns=states[-1].time_ns)


def _gap_cause(event: ChannelEvent) -> Cause:
    text = _GAP_TEXTS[event.reason]
    if event.reason is Reason.DISCONNECTED and event.text:
        text = "the channel was not connected"  # and what the engine knows of the cause
    return Cause(event.reason.word, f"{text}: {event.text}" if event.text else text, start_ns=event.time_ns, end_ns=event.end_ns)


def _not_yet_added(evidence: Evidence) -> Iterator[Cause]:
    stored = evidence.stored
    if stored.before is not None or stored.error:
        return
    known = [event.time_ns for event in evidence.events]
    known += [] if stored.after is None else [int(stored.after.time[0])]
    known += [time_ns for batch in evidence.spooled for time_ns in batch.times]
    added = [put for put in evidence.puts if put.command.startswith("Add")]
    begin = min(known, default=added[-1].time_ns if added else None)
    if begin is not None and evidence.t_ns < begin:
        who = f", added by {added[0].who}" if added else ""
        text = f"the channel was not archived yet{who}; the first that is known of it is of {format_local(begin)}"
        yield Cause("not_yet_added", text, end_ns=begin)


def _quarantined(evidence: Evidence) -> Iterator[Cause]:
    low, high = evidence.hole
    for entry in evidence.quarantined:
        here = [time_ns for time_ns in entry.times if low < time_ns < high]
        if here:
            text = f"the store has refused {len(here)} samples for good; the quarantine has them (batch {entry.batch_id}): {entry.words}"
            yield Cause("quarantined", text, start_ns=here[0], end_ns=here[-1], count=len(here))


def _pending(evidence: Evidence) -> Iterator[Cause]:
    """Samples of the hole that wait for the store."""
    low, high = evidence.hole
    here = sorted(time_ns for batch in evidence.spooled for time_ns in batch.times if low < time_ns <= high)
    if here:
        batches = sum(any(low < time_ns <= high for time_ns in batch.times) for batch in evidence.spooled)
        why = f"; the store does not take them: {evidence.live.store_error}" if evidence.live.store_error else ""
        why = why if evidence.live.running else "; no archiver runs to send them"
        text = f"{len(here)} samples are in the spool ({batches} batches) and not in the store yet{why}"
        yield Cause("pending", text, start_ns=here[0], end_ns=here[-1], count=len(here))


def _nobody_collects(evidence: Evidence) -> Iterator[Cause]:
    """After the last sign of collecting: the event is not written before the next start. Others may collect."""
    live = evidence.live
    if evidence.archived is None or evidence.stored.others or live.running or not live.collected_ns or evidence.t_ns <= live.collected_ns:
        return
    if live.stopped:
        yield Cause("archiver_stop", "no archiver runs; it was stopped", start_ns=live.collected_ns)
    else:
        yield Cause("engine_restart", "no archiver runs; it died, or the machine did", start_ns=live.collected_ns)


def _uncommitted(evidence: Evidence) -> Iterator[Cause]:
    live = evidence.live
    if evidence.archived is None or not live.running or evidence.stored.after is not None or evidence.t_ns > evidence.now_ns:
        return
    if live.spool_error:
        yield Cause("pending", f"values wait in the event ring: the spool cannot be written: {live.spool_error}", certain=False)
        return
    since_ns = evidence.now_ns - (evidence.commit_s + COMMIT_SLACK_S) * SECOND
    if live.channel is not None and live.channel.received_ns >= evidence.t_ns > since_ns:
        text = f"a value has come and is on its way: batches are committed every {evidence.commit_s:g} s"
        yield Cause("pending", text, certain=False)


def _not_archiving_now(evidence: Evidence) -> Iterator[Cause]:
    """What the channel does now, where no event tells of the moment; with other archivers it may do well there."""
    channel = evidence.live.channel
    if (
        channel is None
        or evidence.stored.others
        or not evidence.live.running
        or evidence.stored.after is not None
        or evidence.t_ns > evidence.now_ns
    ):
        return
    word = _NOT_ARCHIVING.get(channel.state)
    if word is not None:
        state = channel.state.name.lower().replace("_", " ")
        yield Cause(word, f"the channel is {state} now: {channel.reason or 'no reason is told'}", certain=False)


def _type_changed(evidence: Evidence) -> Iterator[Cause]:
    for event in _of_the_hole(evidence, Reason.TYPE_CHANGED):
        text = f"the channel came back as another, values of the old type are left out: {event.text}"
        yield Cause("type_changed", text, start_ns=event.time_ns)


def _circumstances(evidence: Evidence) -> Iterator[Cause]:
    """What else happened in the hole; it explains nothing where something else does."""
    for event in _of_the_hole(evidence, Reason.SETTINGS_CHANGED):
        yield Cause("settings_changed", f"settings were changed: {event.text}", start_ns=event.time_ns)
    for event in _of_the_hole(evidence, Reason.BAD_TIME):
        text = f"the IOC's stamps became unusable ({event.text}); samples are stored under their receive time"
        yield Cause("bad_time", text, start_ns=event.time_ns)


def _of_the_hole(evidence: Evidence, reason: Reason) -> list[ChannelEvent]:
    """Moments up to the sample at the end of the hole, which may have come just before the event."""
    low, high = evidence.hole
    return [event for event in evidence.events if event.reason is reason and low - RESUMED_NS <= event.time_ns <= high + RESUMED_NS]


def _store_away(evidence: Evidence) -> Iterator[Cause]:
    if evidence.stored.error:
        yield Cause("store_unavailable", f"what is stored is not known: {evidence.stored.error}", certain=False)


def _elsewhere(evidence: Evidence) -> Iterator[Cause]:
    """A value has come since the newest sample before the moment, under a stamp that lies elsewhere in time."""
    channel, (low, _) = evidence.live.channel, evidence.hole
    if channel is None or evidence.stored.after is not None or not low <= channel.received_ns <= evidence.now_ns or channel.time_ns > low:
        return
    if channel.received_ns > low + RESUMED_NS and low - channel.time_ns > RESUMED_NS:
        came, stamp = format_local(channel.received_ns), format_local(channel.time_ns)
        text = f"values came, but under stamps of an earlier time: the newest came at {came} with the stamp {stamp}"
        yield Cause("late", f"{text}, and is stored there", certain=False, start_ns=channel.time_ns)


def _no_update(evidence: Evidence) -> Iterator[Cause]:
    """Nothing else holds: the value did not change, as far as the IOC told."""
    channel, archived = evidence.live.channel, evidence.archived
    if archived is None or evidence.t_ns > evidence.now_ns:
        return
    if evidence.stored.before is None and evidence.stored.after is None:
        if channel is not None and channel.received_ns:
            text = f"values were received, the newest at {format_local(channel.received_ns)}, but none is in the store; the log may say why"
            yield Cause("unknown", text, certain=False)
        else:
            yield Cause("no_update", "nothing was received of this channel, and nothing is known that kept it out", certain=False)
        return
    low, _ = evidence.hole
    certain = channel is not None and (channel.filtered == 0 or (evidence.stored.after is None and channel.time_ns <= low))
    lasting = f" ({format_span((evidence.t_ns - low) / SECOND)} since the last one)" if low else ""
    text = f"the IOC sent no new value{lasting}; the dead band of the record (ADEL) may suppress small changes"
    yield Cause("no_update", text, certain=certain)


_FACTS: tuple[Rule, ...] = (
    _future,
    _bad_time,
    _stored,
    _retention,
    _never_archived,
    _refused,
    _gap,
    _not_yet_added,
    _quarantined,
    _pending,
    left_causes,
    loss_causes,
    _type_changed,
)
"""What the store, an event or a file tells."""

_INFERENCES: tuple[Rule, ...] = (_nobody_collects, _uncommitted, _not_archiving_now, _elsewhere, filter_causes, later_drops, _store_away)
"""What follows from settings, counters and the state of things now."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A moment of a channel explained. causes: the true one first."""

    evidence: Evidence
    causes: tuple[Cause, ...]

    @classmethod
    def of(cls, evidence: Evidence) -> Explanation:
        """By the rules."""
        return cls(evidence, tuple(causes(evidence)))
