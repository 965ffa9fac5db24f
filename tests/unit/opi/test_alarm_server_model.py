"""The model of the alarm server does what Phoebus' alarm server does."""

from __future__ import annotations

import pytest

from archioc.opi.alarm_entries import WatchedGroup, archiver_folders, group_folder
from archioc.opi.alarm_xml import to_xml
from tests.screens.alarm_server import AlarmServer, Raised, entries, passes

NAN = float("nan")


def server(**settings: object) -> AlarmServer:
    given = {"latching": "false", "annunciating": "true", "delay": 0, "count": 0, "filter": "", **settings}
    inside = "".join(f"<{tag}>{str(text).replace('<', '&lt;').replace('&&', '&amp;&amp;')}</{tag}>" for tag, text in given.items())
    return AlarmServer(f'<config name="A"><pv name="X">{inside}</pv></config>')


def course(made: AlarmServer, *steps: tuple[float, str]) -> list[tuple[float, str]]:
    for at, level in steps:
        made.receive(at, "X", level, 0.0)
    made.pass_time(1000.0)
    return [(one.at, one.level) for one in made.raised]


def test_latch() -> None:
    """A latched alarm stays at the highest severity; another one follows its PV."""
    latched, following = server(latching="true"), server()
    for made in (latched, following):
        course(made, (1, "MINOR"), (2, "MAJOR"), (3, "OK"))
        assert [one.level for one in made.raised] == ["MINOR", "MAJOR"]
    assert (latched.standing(), following.standing()) == ({"X": "MAJOR"}, {})


def test_delay() -> None:
    """What is over before the delay raises nothing; what lasts is raised when the delay is over, if latched as the highest meanwhile."""
    assert course(server(delay=10), (1, "MAJOR"), (10.5, "OK")) == []
    assert course(server(delay=10), (1, "MAJOR")) == [(11, "MAJOR")]
    assert course(server(delay=10, latching="true"), (1, "INVALID"), (5, "MINOR")) == [(11, "INVALID")]
    assert course(server(delay=10), (1, "INVALID"), (5, "MINOR")) == [(11, "MINOR")]


def test_count() -> None:
    """So many alarms within the delay are one alarm, though each is over soon."""
    often = [(at, level) for at in (1.0, 3.0, 5.0) for level in ("MAJOR", "OK") for at in [at + (level == "OK")]]
    assert course(server(delay=10, count=3), *often) == [(5, "MAJOR")]
    assert course(server(delay=3, count=3), *often) == []


def test_filter() -> None:
    """An alarm counts only while its filter holds; a PV that is not connected makes it not hold, and an alarm that was there goes."""
    made = server(filter="`S` < 3 && `G` == 1")
    for at, pv, value in ((0.0, "S", 1.0), (0.0, "G", 1.0), (5.0, "S", NAN)):
        made.receive(at, pv, "OK", value)
    assert course(made, (6.0, "MAJOR")) == []
    made.receive(1001.0, "S", "OK", 1.0)
    made.pass_time(1002.0)
    assert made.raised == [Raised(1001.6, "X", "MAJOR", spoken=True)]
    made.receive(1010.0, "S", "MAJOR", 3.0)
    made.pass_time(1011.0)
    assert made.standing() == {}


@pytest.mark.parametrize("filter_", ["`S` == 1", "`S` >= 0", "`S` < 3"])
def test_not_connected_is_not_a_number(filter_: str) -> None:
    """No comparison but != holds for a PV that is not connected."""
    assert passes(filter_, {"S": 1.0})
    assert not passes(filter_, {"S": NAN})
    assert not passes(filter_, {})


def test_loss_is_latched_and_nothing_else_latches() -> None:
    """As shipped, a loss of one minute is raised once and stays; a PV that is not known for a restart, in any entry, raises nothing."""
    text = to_xml("A", archiver_folders("P:"), [group_folder("P:", WatchedGroup("vac", ("SR:P1",)))], part=False)
    made = AlarmServer(text)
    names = [entry.pv for entry in entries(text)]
    for at, level in ((0.0, "OK"), (10.0, "UNDEFINED"), (22.0, "OK"), (40.0, "INVALID"), (60.0, "OK")):
        for name in (*names, "P:GRP:vac:State"):
            made.receive(at, name, level, NAN if level == "UNDEFINED" else 1.0)
    assert made.raised == []
    made.receive(100.0, "P:Dropped:LastMinute", "MAJOR", 3.0)
    made.receive(160.0, "P:Dropped:LastMinute", "OK", 0.0)
    made.pass_time(1000.0)
    assert made.raised == [Raised(145.0, "P:Dropped:LastMinute", "MAJOR", spoken=True)]
    assert made.standing() == {"P:Dropped:LastMinute": "MAJOR"}


def test_long_outage_is_one_alarm() -> None:
    """A control IOC that is away for half a minute and more raises `State` alone, beside what is latched for a real loss."""
    text = to_xml("A", archiver_folders("P:"), [group_folder("P:", WatchedGroup("vac", ("SR:P1",)))], part=False)
    made = AlarmServer(text)
    names = [entry.pv for entry in entries(text)]
    for at, level in ((0.0, "OK"), (10.0, "UNDEFINED")):
        for name in (*names, "P:GRP:vac:State"):
            made.receive(at, name, level, NAN if level == "UNDEFINED" else 1.0)
    made.pass_time(54.0)
    assert made.standing() == {"P:State": "UNDEFINED"}


def test_delay_ends_while_disabled() -> None:
    """A delay that began before the filter disabled the entry is over when the entry counts again and its PV is good."""
    made = server(filter="`S` >= 0", delay=30)
    made.receive(0.0, "S", "OK", 1.0)
    for at, level, value in ((10.0, "UNDEFINED", NAN), (18.0, "OK", 1.0)):
        made.receive(at, "S", level, value)
        made.receive(at, "X", level, value)
    made.pass_time(20.0)
    made.receive(35.0, "X", "INVALID", 1.0)
    made.pass_time(60.0)
    assert made.raised == []
