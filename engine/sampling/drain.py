"""What one drain of the ring gives to the sampler: updates sorted by row, in a run for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from archioc.engine.sampling.updates import Updates

Index = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
_Scalar = TypeVar("_Scalar", bound=np.generic)


class Runs:
    """The run of each row among updates sorted by row, of at least one.

    rows: each once. starts: index of the first update of each; ends: index behind its last one; newest: index of its last one.
    """

    def __init__(self, row: npt.NDArray[Any]) -> None:
        first = np.empty(len(row), bool)
        first[0] = True
        np.not_equal(row[1:], row[:-1], out=first[1:])
        self.starts: Index = np.flatnonzero(first)
        self.ends: Index = np.empty_like(self.starts)
        self.ends[:-1] = self.starts[1:]
        self.ends[-1] = len(row)
        self.rows: npt.NDArray[Any] = row[self.starts]

    @property
    def newest(self) -> Index:
        """Index of the last update of each row."""
        return self.ends - 1

    @property
    def single(self) -> bool:
        """Whether each row has one update only, as in most drains of slow channels."""
        return len(self.starts) == int(self.ends[-1])

    def value_before(self, column: npt.NDArray[_Scalar], remembered: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
        """The column shifted by one within each row, with what was remembered of the row at its start."""
        if self.single:
            return remembered
        out = np.empty_like(column)
        out[1:] = column[:-1]
        out[self.starts] = remembered
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Drain:
    """Updates sorted by row. on: per update, whether its channel is archived."""

    updates: Updates
    runs: Runs
    on: Mask

    def __len__(self) -> int:
        return len(self.updates)

    @property
    def row(self) -> npt.NDArray[Any]:
        """Row of each update."""
        return self.updates.row

    @property
    def rows(self) -> npt.NDArray[Any]:
        """The rows, each once."""
        return self.runs.rows

    def newest(self) -> Updates:
        """The newest update of each row."""
        return self.updates if self.runs.single else self.updates.select(self.runs.newest)


@dataclass(frozen=True, slots=True, eq=False)
class Resumed:
    """Updates with which a trace begins or resumes. at: their indices. by_copy: of each, whether it counts at receive time only."""

    at: Index
    by_copy: Mask

    def __len__(self) -> int:
        return len(self.at)
