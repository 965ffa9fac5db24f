"""Updates for tests, written one by one, and samples read back the same way."""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archioc.core.dbr import Dbr
from archioc.core.spool.batch import NO_BLOB, Kind, Samples
from archioc.engine.sampling.updates import Updates

SECOND = 1_000_000_000
T0 = 1_790_000_000 * SECOND
"""When the traffic of these tests begins (ns since 1970)."""


def examples(ordinary: int) -> int:
    """How many examples a property is tried on: `ordinary`, or what `make proof` asks for."""
    return ordinary * {"full": 40, "short": 10}.get(os.environ.get("ARCHIOC_PROOF", "short"), 10)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One update of a channel. value: a number, an enum index (kind ENUM), a text or the bytes of an array."""

    row: int
    received: int
    stamp: int
    value: float | bytes
    kind: Kind = Kind.NUMBER
    severity: int = 0
    status: int = 0

    @property
    def bits(self) -> int:
        """Equal for equal values, bit for bit."""
        if isinstance(self.value, bytes):
            return len(self.value) << 32 | zlib.crc32(self.value)
        return int.from_bytes(struct.pack("<d", self.value), "little")


_DBR = {Kind.NUMBER: Dbr.DOUBLE, Kind.ENUM: Dbr.ENUM, Kind.TEXT: Dbr.STRING, Kind.ARRAY: Dbr.DOUBLE}


def to_updates(arrivals: Sequence[Arrival]) -> Updates:
    """The columns that the ring would give for these arrivals."""
    blobs = [one.value for one in arrivals if isinstance(one.value, bytes)]
    numbered = iter(range(len(blobs)))
    return Updates(
        row=np.array([one.row for one in arrivals], "u4"),
        received=np.array([one.received for one in arrivals], "i8"),
        stamp=np.array([one.stamp for one in arrivals], "i8"),
        value=np.array([math.nan if isinstance(one.value, bytes) else one.value for one in arrivals], "f8"),
        bits=np.array([one.bits for one in arrivals], "u8"),
        alarm=np.array([one.severity << 8 | one.status for one in arrivals], "u2"),
        dbr=np.array([_DBR[one.kind] for one in arrivals], "u1"),
        kind=np.array([one.kind for one in arrivals], "u1"),
        count=np.ones(len(arrivals), "u4"),
        blob=np.array([next(numbered) if isinstance(one.value, bytes) else NO_BLOB for one in arrivals], "i4"),
        flags=np.zeros(len(arrivals), "u1"),
        blobs=blobs,
    )


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    """A sample as tests compare it; `value` is the value's bits or its bytes."""

    row: int
    time: int
    bits: int
    blob: bytes
    src_time: int
    flags: int
    severity: int
    status: int


def to_stored(samples: Samples, blobs: list[bytes]) -> list[Stored]:
    """Samples of the sampler, in its order."""
    out = []
    for one in samples:
        blob = b"" if one["blob"] == NO_BLOB else blobs[int(one["blob"])]
        bits = 0 if one["kind"] in (Kind.TEXT, Kind.ARRAY) else int(one["value"].view("u8"))
        numbers = (int(one[name]) for name in ("src_time", "flags", "severity", "status"))
        out.append(Stored(int(one["row"]), int(one["time"]), bits, blob, *numbers))
    return out
