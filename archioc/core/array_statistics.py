"""What is kept of an array that is too large for a store: its number of elements and their statistics."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_PACKED = struct.Struct("<5d")

PACKED_SIZE = _PACKED.size
"""Bytes of the blob that stands for an array (`SampleFlag.STATISTICS`)."""


@dataclass(frozen=True, slots=True)
class ArrayStatistics:
    """Number of all elements, and least, largest, mean and standard deviation (of the population) of the finite ones.

    NaN where there is no finite element (also of texts), or where the result is beyond a float64.
    """

    n: int
    min: float
    max: float
    mean: float
    std: float

    @classmethod
    def of(cls, elements: npt.NDArray[np.generic]) -> ArrayStatistics:
        """Those of the elements of an array, of any element type of Channel Access."""
        none = cls(len(elements), math.nan, math.nan, math.nan, math.nan)
        if not np.issubdtype(elements.dtype, np.number):
            return none
        with np.errstate(all="ignore"):
            numbers = elements.astype("f8", copy=False)
            finite = np.isfinite(numbers)
            numbers = numbers if finite.all() else numbers[finite]
            if not len(numbers):
                return none
            found = (numbers.min(), numbers.max(), numbers.mean(), numbers.std())
        return cls(len(elements), *map(_finite, found))

    @classmethod
    def unpack(cls, blob: bytes) -> ArrayStatistics:
        """Those in a blob: five float64, little endian. Raises ValueError for a blob of another size."""
        if len(blob) != PACKED_SIZE:
            raise ValueError(f"statistics of an array are {PACKED_SIZE} bytes, these are {len(blob)}")
        n, *numbers = _PACKED.unpack(blob)
        return cls(int(n), *map(_finite, numbers))

    def pack(self) -> bytes:
        """The blob of a sample that has these in place of its elements."""
        return _PACKED.pack(float(self.n), self.min, self.max, self.mean, self.std)

    def __eq__(self, other: object) -> bool:
        """NaN equals NaN here: both say that there is no such number."""
        return isinstance(other, ArrayStatistics) and self.pack() == other.pack()

    def __hash__(self) -> int:
        return hash(self.pack())


def _finite(number: float) -> float:
    return float(number) if math.isfinite(number) else math.nan
