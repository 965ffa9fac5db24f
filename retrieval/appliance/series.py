"""What a request asks for of one channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.retrieval.appliance.runs import Run

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Samples of one channel in an answer. asked: its name as the client wrote it; year: of the chunk where there is no sample."""

    asked: str
    year: int
    runs: Iterator[Run]


def years_of(time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The year (UTC) of each time (ns since 1970)."""
    return time.astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970


def year_start(year: int) -> int:
    """When a year begins (s since 1970 UTC)."""
    return int(np.datetime64(year - 1970, "Y").astype("datetime64[s]").astype(np.int64))
