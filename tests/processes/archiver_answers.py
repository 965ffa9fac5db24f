"""What the command line of an archiver answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from archioc.demo.readback import Counts


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Stored:
    """One sample as `archioc get --format json` writes it. src_time_ns: 0 when `time_ns` is the IOC's own stamp."""

    time_ns: int
    value: object
    severity: int
    status: int
    label: str = ""
    flags: str = ""
    src_time_ns: int = 0

    @property
    def generated(self) -> bool:
        return "generated" in self.flags


@dataclass(frozen=True, slots=True)
class Event:
    """One event as `archioc get --format json` writes it. end_ns: None while a gap is open."""

    reason: str
    time_ns: int
    end_ns: int | None
    count: int
    text: str
    archiver: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """All that is stored of one channel, by time."""

    samples: list[Stored]
    events: list[Event]

    @property
    def true(self) -> list[Stored]:
        """The samples that are updates of the IOC."""
        return [sample for sample in self.samples if not sample.generated]

    def gaps(self, reason: str) -> list[Event]:
        """The events with this reason."""
        return [event for event in self.events if event.reason == reason]


@dataclass(frozen=True, slots=True)
class Status:
    """What `archioc status --format json` says. channels: the counts of each, by name; rates: their setting `rate` (Hz)."""

    running: bool
    spool_files: int
    total: Counts
    channels: dict[str, Counts]
    rates: dict[str, float]


@dataclass(frozen=True, slots=True)
class AtRest:
    """What there is when an archiver has stopped and its counts were checked."""

    status: Status
    histories: dict[str, History]


def read_histories(text: str) -> dict[str, History]:
    """The output of `archioc get --format json`, by channel."""
    return {one["channel"]: _history(one) for one in json.loads(text)}


def _history(answer: dict[str, Any]) -> History:
    samples = [Stored(**{name: value for name, value in sample.items() if name != "time"}) for sample in answer["samples"]]
    return History(samples, [Event(**event) for event in answer["events"]])


def read_status(text: str) -> Status:
    """The output of `archioc status --format json`."""
    answer = json.loads(text)
    return Status(
        running=answer["running"],
        spool_files=answer["spool"]["files"],
        total=_counts(answer["conservation"]),
        channels={one["name"]: _counts(one) for one in answer["channels"]},
        rates={one["name"]: one["rate"] for one in answer["channels"]},
    )


def _counts(fields: dict[str, int]) -> Counts:
    return Counts(**{name: fields[name] for name in Counts.__slots__})
