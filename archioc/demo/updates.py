"""Updates as the independent client writes them: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

Value = float | int | str | list[float] | list[int] | list[str]
"""What a channel carries: a number (the index of an enum), a text, or an array of these. A float is exact, also NaN and infinity."""


@dataclass(frozen=True, slots=True)
class Update:
    """One update of one channel, as libca delivered it.

    dbr_type: the name of the type that was asked for, e.g. `DBR_TIME_DOUBLE`.
    time_ns: the IOC's time stamp; a record that was never processed has 1990-01-01.
    received_ns: when it reached the client.
    """

    channel: str
    dbr_type: str
    time_ns: int
    value: Value
    severity: int
    status: int
    received_ns: int

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def read_updates(path: Path) -> Iterator[Update]:
    """The updates of a file in the order received; a last line that is still being written is left out."""
    with path.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                yield Update(**json.loads(line))


def updates_by_channel(path: Path) -> dict[str, list[Update]]:
    """The updates of a file, by channel, each list in the order received."""
    found: dict[str, list[Update]] = {}
    for update in read_updates(path):
        found.setdefault(update.channel, []).append(update)
    return found
