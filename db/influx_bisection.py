"""Which lines of a body InfluxDB refuses.

Versions differ in what they keep of a body with a bad line (1.x the good lines, 2.x and 3.x none), so
after a refusal nothing counts as kept: halves are sent again until the bad lines stand alone.
Sending a stored line again changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from archioc.core.encoding.compression import compress, decompress
from archioc.core.encoding.escaping import split_lines
from archioc.core.errors import StoreRejected, StoreTooLarge
from archioc.core.spool import SpoolFile
from db.store import Refusal, WriteOutcome, rows_of_samples

MAX_REFUSALS = 400
"""After so many refusals of one file the parts that are still refused are given up as they are."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines `start` to `stop` of a body that was refused."""

    start: int
    stop: int
    message: str


def write_lines(file: SpoolFile, post: Callable[[bytes], None]) -> WriteOutcome:
    """Have `post` (which takes gzipped line protocol) send a file, and tell what was refused.

    Raises what `post` raises, except StoreRejected and StoreTooLarge.
    """
    rejected = np.zeros(len(file.counts), np.int64)
    try:
        post(file.payload)
    except (StoreRejected, StoreTooLarge) as error:
        lines = split_lines(decompress(file.payload))
        refused = list(_refused(lines, error, post))
    else:
        return WriteOutcome(rejected)
    entries = rows_of_samples(file)
    for part in refused:
        np.add.at(rejected, entries[part.start : part.stop], 1)
    return WriteOutcome(rejected, tuple(Refusal(b"\n".join(lines[part.start : part.stop]), part.message) for part in refused))


def _refused(lines: list[bytes], error: Exception, post: Callable[[bytes], None]) -> Iterator[_Part]:
    waiting = deque([_Part(0, len(lines), str(error))])
    refusals = 0
    while waiting:
        part = waiting.popleft()
        if part.stop - part.start == 1 or refusals >= MAX_REFUSALS:
            yield part
            continue
        middle = (part.start + part.stop) // 2
        for start, stop in ((part.start, middle), (middle, part.stop)):
            try:
                post(compress(b"\n".join(lines[start:stop]) + b"\n"))
            except StoreTooLarge as answer:
                waiting.append(_Part(start, stop, str(answer)))
            except StoreRejected as answer:
                refusals += 1
                waiting.append(_Part(start, stop, str(answer)))
