"""Which lines of a body InfluxDB refuses for good, found with a bounded number of requests.

Versions differ in what they keep of a body with a bad line (1.x the good lines, 2.x none or the good
ones, 3.x none), and 1.x does not tell of a bad line beside one that is too old. So after a refusal
nothing counts as kept: halves are sent again until all lines are taken or refused by themselves.
Sending a stored line again changes nothing.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archioc.core.errors import StoreDenied, StoreRejected, StoreTooLarge
from archioc.core.spool.encoding.compression import compress
from archioc.core.spool.encoding.escaping import time_of_line
from archioc.db.influx.answers import ForeignTooLarge
from archioc.db.influx.go_duration import go_duration

MAX_REFUSALS = 400
"""After so many refusals of one file the parts that are still refused are given up as they are."""

MAX_BODY = 8_000_000
"""No body is longer than this before compression, a single line apart: 3.x takes 10 MiB, and 1.x cuts
the connection at 25 MB, without an answer, which looks like a network that fails."""

_TOO_OLD = re.compile(
    r"partial write: (?:points beyond retention policy|dropped (\d+) points outside retention policy(?: of duration (\S+))?)"
)
"""The second form is that of 2.7.12 and 1.13; the count at its end may be cut off, and holds other lines as well."""

_WINDOW = re.compile(r"(\d+) points outside write window \(\S+ to (\S+?)\)")
"""What follows in 1.13 where a policy has PAST LIMIT or FUTURE LIMIT. A line that is sent alone is counted under retention there."""

_DROPPED = re.compile(r"\bdropped=(\d+)")

Index = npt.NDArray[np.intp]
"""Numbers of lines."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What is to be sent.

    lines: line protocol, each without its newline. times: their time stamps (ns), int64, shape (n,).
    """

    lines: Sequence[bytes]
    times: npt.NDArray[np.int64]

    @classmethod
    def parse(cls, lines: Sequence[bytes]) -> Lines:
        """Lines of ours with their time stamps. Raises ValueError when one has none."""
        return cls(lines, np.array([time_of_line(line) for line in lines], np.int64))

    def body(self, which: Index) -> bytes:
        """Some of them as a body to post, gzipped."""
        return compress(b"\n".join([self.lines[at] for at in which.tolist()]) + b"\n")


@dataclass(slots=True)
class Verdict:
    """What became of lines that were sent; those that are not named here are stored.

    too_old: beyond the retention. refused: for other reasons, with the server's words.
    outside: those of the refused that are outside a write window of the server, which can be widened.
    """

    too_old: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    outside: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines to send, or, with an answer, lines that were refused with it."""

    lines: Index
    answer: StoreRejected | StoreTooLarge | None = None


def send_lines(
    lines: Lines, post: Callable[[bytes], None], cut_ns: int | None = None, answer: StoreRejected | StoreTooLarge | None = None
) -> Verdict:
    """Have `post` (which takes a gzipped body) send lines, in pieces where it must be.

    cut_ns: lines older than this are not sent at all. answer: what the server said when it was sent
    all of them. Besides pieces that are too large at most 2 * MAX_REFUSALS + 1 requests are made for
    each MAX_BODY bytes; k bad lines among n cost about 2 k log2(n / k), lines that are too old one.
    Raises what `post` raises, except StoreRejected and StoreTooLarge, and StoreDenied when somebody before the server takes not
    even a single line.
    """
    return _Search(lines, post, cut_ns).run(answer)


class _Search:
    def __init__(self, lines: Lines, post: Callable[[bytes], None], cut_ns: int | None) -> None:
        self._lines, self._post = lines, post
        self._cut_ns = np.iinfo(np.int64).min if cut_ns is None else cut_ns
        self._verdict = Verdict()
        self._refusals = 0
        self._outside: tuple[str, float] | None = None  # words of a server with a write window, or one that may have one; its retention (s)

    def run(self, answer: StoreRejected | StoreTooLarge | None) -> Verdict:
        young = self._young(np.arange(len(self._lines.lines)))
        if len(young) < len(self._lines.lines):
            answer = None  # it was about others as well
        waiting = deque(_Part(piece, answer) for piece in self._pieces(young))
        while waiting:
            part = waiting.popleft()
            which = part.lines if part.answer else self._young(part.lines)
            said = part.answer or self._send(which)
            if isinstance(said, ForeignTooLarge):
                waiting.extendleft(self._smaller(which, said))  # next, as whoever says so may take nothing at all
            elif said is not None:
                waiting.extend(self._rest(which, said))
        if self._outside is not None:
            self._tell_window_from_retention(*self._outside)
        return self._verdict

    def _tell_window_from_retention(self, words: str, retention_s: float) -> None:
        """Of what is out of time, what is not as old as the retention is outside the window."""
        cut_ns = time.time_ns() - int(retention_s * 1e9) if retention_s else np.iinfo(np.int64).min
        outside = [at for at in self._verdict.too_old if self._lines.times[at] >= cut_ns]
        self._verdict.too_old = [at for at in self._verdict.too_old if self._lines.times[at] < cut_ns]
        self._verdict.refused |= dict.fromkeys(outside, words)
        self._verdict.outside += outside

    def _young(self, which: Index) -> Index:
        """Those that are not too old; the others are settled."""
        old = self._lines.times[which] < self._cut_ns
        self._verdict.too_old += which[old].tolist()
        return which[~old]

    def _pieces(self, which: Index) -> list[Index]:
        """Consecutive lines, as many together as make a body of at most MAX_BODY bytes."""
        starts, filled = [0], 0
        for at, line in enumerate(which.tolist()):
            size = len(self._lines.lines[line]) + 1
            if filled and filled + size > MAX_BODY:
                starts.append(at)
                filled = 0
            filled += size
        return np.split(which, starts[1:])

    def _send(self, which: Index) -> StoreRejected | StoreTooLarge | None:
        if not len(which):
            return None
        try:
            self._post(self._lines.body(which))
        except StoreTooLarge as said:
            return said
        except StoreRejected as said:
            self._refusals += 1
            return said
        return None

    def _out_of_time(self, which: Index, words: re.Match[str], window: re.Match[str] | None, dropped: int) -> tuple[int, Index]:
        """How many lines are too old, and the lines without those that are too far in the future."""
        old = int(words[1] or dropped)
        if words[2] is not None:
            self._outside = (words.string, go_duration(words[2]))
        if window is None:
            return old, which
        old += int(window[1])
        limit = go_duration(window[2])
        ahead = self._lines.times[which] > time.time_ns() + int(limit * 1e9) if limit else np.zeros(len(which), np.bool_)
        if ahead.sum() > old:  # our clock and the server's differ
            return old, which
        self._verdict.too_old += which[ahead].tolist()
        return old - int(ahead.sum()), which[~ahead]

    def _smaller(self, which: Index, said: ForeignTooLarge) -> list[_Part]:
        """Halves of lines that a proxy does not let pass."""
        if len(which) == 1:
            raise StoreDenied(str(said))
        middle = len(which) // 2
        return [_Part(which[:middle]), _Part(which[middle:])]

    def _rest(self, which: Index, said: StoreRejected | StoreTooLarge) -> list[_Part]:
        """What is still to be sent of lines that were refused; what is settled goes into the verdict."""
        message = str(said)
        told = _DROPPED.search(message)
        dropped = int(told[1]) if told else int(len(which) == 1)
        if words := _TOO_OLD.search(message):
            old, left = self._out_of_time(which, words, _WINDOW.search(message), dropped)
            if 0 < old <= len(left):
                # The server counts no line that it could not parse, so at least so many of the oldest are too old.
                self._cut_ns = max(self._cut_ns, int(np.partition(self._lines.times[left], old - 1)[old - 1]) + 1)
            if len(left) < len(which) or 0 < old <= len(left):
                return [_Part(left)]
        given_up = isinstance(said, StoreRejected) and self._refusals > MAX_REFUSALS
        if len(which) == 1 or dropped == len(which) or given_up:
            self._verdict.refused |= dict.fromkeys(which.tolist(), message)
            return []
        middle = len(which) // 2
        return [_Part(which[:middle]), _Part(which[middle:])]
