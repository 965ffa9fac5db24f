from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.ring import EventRing


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
