from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from archioc.core.encoding.compression import decompress
from archioc.core.encoding.escaping import split_lines
from archioc.core.encoding.line_protocol import LineEncoder
from archioc.core.errors import StoreRejected, StoreTooLarge
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool import SpoolFile
from db.influx_bisection import MAX_REFUSALS, write_lines
from tests.batches import Point, make_batch, spool_file


@dataclass
class PickyServer:
    """Takes bodies of at most `most` lines without a bad value, all or nothing, as InfluxDB 2.x does."""

    most: int = 1_000_000
    taken: set[bytes] = field(default_factory=set)
    requests: int = 0

    def post(self, body: bytes) -> None:
        self.requests += 1
        lines = split_lines(decompress(body))
        if len(lines) > self.most:
            raise StoreTooLarge("413 too large")
        if any(b"value=-1.0" in line for line in lines):
            raise StoreRejected("400 a bad line")
        self.taken.update(lines)


def a_file(values: list[float]) -> SpoolFile:
    points = [Point(f"PV{at % 3}", at, value) for at, value in enumerate(values)]
    return spool_file(LineEncoder("x"), make_batch(points, [ChannelEvent("PV0", 1, Reason.DISABLED)]))


@given(st.lists(st.booleans(), max_size=60), st.sampled_from([1, 5, 1000]))
def test_exactly_the_bad_lines_are_refused(bad: list[bool], most: int) -> None:
    """Every good line is taken, every bad one told and counted for its channel, also by a server with a small limit."""
    server = PickyServer(most)
    file = a_file([-1.0 if is_bad else 1.0 for is_bad in bad])
    outcome = write_lines(file, server.post)
    assert outcome.rejected.tolist() == [sum(bad[channel::3]) for channel in range(len(file.counts))]
    lines = split_lines(decompress(file.payload))
    refused = [line for refusal in outcome.refusals for line in split_lines(refusal.content)]
    assert sorted(refused) == sorted(line for line in lines if b"value=-1.0" in line)
    assert server.taken == set(lines) - set(refused)


def test_requests_are_bounded() -> None:
    """A file full of bad lines costs a bounded number of requests, and all of it is told."""
    server = PickyServer()
    file = a_file([-1.0] * 5000)
    outcome = write_lines(file, server.post)
    assert int(outcome.rejected.sum()) == 5000
    assert server.requests <= 2 * MAX_REFUSALS + 2
    assert sum(len(split_lines(refusal.content)) for refusal in outcome.refusals) == 5001 - len(server.taken)
