"""Batches as the engine makes them, without an engine: noisy numbers at times that are random to the ns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archioc.core.dbr import Dbr
from archioc.core.spool.batch import COUNTS, NO_BLOB, SAMPLE, Batch, ChannelMeta
from archioc.core.spool.encoding import Encoder
from archioc.core.spool.spool import SpoolFile

MIDNIGHT_NS = 1_789_948_800_000_000_000
"""Where the samples begin (ns since 1970), at the begin of a UTC day."""

PERIOD_NS = 100_000_000
"""Every channel has 10 samples/s."""

IN_ALARM = 0.001
"""The part of the samples that is in alarm."""


def batches(channels: int, samples: int, size: int) -> Iterator[Batch]:
    """Batches of `size` samples, in turn for each of the channels."""
    rng = np.random.default_rng(1)
    names = {row: f"BENCH:SYN{row}" for row in range(channels)}
    metas = [ChannelMeta(name, MIDNIGHT_NS, Dbr.DOUBLE, 1, "bench:5064", "mA", 3) for name in names.values()]
    for begin in range(0, samples, size):
        number = np.arange(begin, min(samples, begin + size))
        made = np.zeros(len(number), SAMPLE)
        made["row"], made["blob"] = number % channels, NO_BLOB
        made["time"] = MIDNIGHT_NS + number // channels * PERIOD_NS + rng.integers(0, PERIOD_NS // 2, len(number))
        made["value"] = rng.normal(size=len(number))
        made["severity"] = made["status"] = rng.random(len(number)) < IN_ALARM
        rows, found = np.unique(made["row"], return_counts=True)
        counts = np.zeros(len(rows), COUNTS)
        counts["row"], counts["generation"], counts["samples"] = rows, 1, found
        yield Batch(made, (), names, counts, metas=() if begin else tuple(metas))


def spool_files(made: Iterator[Batch], encoder: Encoder) -> Iterator[SpoolFile]:
    """The spool file of each batch, encoded when its turn comes."""
    for number, batch in enumerate(made, 1):
        yield SpoolFile(number, MIDNIGHT_NS, encoder.destination, batch.counts, encoder.encode(batch))
