"""The event callback in C: needs no interpreter lock, so that Python at work beside it delays nothing.

Interchangeable with `archioc.engine.ca.pinned_callback`; which one is used, `archioc.engine.ca.event_callback` decides.
"""

from __future__ import annotations

import ctypes
from typing import Any

from archioc.engine.ca import _event_callback
from archioc.engine.ca.libca import ChannelQueries
from archioc.engine.ca.ring import EventRing


class CompiledCallback:
    """Writes what libca delivers into the ring; one object of this class a process."""

    name = "compiled"

    def __init__(self, ring: EventRing) -> None:
        self._ring = ring  # the C code holds bare addresses of it
        address = _event_callback.attach(
            ring.slots.ctypes.data,
            len(ring.slots),
            ring.head.ctypes.data,
            ring.bulk.ctypes.data,
            len(ring.bulk),
            ring.free_for_arrays,
            ring.largest_array,
            ring.lost.ctypes.data,
            len(ring.lost),
        )
        self.function: Any = ctypes.c_void_p(address)

    def connection_function(self, queries: ChannelQueries) -> Any:
        """The C function for `ca_create_channel`."""
        asked = (queries.ca_puser, queries.ca_field_type, queries.ca_element_count)
        return ctypes.c_void_p(_event_callback.ask(*(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in asked)))
