from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.errors import StoreRejected, StoreTooLarge
from archioc.core.spool.encoding.compression import decompress
from archioc.core.spool.encoding.escaping import split_lines, time_of_line
from archioc.db.influx import bisection as influx_bisection
from archioc.db.influx.bisection import MAX_REFUSALS, Lines, Verdict, send_lines

GOOD, BAD, OLD = "good", "bad", "old"
OLDEST = 10_000


@dataclass
class PickyServer:
    """Takes bodies of at most `most` lines, and of these the good ones.

    keeps: whether it stores good lines beside others (1.x) or none (3.x). tells: whether it says how many it dropped.
    wordy: whether it speaks of lines that are too old as 2.7.12 does, in words so long that their end is cut off.
    """

    most: int = 1_000_000
    keeps: bool = True
    tells: bool = True
    wordy: bool = False
    taken: set[bytes] = field(default_factory=set)
    requests: int = 0

    def post(self, body: bytes) -> None:
        self.requests += 1
        lines = split_lines(decompress(body))
        if len(lines) > self.most:
            raise StoreTooLarge("413 too large")
        bad = [line for line in lines if b"value=-1.0" in line]
        old = [line for line in lines if time_of_line(line) < OLDEST and line not in bad]
        if self.keeps or not (bad or old):
            self.taken.update(line for line in lines if line not in bad and line not in old)
        # As InfluxDB 1.x: who is told of one kind does not hear of the other.
        if bad:
            raise StoreRejected("400 partial write: field type conflict" + (f" dropped={len(bad)}" if self.tells else ""))
        if old and self.wordy:
            raise StoreRejected(f"422 failure writing points: partial write: dropped {len(old)} points outside retention policy of dur")
        if old:
            raise StoreRejected("400 partial write: points beyond retention policy" + (f" dropped={len(old)}" if self.tells else ""))


def lines_of(kinds: Sequence[str]) -> Lines:
    """A line of each kind, at times that do not follow the order of lines."""
    texts = []
    for at, kind in enumerate(kinds):
        time_ns = (0 if kind == OLD else OLDEST) + (at * 7919) % 10_000
        texts.append(b"sample,pv=PV%d value=%s %d" % (at // 10, b"-1.0" if kind == BAD else b"1.0", time_ns))
    return Lines.parse(texts)


def check(lines: Lines, kinds: Sequence[str], server: PickyServer, verdict: Verdict) -> None:
    assert sorted(verdict.too_old) == [at for at, kind in enumerate(kinds) if kind == OLD]
    assert sorted(verdict.refused) == [at for at, kind in enumerate(kinds) if kind == BAD]
    assert server.taken == {line for line, kind in zip(lines.lines, kinds, strict=True) if kind == GOOD}


@given(
    st.lists(st.sampled_from([GOOD, GOOD, BAD, OLD]), max_size=60),
    st.sampled_from([1, 5, 1000]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_exactly_the_bad_lines_are_found(kinds: list[str], most: int, keeps: bool, tells: bool, wordy: bool, knows_cut: bool) -> None:
    """Every good line is taken, each other one is told with its reason, whatever the server keeps, tells and takes at once."""
    server = PickyServer(most, keeps, tells, wordy)
    lines = lines_of(kinds)
    check(lines, kinds, server, send_lines(lines, server.post, OLDEST if knows_cut else None))


@pytest.mark.parametrize(
    ("knows_cut", "tells", "wordy"), [(True, True, False), (True, False, False), (False, True, False), (False, True, True)]
)
def test_few_requests_for_few_bad_lines(knows_cut: bool, tells: bool, wordy: bool) -> None:
    """3 bad lines and 500 old ones among 20 000 cost 2 log2(n) requests for each bad line, and a few where the retention is not known."""
    kinds = [BAD if at in {17, 9000, 19_999} else OLD if at % 40 == 5 else GOOD for at in range(20_000)]
    server = PickyServer(tells=tells, wordy=wordy)
    lines = lines_of(kinds)
    check(lines, kinds, server, send_lines(lines, server.post, OLDEST if knows_cut else None))
    assert server.requests <= 3 * 2 * math.ceil(math.log2(20_000)) + (1 if knows_cut else 10)


def test_a_body_of_bad_lines_costs_one_request() -> None:
    """Where the server tells that it dropped all, nothing is left to find out."""
    server = PickyServer()
    lines = lines_of([BAD] * 5000)
    check(lines, [BAD] * 5000, server, send_lines(lines, server.post))
    assert server.requests == 1


def test_requests_are_bounded() -> None:
    """A server that refuses every second line and tells nothing costs a bounded number of requests, and all of it is told."""
    server = PickyServer(keeps=False, tells=False)
    kinds = [BAD, GOOD] * 2500
    lines = lines_of(kinds)
    verdict = send_lines(lines, server.post)
    assert server.requests <= 2 * MAX_REFUSALS + 1
    assert set(verdict.refused) >= {at for at, kind in enumerate(kinds) if kind == BAD}
    assert server.taken == {line for at, line in enumerate(lines.lines) if at not in verdict.refused}


def test_no_body_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are sent in pieces of at most MAX_BODY bytes, a longer line by itself, and each line once."""
    monkeypatch.setattr(influx_bisection, "MAX_BODY", 1000)
    texts = [b'array,pv=A data="%s" %d' % (b"x" * size, at) for at, size in enumerate([10, 900, 5000, 20, 20, 960, 1])]
    bodies: list[bytes] = []
    verdict = send_lines(Lines.parse(texts), lambda body: bodies.append(decompress(body)))
    assert verdict == Verdict()
    assert [line for body in bodies for line in split_lines(body)] == texts
    assert all(len(body) <= 1000 or len(split_lines(body)) == 1 for body in bodies)


def test_nothing_is_sent_of_what_is_too_old() -> None:
    """A batch that is too old as a whole costs no request."""
    server = PickyServer()
    lines = lines_of([OLD] * 10)
    assert send_lines(lines, server.post, OLDEST).too_old == list(range(10))
    assert server.requests == 0
    assert np.all(lines.times < OLDEST)
