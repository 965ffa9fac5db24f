"""Lines of scalar numbers in the raw format, written by C.

Interchangeable with `archioc.retrieval.appliance.numpy_lines`; which one is used, `archioc.retrieval.appliance.number_lines` decides.
"""

from __future__ import annotations

import numpy as np

from archioc.retrieval.appliance import _compiled_lines
from archioc.retrieval.appliance.protobuf_lines import FIXED, ZIGZAG, ZIGZAG_TAG
from archioc.retrieval.appliance.runs import Run


def number_lines(run: Run, year_start_s: int) -> bytes:
    """Lines of scalar numbers that the type can carry (`payload.fits`), none of them before the start of the year (s since 1970)."""
    is_zigzag = run.header.kind in ZIGZAG
    tag, dtype = (ZIGZAG_TAG, "<i8") if is_zigzag else FIXED[run.header.kind]
    values = np.ascontiguousarray(run.values, dtype)
    width = 0 if is_zigzag else values.itemsize
    severity, status = np.ascontiguousarray(run.severity), np.ascontiguousarray(run.status)
    return _compiled_lines.lines(np.ascontiguousarray(run.time), year_start_s, values, width, tag, severity, status)
