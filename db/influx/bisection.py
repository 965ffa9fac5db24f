"""Which lines of a body InfluxDB refuses for good, found with a bounded number of requests.

Versions differ in what they keep of a body with a bad line (1.x the good lines, 2.x none or the good
ones, 3.x none), and 1.x does not tell of a bad line beside one that is too old. So after a refusal
nothing counts as kept: halves are sent again until all lines are taken or refused by themselves.
Sending a stored line again changes nothing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archioc.core.errors import StoreDenied, StoreRejected, StoreTooLarge
from archioc.core.spool.encoding.compression import compress
from archioc.core.spool.encoding.escaping import time_of_line
from archioc.db.influx.answers import ForeignTooLarge

MAX_REFUSALS = 400
"""After so many refusals of one file the parts that are still refused are given up as they are."""

MAX_BODY = 8_000_000
"""No body is longer than this before compression, a single line apart: 3.x takes 10 MiB, and 1.x cuts
the connection at 25 MB, without an answer, which looks like a network that fails."""

_TOO_OLD = re.compile(r"partial write: (?:points beyond retention policy|dropped (\d+) points outside retention policy)")
"""The second form is that of 2.7.12; its count at the end may be cut off, and holds other lines as well."""

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
    """

    too_old: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


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
        return self._verdict

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
        words = _TOO_OLD.search(message)
        old = int(words[1] or dropped) if words else 0
        if 0 < old <= len(which):
            # The server counts no line that it could not parse, so at least so many of the oldest are too old.
            self._cut_ns = int(np.partition(self._lines.times[which], old - 1)[old - 1]) + 1
            return [_Part(which)]
        given_up = isinstance(said, StoreRejected) and self._refusals > MAX_REFUSALS
        if len(which) == 1 or dropped == len(which) or given_up:
            self._verdict.refused |= dict.fromkeys(which.tolist(), message)
            return []
        middle = len(which) // 2
        return [_Part(which[:middle]), _Part(which[middle:])]
