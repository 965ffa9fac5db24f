"""Which of the two event callbacks is used."""

from __future__ import annotations

from archioc.core.config.config import Callback
from archioc.core.errors import CallbackMissing
from archioc.engine.ca.channel_access import EventCallback
from archioc.engine.ca.pinned_callback import PinnedCallback
from archioc.engine.ca.ring import EventRing

try:
    from archioc.engine.ca.compiled_callback import CompiledCallback
except ImportError:  # installed where there was no C compiler
    COMPILED = False
else:
    COMPILED = True


def make_callback(wanted: Callback, ring: EventRing) -> EventCallback:
    """The callback wanted; `auto` is the compiled one where it could be built. Raises CallbackMissing."""
    if wanted is Callback.COMPILED and not COMPILED:
        raise CallbackMissing("ca.callback is compiled, but no C compiler was found when ArchIOC was installed; use auto or python")
    if COMPILED and wanted is not Callback.PYTHON:
        return CompiledCallback(ring)
    return PinnedCallback(ring)
