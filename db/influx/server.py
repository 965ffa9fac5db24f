"""What the generations of InfluxDB have in common: a database or bucket that is there, gone, or mapped elsewhere, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from archioc.core.config.store import MIN_RETENTION_S, InfluxStore
from archioc.core.errors import StoreDenied
from archioc.db.erasure import Erasure

_LONGEST_RETENTION_S = 1e10
"""Longer than all times that InfluxDB knows."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Which times of samples a server takes, before and after its own clock (s); None: no limit, or it cannot be found out.

    retention: older ones are gone for good. past, future: the write window of 1.13 and later, which a person can widen.
    """

    retention: float | None = None
    past: float | None = None
    future: float | None = None
    known: bool = False
    """Whether the server has told them: then None means that there is no limit."""

    @property
    def warning(self) -> str:
        """What a person should know of the write window; empty where there is none."""
        past = f"older than {self.past:g} s" if self.past else ""
        future = f"more than {self.future:g} s ahead" if self.future else ""
        if not (past or future):
            return ""
        return (
            f"the server refuses samples {' and '.join(filter(None, (past, future)))} (PAST LIMIT, FUTURE LIMIT of its retention policy): "
            "after an outage what has waited longer goes to the quarantine"
        )

    def disagreement(self, settings: InfluxStore) -> str:
        """Where the configuration asks for another retention than the server has; empty where it does not."""
        asked, found = settings.retention, self.retention
        if asked is None or not self.known or (found is not None and abs(found - asked) < 1.0):
            return ""
        has = "without a limit" if found is None else f"for {shown_duration(found)}"
        return f"retention: {shown_duration(asked)} is configured, but {settings.bucket} keeps samples {has}: change it there or here"


class InfluxServer(Protocol):
    """One server with its database or bucket.

    Methods raise StoreUnavailable, and StoreDenied where it cannot go on without what was refused, or where an answer to `make` or
    `limits` is not that of an InfluxDB.
    """

    def make(self, *, may_create: bool) -> None:
        """Make the database or bucket where it is missing and we may; what is there stays as it is.

        may_create: otherwise StoreDenied is raised where it is seen to be missing.
        """
        ...

    def choose_policy(self, noted: str, *, may_change: bool) -> str:
        """The retention policy to write and read with; empty where the server has none, or it cannot be found out.

        noted: that of before, which is used as long as it is there. may_change: go on with the default where it is not; else StoreDenied.
        """
        ...

    @property
    def refused(self) -> str:
        """Why the database or bucket could not be looked at or made; empty when it could."""
        ...

    def limits(self) -> TimeLimits:
        """Samples of which times it takes."""
        ...

    def erase(self, measurement: str, erasure: Erasure) -> None:
        """Delete what a measurement has of it. Raises QueryError too, and StoreDenied where the server cannot delete."""
        ...

    def warning(self) -> str:
        """What will go wrong soon, for people; empty when nothing is known of."""
        ...


def shown_duration(seconds: float) -> str:
    """In whole days or hours where it is, else in seconds."""
    for unit, length in (("d", 86400), ("h", 3600)):
        if seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:g}s"


class ArchiveGone(StoreDenied):
    """A database, bucket or policy that we have written to is not there any more."""


class WrongMapping(StoreDenied):
    """What would be written to a bucket could not be read through the mapping that there is."""


def gone(settings: InfluxStore, what: str) -> str:
    """What to say of a database, bucket or policy that was there."""
    return f"{settings.url}: {what} was there and is gone: restore it, make it by hand, or set store.influxdb.create: always"


def credible(retention: float) -> float | None:
    """A retention (s) by which samples may be given up; no InfluxDB has one below an hour."""
    return retention if MIN_RETENTION_S <= retention <= _LONGEST_RETENTION_S else None
