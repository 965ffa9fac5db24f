"""How memory that columns no longer need is kept for the next ones."""

from __future__ import annotations

import ctypes

KEPT = 32 << 20
"""Bytes of freed memory that a process keeps."""

COLUMN = 8 << 20
"""Bytes of an allocation up to which it is made of what is kept; larger ones go back to the kernel at once."""

# Of <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Have the C library keep up to KEPT freed bytes, where it can be told so (glibc).

    By default it gives back what columns of a few hundred kB have taken as soon as they are freed. To take it again costs a page fault for
    every 4 kB, which is as much as all that is reckoned with a column.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT)
        mallopt(_MMAP_THRESHOLD, COLUMN)
