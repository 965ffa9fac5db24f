"""What the tests around the model of a disk share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from archioc.core.table.table import ChannelTable
from archioc.engine.ca.ring import EventRing
from tests.unit.core.spool.world import Memory


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    run = tmp_path_factory.mktemp("run")
    table, ring = ChannelTable(run), EventRing(run / "ring")
    table.create(4)
    ring.create(1, 4)
    yield Memory(table, ring)
    ring.close()
    table.close()


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Thousands of lines would hide the steps that led to a failure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are told at once, and listings are never old."""
    monkeypatch.setattr("archioc.engine.commit.commit.TELL_EVERY_S", 0.0)
    monkeypatch.setattr("archioc.engine.commit.spool_limits.SHARE", float("inf"))
    monkeypatch.setattr("archioc.db.delivery.order.LOOK_S", 0.0)
