"""What the ring and the spool lose is explained as such, channel by channel, at the moments that have no sample."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from archioc.cli.explaining.causes import Explanation
from archioc.cli.explaining.evidence import gather
from archioc.core.config_file import load_config
from archioc.core.events import Reason
from archioc.core.timestamp import SECOND
from archioc.reading import open_reader
from engine.ring import EventRing
from tests.conftest import CountingFactory
from tests.counters import Counting
from tests.processes.archiver import FAR_NS, Archiver, Blocks
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

SMALL = 1_000_000
"""Bytes of the ring and of the spool."""

LOST_S = 2.0
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


def fill_spool(archiver: Archiver) -> None:
    """The db process does nothing until the spool has dropped batches of some seconds."""
    writer = archiver.suspend_child("db")
    wait_until(lambda: _dropped(archiver), 200, "the spool drops a batch", 0.1)
    time.sleep(LOST_S)
    writer.resume()


def fill_ring(archiver: Archiver) -> None:
    """The spool cannot be written until the ring has been full for some seconds."""
    tmp = archiver.directories.spool / "tmp"
    tmp.rename(tmp.with_name("tmp.away"))
    tmp.write_text("no directory")
    wait_until(lambda: archiver.overview().spool_error, 30, "the spool cannot be written")
    before = _overflows(archiver)
    wait_until(lambda: _overflows(archiver) > before, 200, "the ring is full", 0.1)
    time.sleep(LOST_S)
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
    counting: CountingFactory, disturb: Callable[[Archiver], None], more: Blocks, reason: Reason
) -> None:
    """In the middle of the longest hole of a channel that counts ten times a second the loss is the cause."""
    load = counting(counts().fast_counters, more=more)
    disturb(load.archiver)
    load.archiver.wait_for_empty_spool(60)
    load.archiver.wait_for_samples(load.names[0], time.time_ns(), 60)
    for channel in load.names[:EXPLAINED]:
        hole = longest_hole(load, channel)
        wait_until(lambda hole=hole, channel=channel: told(load, channel, reason, hole), 30, "the loss is told", 0.2)  # type: ignore[misc]
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
    """The middle of it (ns); it is longer than a second."""
    reader = open_reader(load_config(load.archiver.config))
    chunks = reader.samples(channel, 0, FAR_NS)
    times: list[int] = [time_ns for chunk in chunks for time_ns in chunk.time.tolist()]
    reader.close()
    before, after = max(pairwise(times), key=lambda pair: pair[1] - pair[0])
    assert after - before > SECOND, f"{channel}: {len(times)} samples without a hole"
    return (before + after) // 2
