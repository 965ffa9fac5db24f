"""Counter records, and what an independent client saw of them compared with what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from archioc.demo.updates import Update
from tests.processes.archiver import FAR_NS, Archiver
from tests.processes.archiver_answers import Event, History
from tests.processes.ca_watch import CaWatch

_COUNTER = """
record(calc, "{name}") {{ field(SCAN, "{scan}") field(INPA, "{name} NPP NMS") field(CALC, "A+1") }}
"""

TRANSIT_NS = 500_000_000
"""An update that another client received so long before a gap may still have been on its way when the gap began."""


@dataclass(frozen=True, slots=True)
class Counting:
    """A running archiver of counters and a client that watches them too."""

    archiver: Archiver
    watch: CaWatch
    names: list[str]


def counter_names(prefix: str, count: int) -> list[str]:
    """Names of so many counters."""
    return [f"{prefix}C{number:03d}" for number in range(count)]


def counter_database(names: Sequence[str], scan: str = ".1 second") -> str:
    """Records that each count up (`scan`: how often), so that every update has a value of its own, one more than the one before."""
    return "".join(_COUNTER.format(name=name, scan=scan) for name in names)


def missing(seen: Sequence[Update], history: History, until_ns: int) -> list[Update]:
    """Updates stamped before `until_ns` that are not stored with their stamp, value and alarm."""
    stored = {(sample.time_ns, sample.value, sample.severity, sample.status) for sample in history.true}
    return [one for one in seen if one.time_ns < until_ns and (one.time_ns, one.value, one.severity, one.status) not in stored]


def check_stored_once(updates: Sequence[Update], histories: Mapping[str, History]) -> None:
    """Each of these updates is stored with its stamp, value and alarm, and no sample of a channel twice."""
    by_channel: dict[str, list[Update]] = {}
    for update in updates:
        by_channel.setdefault(update.channel, []).append(update)
    for name, its_updates in by_channel.items():
        lost = missing(its_updates, histories[name], FAR_NS)
        assert not lost, f"{name}: {len(lost)} of {len(its_updates)} updates, first {lost[0]}"
    for name, history in histories.items():
        times = [sample.time_ns for sample in history.samples]
        assert len(set(times)) == len(times), name


def check_no_loss(seen: Mapping[str, Sequence[Update]], histories: Mapping[str, History], until_ns: int, gap_reason: str = "") -> None:
    """Every update stamped before `until_ns` (ns) is stored once; those that are not lie in a closed gap with this reason.

    seen: from the first update that the archiver can have had. Stored counts rise by one from sample to sample, but over such gaps.
    """
    for name, updates in seen.items():
        history = histories[name]
        gaps = [gap for gap in history.gaps(gap_reason) if gap.time_ns < until_ns]
        assert all(gap.end_ns is not None for gap in gaps), f"{name}: {gaps}"
        lost = missing(updates, history, until_ns)
        unexplained = [update for update in lost if not any(within(update, gap) for gap in gaps)]
        assert not unexplained, f"{name}: {len(unexplained)} of {len(updates)} updates, first {unexplained[0]}, gaps {gaps}"
        _check_steps(name, history, gaps)


def within(update: Update, gap: Event) -> bool:
    """Whether an update is explained by a closed gap. An IOC that is late in sending is late for the other client as well."""
    assert gap.end_ns is not None
    return gap.time_ns - TRANSIT_NS <= max(update.time_ns, update.received_ns) and update.time_ns <= gap.end_ns


def _check_steps(name: str, history: History, gaps: Sequence[Event]) -> None:
    counts = history.true
    for before, after in pairwise(counts):
        step = _count(after.value) - _count(before.value)
        across = any(before.time_ns <= (gap.end_ns or 0) and after.time_ns >= gap.time_ns - TRANSIT_NS for gap in gaps)
        assert step == 1 or (step > 1 and across), f"{name}: from {before} to {after}, gaps {gaps}"


def _count(value: object) -> float:
    assert isinstance(value, int | float)
    return value
