"""What is lost with a file of the embedded store, as events tell it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archioc.core.events import ChannelEvent, Reason
from archioc.db.embedded.damage import Damage
from archioc.db.embedded.days import DAY_NS, start_of

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Loss:
    """name: of the file. start_ns, end_ns: samples of this time may have been in it (ns since 1970), None where that is not known."""

    name: str
    why: str
    start_ns: int | None
    end_ns: int | None

    def events(self, channels: Iterable[str]) -> Iterator[ChannelEvent]:
        """A gap of each of these channels."""
        if self.start_ns is None:
            return
        text = f"{self.name}.duckdb: {self.why}"[:200]
        for channel in channels:
            yield ChannelEvent(channel, self.start_ns, Reason.STORE_DAMAGED, end_ns=self.end_ns, text=text)


def loss_of(name: str, damage: Damage) -> Loss:
    """What goes with a file that is set aside, or with its log, now."""
    if not _DAY.fullmatch(name):
        return Loss(name, str(damage), None, None)
    begin = start_of(name)
    end = max(begin, min(begin + DAY_NS - 1, time.time_ns()))
    start = begin if damage.since_ns is None else min(max(damage.since_ns + 1, begin), end)
    return Loss(name, str(damage), start, end)
