"""Whether what was written can be read: numbers of samples by channel, in the database and in the batches that it acknowledged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archioc.core.spool.delivered import NEAR_NS
from archioc.core.spool.encoding.compression import decompress
from archioc.core.spool.encoding.escaping import channel_of_line, channel_of_tag, split_lines
from archioc.core.spool.spool import SpoolFile
from archioc.db.influx.answers import integer
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.influxql import within
from archioc.db.store import Lacking

_SAMPLE, _VALUE = b"sample,pv=", b" value="


@dataclass(frozen=True, slots=True)
class Expected:
    """Numbers that must be in a database: times by channel, and the first and last of all.

    Only those near to their commit: others would make the range long that the server has to count.
    """

    times: dict[str, set[int]]
    start_ns: int
    end_ns: int

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(map(len, self.times.values()))


def expected_of(files: Iterable[SpoolFile], not_before_ns: int) -> Expected:
    """What these batches hold of numbers whose times are not before a limit (ns) and near to the commit."""
    times: dict[bytes, set[int]] = {}
    for file in files:
        first, last = max(file.committed_ns - NEAR_NS, not_before_ns), file.committed_ns + NEAR_NS
        for line in split_lines(decompress(file.payload)):
            head, found, _ = line.partition(_VALUE)
            if not found or not head.startswith(_SAMPLE) or head.endswith(b"\\"):
                continue
            time_ns = int(line[line.rindex(b" ") + 1 :])
            if first <= time_ns <= last:
                times.setdefault(head, set()).add(time_ns)
    every = [time_ns for of_one in times.values() for time_ns in (min(of_one), max(of_one))]
    by_channel: dict[str, set[int]] = {}
    for head, of_one in times.items():
        by_channel.setdefault(channel_of_line(head + b" value=0 0"), set()).update(of_one)
    return Expected(by_channel, min(every, default=0), max(every, default=0))


def lacking(connection: InfluxConnection, scope: Parameters, expected: Expected) -> Lacking:
    """What of these numbers the database does not have. Raises QueryError, StoreUnavailable, StoreDenied."""
    if not expected.times:
        return Lacking(0, {}, 0, 0)
    statement = f'SELECT count("value") FROM "sample" WHERE {within(expected.start_ns, expected.end_ns)} GROUP BY "pv"'  # noqa: S608 - numbers
    there: dict[str, int] = {}
    for series in connection.query(statement, scope):
        channel = channel_of_tag(series["tags"].get("pv", ""))
        there[channel] = there.get(channel, 0) + integer(series["values"][0][1])
    wanting = {channel: len(times) - there.get(channel, 0) for channel, times in expected.times.items()}
    missing = {channel: number for channel, number in wanting.items() if number > 0}
    return Lacking(expected.samples, missing, expected.start_ns, expected.end_ns)


def count(connection: InfluxConnection, scope: Parameters, start_ns: int, end_ns: int) -> int:
    """How many numbers the database has in a range, ends included. Raises QueryError, StoreUnavailable, StoreDenied."""
    statement = f'SELECT count("value") FROM "sample" WHERE {within(start_ns, end_ns)}'  # noqa: S608 - numbers
    return sum(integer(series["values"][0][1]) for series in connection.query(statement, scope))
