"""Types of values as the Archiver Appliance's protocol numbers them."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from archioc.core.dbr import Dbr


class PayloadType(IntEnum):
    """What the samples of a chunk hold (`docs/reference/contract/appliance.proto`)."""

    SCALAR_STRING = 0
    SCALAR_SHORT = 1
    SCALAR_FLOAT = 2
    SCALAR_ENUM = 3
    SCALAR_BYTE = 4
    SCALAR_INT = 5
    SCALAR_DOUBLE = 6
    WAVEFORM_STRING = 7
    WAVEFORM_SHORT = 8
    WAVEFORM_FLOAT = 9
    WAVEFORM_ENUM = 10
    WAVEFORM_BYTE = 11
    WAVEFORM_INT = 12
    WAVEFORM_DOUBLE = 13

    @property
    def is_waveform(self) -> bool:
        """Whether its values are arrays."""
        return self >= PayloadType.WAVEFORM_STRING


SCALARS = {
    Dbr.STRING: PayloadType.SCALAR_STRING,
    Dbr.SHORT: PayloadType.SCALAR_SHORT,
    Dbr.FLOAT: PayloadType.SCALAR_FLOAT,
    Dbr.ENUM: PayloadType.SCALAR_ENUM,
    Dbr.CHAR: PayloadType.SCALAR_BYTE,
    Dbr.LONG: PayloadType.SCALAR_INT,
    Dbr.DOUBLE: PayloadType.SCALAR_DOUBLE,
}
WAVEFORMS = {
    Dbr.STRING: PayloadType.WAVEFORM_STRING,
    Dbr.SHORT: PayloadType.WAVEFORM_SHORT,
    Dbr.FLOAT: PayloadType.WAVEFORM_FLOAT,
    Dbr.ENUM: PayloadType.WAVEFORM_ENUM,
    Dbr.CHAR: PayloadType.WAVEFORM_BYTE,
    Dbr.LONG: PayloadType.WAVEFORM_INT,
    Dbr.DOUBLE: PayloadType.WAVEFORM_DOUBLE,
}
OF_ELEMENTS = {
    "<f8": PayloadType.WAVEFORM_DOUBLE,
    "<f4": PayloadType.WAVEFORM_FLOAT,
    "<i4": PayloadType.WAVEFORM_INT,
    "<i2": PayloadType.WAVEFORM_SHORT,
    "<u2": PayloadType.WAVEFORM_ENUM,
    "|u1": PayloadType.WAVEFORM_BYTE,
    "|S40": PayloadType.WAVEFORM_STRING,
}
"""By the numpy type of the stored elements."""

_BOUNDS = {
    PayloadType.SCALAR_SHORT: (-(2**15), 2**15 - 1),
    PayloadType.SCALAR_ENUM: (0, 2**16 - 1),
    PayloadType.SCALAR_BYTE: (0, 255),
    PayloadType.SCALAR_INT: (-(2**31), 2**31 - 1),
}


def is_integer(kind: PayloadType) -> bool:
    """Whether its scalars are whole numbers."""
    return kind in _BOUNDS


def fits(kind: PayloadType, values: npt.NDArray[np.float64]) -> bool:
    """Whether scalars of this type can carry these numbers exactly."""
    if kind in _BOUNDS:
        low, high = _BOUNDS[kind]
        return bool(((values >= low) & (values <= high) & (values == np.floor(values))).all())
    if kind is PayloadType.SCALAR_FLOAT:
        with np.errstate(over="ignore"):
            return bool(((values.astype(np.float32) == values) | np.isnan(values)).all())
    return kind is PayloadType.SCALAR_DOUBLE
