"""How what was stored compares with what the independent client saw."""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from archioc.demo.readback import ArchiverCounts, Counts
from archioc.demo.records import DemoRecord
from archioc.demo.updates import Update, Value

MIN_STORED = 0.9
"""Part of the witnessed updates of a changing record that must be in the store."""

_FIRST_SANE_NS = 662_688_000 * 10**9
"""1991-01-01: an older stamp is that of a record which was never processed."""

_MAX_SHIFT_NS = 16
"""A second value with the same stamp is stored one nanosecond later, a third two."""

Stored = Sequence[tuple[int, str]]
"""Time (ns) and value, as written in CSV, of the samples of a channel."""


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """One record: how many updates the client saw, how many samples are stored, how many updates are among them.

    explained: updates that are not stored, for a reason that the archiver counted for this channel; unexplained: the others.
    """

    name: str
    record_type: str
    static: bool
    witnessed: int
    stored: int
    matched: int
    explained: int
    unexplained: int

    @property
    def passed(self) -> bool:
        return self.witnessed > 0 and self.unexplained == 0 and self.matched >= MIN_STORED * self.witnessed


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole demo."""

    records: list[RecordSummary]
    conservation: Counts

    @property
    def unexplained(self) -> int:
        return sum(record.unexplained for record in self.records)

    @property
    def passed(self) -> bool:
        return self.conservation.balanced and all(record.passed for record in self.records)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        content = {
            "passed": self.passed,
            "unexplained": self.unexplained,
            "conservation": self.conservation.to_json(),
            "records": [{**asdict(record), "passed": record.passed} for record in self.records],
        }
        path.write_text(json.dumps(content, indent=2) + "\n")

    def show(self, console: Console) -> None:
        """Print it as a table."""
        table = Table(title="Updates that an independent client saw, and samples stored", box=None, pad_edge=False)
        table.add_column("record", no_wrap=True)
        table.add_column("type", no_wrap=True)
        for heading in ("seen", "stored", "both", "explained", "unexpl."):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for record in self.records:
            numbers = (record.witnessed, record.stored, record.matched, record.explained, record.unexplained)
            table.add_row(record.name, record.record_type, *map(str, numbers), "ok" if record.passed else "[red]FAILED")
        console.print(table)
        counts = self.conservation
        console.print(
            f"received {counts.received} + generated {counts.generated} = filtered {counts.filtered} + stored {counts.stored} "
            f"+ pending {counts.pending} + rejected {counts.rejected} + dropped {counts.dropped}: "
            + ("balanced" if counts.balanced else "[red]NOT BALANCED"),
            soft_wrap=True,
        )
        console.print(f"unexplained: {self.unexplained}")


def summarize(
    records: Sequence[DemoRecord],
    seen: Mapping[str, Sequence[Update]],
    stored: Mapping[str, Stored],
    counts: ArchiverCounts,
) -> Summary:
    """Compare for each record the updates that the client saw with the samples in the store."""
    withheld = {name: one.withheld for name, one in counts.channels.items()}
    return Summary(
        [_of_record(record, seen.get(record.name, ()), stored.get(record.name, ()), withheld.get(record.name, 0)) for record in records],
        counts.total,
    )


def _of_record(record: DemoRecord, seen: Sequence[Update], stored: Stored, withheld: int) -> RecordSummary:
    samples = sorted(stored)
    if record.static:
        matched = sum(any(same_value(update.value, text) for _, text in samples) for update in seen)
    else:
        by_time = dict(samples)
        matched = sum(_is_stored(update, by_time) for update in seen[1:])
        matched += sum(_is_stored(update, by_time) or _is_state(update, samples) for update in seen[:1])
    missing = len(seen) - matched
    explained = min(missing, withheld)
    return RecordSummary(
        record.name, record.record_type, record.static, len(seen), len(stored), matched, explained, unexplained=missing - explained
    )


def _is_stored(update: Update, by_time: Mapping[int, str]) -> bool:
    """Whether a sample with this value is stored at this time."""
    times = range(update.time_ns, update.time_ns + _MAX_SHIFT_NS)
    return any(time in by_time and same_value(update.value, by_time[time]) for time in times)


def _is_state(update: Update, samples: Stored) -> bool:
    """Whether this value is that of the newest sample at its time.

    What a client is sent when it subscribes is no event: a record that was processed without a change has a new stamp, which
    no client that was there before is told. A record that was never processed (stamp before 1991) is stored at the time when the
    archiver received it.
    """
    time_ns = update.received_ns if update.time_ns < _FIRST_SANE_NS else update.time_ns
    place = bisect.bisect_right(samples, time_ns, key=lambda sample: sample[0])
    return place > 0 and same_value(update.value, samples[place - 1][1])


def same_value(value: Value, text: str) -> bool:
    """Whether a value and its text in CSV are the same; numbers to the last bit, NaN is NaN, an array is a JSON list."""
    if isinstance(value, str):
        return text == value
    if isinstance(value, list):
        return bool(text) and text[0] == "[" and json.loads(text) == value
    try:
        number = float(text)
    except ValueError:
        return False
    return number == value or (math.isnan(number) and math.isnan(value))
