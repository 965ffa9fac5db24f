"""Enum labels: written with a sample when the state changed and when a trace begins or resumes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archioc.core.spool.batch import NO_BLOB, Kind, SampleFlag, Samples
from archioc.engine.sampling.memory import SamplerMemory


def add_labels(samples: Samples, blobs: list[bytes], labels: Mapping[int, tuple[bytes, ...]], memory: SamplerMemory) -> None:
    """Give enum samples their labels, in place. samples: sorted by row. labels: by row, as the IOC sent them."""
    enums = np.flatnonzero(samples["kind"] == Kind.ENUM)
    if not len(enums):
        return
    row, index = samples["row"][enums], samples["value"][enums].astype("i4")
    starts = np.append(True, row[1:] != row[:-1])
    before = np.where(starts, np.where(memory.labelled[row] != 0, memory.last_label[row], -1), np.append(-1, index[:-1]))
    wanted = (index != before) | ((samples["flags"][enums] & SampleFlag.GENERATED) != 0)
    for at, its_row, state in zip(enums[wanted].tolist(), row[wanted].tolist(), index[wanted].tolist(), strict=True):
        its_labels = labels.get(its_row, ())
        samples["blob"][at] = len(blobs) if state < len(its_labels) else NO_BLOB
        if state < len(its_labels):
            blobs.append(its_labels[state])
    last = enums[np.append(starts[1:], True)]
    known = np.array([its_row in labels for its_row in samples["row"][last].tolist()], bool)
    memory.labelled[samples["row"][last]] = known
    memory.last_label[samples["row"][last]] = samples["value"][last].astype("i4")
