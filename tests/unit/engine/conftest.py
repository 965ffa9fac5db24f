from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.config import Callback
from engine.channel_access import EventCallback
from engine.event_callback import COMPILED, make_callback
from engine.ring import EventRing
from tests.processes.tools import missing_tool

CallbackFactory = Callable[[EventRing], EventCallback]
"""new_callback(ring)"""


@pytest.fixture(autouse=True)
def callbacks_are_collected() -> Iterator[None]:
    """A callback and its C function refer to each other, so that only the collector lets go of the ring they write to."""
    yield
    gc.collect()


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[EventRing]:
    """The smallest ring there is, for 8 rows."""
    made = EventRing(tmp_path / "ring")
    made.create(1, 8)
    yield made
    made.close()


@pytest.fixture(params=[Callback.PYTHON, Callback.COMPILED], scope="session")
def new_callback(request: pytest.FixtureRequest) -> CallbackFactory:
    """new_callback(ring): each of the two event callbacks in turn; they are interchangeable."""
    if request.param is Callback.COMPILED and not COMPILED:
        missing_tool("cc", "install a C compiler, then ArchIOC again")
    return lambda ring: make_callback(request.param, ring)
