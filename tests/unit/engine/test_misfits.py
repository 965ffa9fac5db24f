"""What becomes of a server that sends what was not subscribed to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.dbr import DBR_CTRL_OFFSET, DBR_TIME_OFFSET, Dbr
from archioc.core.events import Reason
from archioc.core.table.table import ChannelState
from archioc.engine.ca.pinned_callback import ECA_BADTYPE
from archioc.engine.channels.misfits import AT_MOST, TOO_SHORT
from tests.unit.engine.deliveries import call
from tests.unit.engine.rig import Archive, Engine, events, numbers, send

DOUBLE = Dbr.DOUBLE + DBR_TIME_OFFSET
METADATA = Dbr.DOUBLE + DBR_CTRL_OFFSET
WHY = "server ioc:5064 sends 3 elements for a subscription of 1"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "state", ring_bytes=1_000_000)
    made.add("BAD")
    made.add("GOOD")
    yield made
    made.close()


@pytest.fixture
def engine(archive: Archive) -> Iterator[Engine]:
    made = Engine(archive, time.time_ns())
    made.collector.round(time.time_ns())
    made.connect("BAD")
    made.connect("GOOD")
    made.collector.round(time.time_ns())
    yield made
    made.stop(time.time_ns())


def send_misfits(engine: Engine, number: int, count: int = 3, sent: int = DOUBLE, subscribed: int = DOUBLE) -> None:
    for _ in range(number):
        call(engine.callback, *engine.access.created["BAD"], False, sent, count, bytes(512), subscribed=subscribed)


def turn(engine: Engine) -> None:
    engine.collector.round(time.time_ns())
    engine.write()


def shown(archive: Archive, name: str) -> tuple[ChannelState, str]:
    status = archive.table.status.cells[archive.registry.channels[name].row]
    return ChannelState(int(status["state"])), bytes(status["reason"]).decode()


def counters(archive: Archive, name: str) -> tuple[int, int, int]:
    ledger = archive.table.ledger.cells[archive.registry.channels[name].row]
    return int(ledger["received"]), int(ledger["filtered"]), int(ledger["committed"])


def refusals(archive: Archive) -> list[str]:
    return [event.text for event in events(archive) if event.reason is Reason.REJECTED]


def test_a_server_that_goes_on_sending_misfits_is_refused(archive: Archive, engine: Engine) -> None:
    """After ten misfits the subscription is ended; state and one event say why, each misfit is counted, and others lose nothing."""
    send_misfits(engine, AT_MOST - 1)
    turn(engine)
    assert engine.access.ended == []
    for number in range(3):
        send_misfits(engine, 5)
        send(engine, "GOOD", float(number))
        turn(engine)
    assert engine.access.ended == [("BAD", "values")]
    assert shown(archive, "BAD") == (ChannelState.REJECTED, WHY)
    assert refusals(archive) == [WHY]
    assert counters(archive, "BAD") == (AT_MOST + 14, AT_MOST + 14, 0)
    assert numbers(archive.published(), "GOOD") == [0.0, 1.0, 2.0]
    assert shown(archive, "GOOD")[0] is ChannelState.ARCHIVING


def test_one_misfit_is_told_and_forgiven(archive: Archive, engine: Engine) -> None:
    """A misfit among good values is one event; the next good value is stored and ends the refusal."""
    send(engine, "BAD", 1.0)
    send_misfits(engine, 1)
    turn(engine)
    assert shown(archive, "BAD") == (ChannelState.REJECTED, WHY)
    send(engine, "BAD", 2.0)
    turn(engine)
    assert shown(archive, "BAD")[0] is ChannelState.ARCHIVING
    assert numbers(archive.published(), "BAD") == [1.0, 2.0]
    assert (refusals(archive), engine.access.ended) == ([WHY], [])


def test_values_on_their_way_do_not_hide_the_end(archive: Archive, engine: Engine) -> None:
    """Values that came between misfits are stored, but the channel stays refused; the end is told though another refusal was before it."""
    call(engine.callback, *engine.access.created["BAD"], False, DOUBLE, 1, None, 152)
    turn(engine)
    send_misfits(engine, AT_MOST)
    send(engine, "BAD", 5.0)
    turn(engine)
    assert numbers(archive.published(), "BAD") == [5.0]
    assert shown(archive, "BAD") == (ChannelState.REJECTED, WHY)
    assert refusals(archive) == ["Channel Access error 152", WHY]


def test_a_server_is_trusted_again_when_it_comes_back(archive: Archive, engine: Engine) -> None:
    """An ended subscription stays ended when events of the channel were lost, and begins again with the next connection."""
    send_misfits(engine, AT_MOST)
    turn(engine)
    engine.access.connections["BAD"] = (Dbr.DOUBLE, 1)
    engine.channels.look_again(engine.channels.ours(), time.time_ns())
    assert [name for name, _, _ in engine.access.followed].count("BAD") == 1
    engine.disconnect("BAD")
    engine.connect("BAD")
    send(engine, "BAD", 4.0)
    turn(engine)
    assert [name for name, _, _ in engine.access.followed].count("BAD") == 2
    assert shown(archive, "BAD")[0] is ChannelState.ARCHIVING
    assert numbers(archive.published(), "BAD") == [4.0]


def test_misfitting_metadata_cost_no_value(archive: Archive, engine: Engine) -> None:
    """Where only the metadata do not fit, their subscription ends and the values go on; they are no updates, and so in no counter."""
    send_misfits(engine, AT_MOST + 5, count=2, sent=METADATA, subscribed=METADATA)
    send(engine, "BAD", 1.0)
    turn(engine)
    assert engine.access.ended == [("BAD", "metadata")]
    assert shown(archive, "BAD")[0] is ChannelState.ARCHIVING
    assert numbers(archive.published(), "BAD") == [1.0]
    assert refusals(archive) == []


@pytest.mark.parametrize(
    ("sent", "count", "words"),
    [
        (DOUBLE, 0, "0 elements for a subscription of 1"),
        (DOUBLE, 2**32 - 1, "4294967295 elements for a subscription of 1"),
        (Dbr.LONG + DBR_TIME_OFFSET, 1, "TIME_LONG for a subscription of TIME_DOUBLE"),
        (Dbr.STRING, 1, "STRING for a subscription of TIME_DOUBLE"),
        (METADATA, 1, "CTRL_DOUBLE for a subscription of TIME_DOUBLE"),
        (38, 1, "type 38 for a subscription of TIME_DOUBLE"),
    ],
)
def test_the_reason_says_what_was_sent(archive: Archive, engine: Engine, sent: int, count: int, words: str) -> None:
    """The text of the event names the server, what it sends and what was subscribed to."""
    send_misfits(engine, 1, count, sent)
    turn(engine)
    assert refusals(archive) == [f"server ioc:5064 sends {words}"]


def test_a_message_that_is_too_short_is_told_so(archive: Archive, engine: Engine) -> None:
    """What the guard of libca marks as too short is told with the number of elements that the message claims."""
    created = engine.access.created["BAD"]
    call(engine.callback, *created, False, TOO_SHORT | DOUBLE, 7, None, ECA_BADTYPE, subscribed=DOUBLE)
    turn(engine)
    assert refusals(archive) == ["server ioc:5064 sends 7 elements in too few bytes"]


def test_misfits_of_a_removed_channel_are_counted_only(archive: Archive, engine: Engine) -> None:
    """What still comes of a channel that is being removed tells nobody anything."""
    send_misfits(engine, AT_MOST)
    archive.remove("BAD")
    turn(engine)
    assert (refusals(archive), engine.access.ended) == ([], [])


def test_many_refusals_cost_one_act_a_channel(archive: Archive, engine: Engine) -> None:
    """A server that answers each update with an error makes one event, whatever their number."""
    for _ in range(2000):
        call(engine.callback, *engine.access.created["BAD"], False, DOUBLE, 1, None, 152)
    turn(engine)
    assert refusals(archive) == ["Channel Access error 152"]
