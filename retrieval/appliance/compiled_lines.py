"""Lines of scalar numbers in the raw format, written by C.

Interchangeable with `retrieval.appliance.numpy_lines`; which one is used, `retrieval.appliance.number_lines` decides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retrieval.appliance import _compiled_lines
from retrieval.appliance.payload import PayloadType
from retrieval.appliance.wire import FIXED, ZIGZAG, ZIGZAG_TAG

Bytes = npt.NDArray[np.uint8]


def number_lines(
    kind: PayloadType,
    time: npt.NDArray[np.int64],
    year_start_s: int,
    values: npt.NDArray[np.float64],
    severity: Bytes,
    status: Bytes,
) -> bytes:
    """Lines of scalar numbers that the type can carry (`payload.fits`). time: ns since 1970, none before the year's start."""
    is_zigzag = kind in ZIGZAG
    tag, dtype = (ZIGZAG_TAG, "<i8") if is_zigzag else FIXED[kind]
    raw = np.ascontiguousarray(values, dtype)
    width = 0 if is_zigzag else raw.itemsize
    return _compiled_lines.lines(
        np.ascontiguousarray(time), year_start_s, raw, width, tag, np.ascontiguousarray(severity), np.ascontiguousarray(status)
    )
