"""What the ring and the spool lose is explained as such, channel by channel, at the moments that have no sample."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby

import pytest

from archioc.cli.explain.causes import Explanation
from archioc.cli.explain.evidence import gather
from archioc.core.config.file import load_config
from archioc.core.events import Reason
from archioc.engine.ca.ring import EventRing
from archioc.open_archive import open_reader
from tests.conftest import CountingFactory
from tests.processes.archiver import FAR_NS, Archiver, Blocks
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import Counting

SMALL = 1_000_000
"""Bytes of the ring and of the spool."""

LOST = 20
"""Updates of each channel, those of two seconds, at least."""
EXPLAINED = 5
"""Channels that are asked for."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]


def _dropped(archiver: Archiver) -> int:
    return archiver.overview().conservation.dropped


def _overflows(archiver: Archiver) -> int:
    """Updates that found the ring full; they are booked with the next commit."""
    ring = EventRing(archiver.directories.ring)
    ring.open()
    lost = int(ring.head["lost"][0])
    ring.close()
    return lost


def fill_spool(archiver: Archiver, channels: int) -> None:
    """The db process does nothing until the spool has dropped batches of some seconds."""
    writer = archiver.suspend_child("db")
    wait_until(lambda: _dropped(archiver) >= LOST * channels, 250, "the spool drops batches", 0.1)
    writer.resume()


def fill_ring(archiver: Archiver, channels: int) -> None:
    """The spool cannot be written until the ring has been full for some seconds."""
    tmp = archiver.directories.spool / "tmp"
    tmp.rename(tmp.with_name("tmp.away"))
    tmp.write_text("no directory")
    wait_until(lambda: archiver.overview().spool_error, 90, "the spool cannot be written")
    before = _overflows(archiver)
    wait_until(lambda: _overflows(archiver) >= before + LOST * channels, 250, "the ring is full", 0.1)
    tmp.unlink()
    tmp.with_name("tmp.away").rename(tmp)


@pytest.mark.parametrize(
    ("disturb", "more", "reason"),
    [
        (fill_spool, {"spool": {"max_bytes": SMALL}}, Reason.LOST_SPOOL_FULL),
        (fill_ring, {"archiver": {"ring_bytes": SMALL}}, Reason.LOST_OVERFLOW),
    ],
    ids=["spool", "ring"],
)
def test_the_longest_hole_is_explained(
    counting: CountingFactory, disturb: Callable[[Archiver, int], None], more: Blocks, reason: Reason
) -> None:
    """In the middle of the longest hole of a channel that counts ten times a second the loss is the cause."""
    load = counting(counts().fast_counters, more=more)
    disturb(load.archiver, len(load.names))
    load.archiver.wait_for_empty_spool()
    load.archiver.wait_for_samples(load.names[0], time.time_ns())
    load.archiver.wait_for_empty_spool()
    for channel in load.names[:EXPLAINED]:
        hole = longest_hole(load, channel)
        wait_until(lambda hole=hole, channel=channel: told(load, channel, reason, hole), 90, "the loss is told", 0.2)  # type: ignore[misc]
        [first, *_] = Explanation.of(gather(load_config(load.archiver.config), channel, hole, time.time_ns())).causes
        assert first.word == reason.word, first
        assert first.count > 0


def told(load: Counting, channel: str, reason: Reason, since_ns: int) -> bool:
    """Whether the store has an event with this reason since then."""
    reader = open_reader(load_config(load.archiver.config))
    found = any(event.reason is reason for event in reader.events(channel, since_ns, FAR_NS))
    reader.close()
    return found


def longest_hole(load: Counting, channel: str) -> int:
    """The middle (ns) of most updates in a row that another client saw and that are not stored."""
    reader = open_reader(load_config(load.archiver.config))
    chunks = reader.samples(channel, 0, FAR_NS)
    times = {time_ns for chunk in chunks for time_ns in chunk.time.tolist()}
    reader.close()
    newest = max(times)
    seen = [update.time_ns for update in load.watch.updates_of(channel) if update.time_ns <= newest]
    runs = [list(run) for stored, run in groupby(seen, times.__contains__) if not stored]
    longest = max(runs, key=len, default=[])
    assert len(longest) > LOST // 2, f"{channel}: {len(times)} samples without a hole"
    return (longest[0] + longest[-1]) // 2
