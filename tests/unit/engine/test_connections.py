from __future__ import annotations

import time

from archioc.core.dbr import Dbr
from archioc.core.events import Reason
from archioc.core.table.table import ChannelState
from archioc.engine.ca.searches import SEARCH_AGAIN_NS
from tests.unit.engine.rig import Archive, Engine, events, numbers, send


def test_a_channel_that_connects_is_followed_and_shown(archive: Archive, engine: Engine) -> None:
    """Each channel is created once, subscribed to with the type it connected with, and shown as archiving until it disconnects."""
    row = archive.registry.channels["A"].row
    assert sorted(engine.access.created) == ["A", "B"]
    assert archive.table.status.cells["state"][row] == ChannelState.CONNECTING
    engine.connect("A", Dbr.LONG, 1)
    engine.collector.round(time.time_ns())
    assert engine.access.followed == [("A", Dbr.LONG, 1)]
    assert archive.table.status.cells["state"][row] == ChannelState.ARCHIVING
    send(engine, "A", 1.0)
    engine.disconnect("A")
    engine.collector.round(time.time_ns())
    assert archive.table.status.cells["state"][row] == ChannelState.DISCONNECTED
    engine.write()
    assert [(one.reason, one.end_ns) for one in events(archive)] == [(Reason.DISCONNECTED, None)]


def test_a_name_that_is_refused_is_rejected(archive: Archive, engine: Engine) -> None:
    """A name that libca does not take shows as rejected, with the reason."""
    engine.access.refuses.add("BAD")
    row = archive.add("BAD")
    engine.collector.round(time.time_ns())
    status = archive.table.status.cells[row]
    assert (status["state"], bytes(status["reason"])) == (ChannelState.REJECTED, b"Channel Access does not take this name")


def test_a_disconnect_ends_the_wait_of_a_withheld_value(archive: Archive, engine: Engine) -> None:
    """The last value before a disconnect is stored, although its interval is not over; reconnecting closes the gap."""
    engine.connect("B")
    send(engine, "B", 1.0, 2.0, 3.0)
    engine.collector.round(time.time_ns())
    engine.write()
    assert numbers(archive.published(), "B") == [1.0]
    engine.disconnect("B")
    engine.connect("B")
    send(engine, "B", 4.0)
    engine.collector.round(time.time_ns())
    engine.write()
    assert numbers(archive.published(), "B") == [1.0, 3.0, 4.0]
    opened, closed = events(archive)
    assert (opened.reason, opened.end_ns, closed.time_ns) == (Reason.DISCONNECTED, None, opened.time_ns)
    assert closed.end_ns is not None
    assert closed.end_ns > opened.time_ns


def test_a_lost_channel_is_searched_for_a_second_later(archive: Archive, engine: Engine) -> None:
    """A channel that has lost its server is searched for once, a second after the loss; one that was removed meanwhile is not."""
    engine.connect("A")
    engine.connect("B")
    engine.collector.round(time.time_ns())
    engine.disconnect("A")
    engine.disconnect("B")
    now = time.time_ns()
    engine.collector.round(now)
    archive.remove("B")
    engine.collector.round(now + SEARCH_AGAIN_NS // 2)
    engine.write()
    assert engine.access.searched_again == []
    engine.collector.round(now + SEARCH_AGAIN_NS)
    engine.collector.round(now + 3 * SEARCH_AGAIN_NS)
    assert engine.access.searched_again == ["A"]
