"""Bins of the protocol: counted from 1970, whatever the range is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.retrieval.appliance.series import SECOND_NS
from archioc.retrieval.appliance.source import Range
from archioc.retrieval.faults import refusal

MAX_BINS = 1_000_000
"""Bins of an answer."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BinGrid:
    """Bins of `width_s` seconds over a range. The last sample before the range has a bin of its own, before the first."""

    span: Range
    width_s: int

    @property
    def width_ns(self) -> int:
        """Width of a bin (ns)."""
        return self.width_s * SECOND_NS

    def check(self) -> None:
        """Raise HTTPException (400) where there are more than MAX_BINS."""
        if self.last - self.first >= MAX_BINS:
            raise refusal(400, f"more than {MAX_BINS} bins of {self.width_s} s; ask for longer bins or a shorter range")

    @property
    def first(self) -> int:
        """The bin that the range begins in."""
        return self.span.start_ns // self.width_ns

    @property
    def last(self) -> int:
        """The bin that the range ends in."""
        return self.span.end_ns // self.width_ns

    def index(self, time: Integers) -> Integers:
        """The bin of each sample (ns since 1970)."""
        return np.where(time < self.span.start_ns, self.first - 1, time // self.width_ns)

    def centre(self, index: Integers) -> Integers:
        """The time under which a bin is answered (ns since 1970)."""
        return index * self.width_ns + self.width_ns // 2
