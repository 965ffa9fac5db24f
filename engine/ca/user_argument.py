"""What libca hands back with each event: 64 bits that name a channel and what was subscribed to.

generation << 32 | array << 31 | DBR type << 25 | row. It is never 0, since generations start at 1 (ctypes would hand 0 over as None).
Both callbacks take every size from the type and the shape in it, so that no message decides how much is copied. `_event_callback.c`
has the same layout.
"""

from __future__ import annotations

import ctypes

ARRAY = 1 << 31
TYPE_AT = 25
ROW_MASK = (1 << TYPE_AT) - 1
TYPE_MASK = 63
SHAPE_MASK = 127
"""DBR type and array flag together, once the row is shifted out: for a scalar the type alone."""


def user_argument(row: int, generation: int, array: bool, dbr: int) -> ctypes.c_void_p:
    """For a subscription. row: below 2**25. dbr: DBR type as libca names it; 0 for a channel itself."""
    return ctypes.c_void_p(generation << 32 | (ARRAY if array else 0) | dbr << TYPE_AT | row)
