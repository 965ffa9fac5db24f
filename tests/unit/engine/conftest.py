from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.config.config import Callback
from archioc.engine.ca.channel_access import EventCallback
from archioc.engine.ca.event_callback import COMPILED, make_callback
from archioc.engine.ca.ring import EventRing
from tests.processes.tools import missing_tool
from tests.unit.engine.rig import Archive, Engine

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


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Two channels: A, and B with a rate of 1 Hz."""
    made = Archive(tmp_path / "state")
    made.add("A")
    made.add("B", rate=1.0)
    yield made
    made.close()


@pytest.fixture
def engine(archive: Archive) -> Iterator[Engine]:
    """An engine that has looked for both."""
    made = Engine(archive, time.time_ns())
    made.collector.round(time.time_ns())
    yield made
    made.stop(time.time_ns())
