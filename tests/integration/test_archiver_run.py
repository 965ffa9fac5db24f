"""`archioc run` as a whole: how it starts, stops, refuses, and how it ends when its supervisor is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import psutil

from archioc.core.table.table import ChannelTable
from archioc.engine.channels.gaps import UNHEARD_NS
from tests.conftest import ArchiverFactory, CountingFactory, SoftIocFactory
from tests.processes.archiver import PROCESSES, Archiver
from tests.processes.waiting import PATIENCE_S, wait_until
from tests.records.counters import check_no_loss, counter_database, counter_names

COUNTERS = 20


def collects_all(made: Archiver) -> int:
    """Wait until the engine has taken an update of each counter that is stamped after the call; the time (ns) of that call."""
    since_ns = time.time_ns()
    table = ChannelTable(made.directories.run)
    table.open()
    try:
        wait_until(lambda: table.status.cells["time"][:COUNTERS].min() > since_ns, PATIENCE_S, "each counter has a new update")
    finally:
        table.close()
    return since_ns


def alive(process: psutil.Process) -> bool:
    """Whether a process is there and has not ended; who ends an orphan's record is not ours to say."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_stop_in_order_and_start_again(counting: CountingFactory) -> None:
    """SIGTERM and Ctrl-C end all processes with 0 within 12 s, all samples are stored, and the gap of the stop closes at the next start."""
    load = counting(COUNTERS)
    made, watch, names = load.archiver, load.watch, load.names
    until_ns = collects_all(made)
    stopped_ns = stop_in_order(made, Archiver.stop)
    histories = made.check_conservation().histories
    check_no_loss(watch.by_channel(), histories, until_ns)
    assert all([gap.end_ns for gap in histories[name].gaps("archiver_stop")] == [None] for name in names)
    made.start(connected=COUNTERS)
    collects_all(made)
    again_ns = time.time_ns()
    made.wait_for_samples(names[0], again_ns)
    until_ns = collects_all(made)
    stop_in_order(made, Archiver.interrupt)
    histories = made.check_conservation().histories
    check_no_loss(watch.by_channel(), histories, until_ns, "archiver_stop")
    for history in histories.values():
        first, second = history.gaps("archiver_stop")
        assert first.end_ns is not None
        assert stopped_ns - UNHEARD_NS <= first.time_ns < first.end_ns <= again_ns
        assert second.end_ns is None
        assert [sample.time_ns for sample in history.samples if sample.generated][1:] == [first.end_ns]


def stop_in_order(made: Archiver, stop: Callable[[Archiver], int]) -> int:
    """Stop it and check how it ends; the time (ns) when it was told to."""
    children = psutil.Process(made.pid).children()
    assert len(children) == len(PROCESSES)
    asked_ns, asked = time.time_ns(), time.monotonic()
    assert stop(made) == 0
    assert time.monotonic() - asked < 12
    assert not any(alive(child) for child in children)
    return asked_ns


def test_gaps_over_a_reboot(counting: CountingFactory) -> None:
    """After a reboot the gap of the stop before it closes, and a power cut gets a gap of its own that closes as well."""
    load = counting(COUNTERS)
    made, name = load.archiver, load.names[0]
    assert made.stop() == 0
    made.lose_memory()
    made.start(connected=COUNTERS)
    collects_all(made)
    made.wait_for_samples(name, time.time_ns())
    at_first = told_alive(made)
    wait_until(lambda: told_alive(made) > at_first, PATIENCE_S, "the file that outlives a reboot is written again")
    alive_ns = told_alive(made)
    made.cut_power()
    cut_ns = time.time_ns()
    made.start(connected=COUNTERS)
    collects_all(made)
    again_ns = time.time_ns()
    made.wait_for_samples(name, again_ns)
    made.wait_for_empty_spool()
    for history in made.get_all().values():
        [stop], [cut] = history.gaps("archiver_stop"), history.gaps("engine_restart")
        assert stop.end_ns is not None
        assert cut.end_ns is not None
        assert stop.time_ns < stop.end_ns <= cut_ns < cut.end_ns <= again_ns
        assert alive_ns <= cut.time_ns <= cut_ns
    assert made.stop() == 0


def told_alive(made: Archiver) -> int:
    """When (ns) the engine last wrote that it collects."""
    return int(json.loads(made.directories.alive.read_bytes())["time_ns"])


def test_absent_ioc_over_a_reboot(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """A gap that was open when the power was cut is the same gap afterwards, and ends when the IOC is back; none stays open beside it."""
    [name] = counter_names(prefix, 1)
    ioc = softioc(counter_database([name]))
    made = archiver([name], [ioc.port])
    made.start(connected=1)
    made.wait_for_samples(name, 0)
    ioc.kill()
    wait_until(lambda: made.history(name).events, PATIENCE_S, "the gap is stored")
    [begun] = made.history(name).events
    made.cut_power()
    made.start(connected=0)
    ioc.restart()
    made.wait_connected(1)
    again_ns = time.time_ns()
    made.wait_for_samples(name, again_ns)
    assert made.stop() == 0
    history = made.history(name)
    [gap] = history.gaps("disconnected")
    assert (begun.reason, begun.time_ns, begun.end_ns) == ("disconnected", gap.time_ns, None)
    assert gap.end_ns in [sample.time_ns for sample in history.samples if sample.generated]
    assert [event.reason for event in history.events if event.end_ns is None] == ["archiver_stop"]
    assert not history.gaps("engine_restart")


def test_killed_supervisor(counting: CountingFactory) -> None:
    """Processes of a killed supervisor end by themselves; a new one waits for the last of them, and nothing is lost but in the gap."""
    load = counting(COUNTERS)
    made, watch, names = load.archiver, load.watch, load.names
    orphan = made.suspend_child("db")
    children = made.kill_supervisor()
    made.launch()
    wait_until(lambda: [child for child in children if alive(child)] == [orphan], PATIENCE_S, "engine and ioc have ended")
    wait_until(lambda: "waits_for_orphans" in made.log.read_text(), PATIENCE_S, "the new supervisor waits")
    assert psutil.Process(made.pid).children() == []
    orphan.resume()
    made.wait_running()
    assert not alive(orphan)
    made.wait_connected(COUNTERS)
    made.wait_for_empty_spool()
    until_ns = time.time_ns() + 10**9
    made.wait_for_samples(names[0], until_ns)
    assert made.stop() == 0
    check_no_loss(watch.by_channel(), made.check_conservation().histories, until_ns, "archiver_stop")


def test_stop_while_waiting_for_orphans(counting: CountingFactory) -> None:
    """SIGTERM to a supervisor that waits for the processes of a killed one ends it with 0; nothing was started."""
    made = counting(COUNTERS).archiver
    orphan = made.suspend_child("db")
    made.kill_supervisor()
    made.launch()
    wait_until(lambda: "waits_for_orphans" in made.log.read_text(), PATIENCE_S, "the new supervisor waits")
    assert made.stop() == 0
    assert "another archiver runs" not in made.log.read_text()
    orphan.resume()
    wait_until(lambda: not alive(orphan), PATIENCE_S, "the orphan has ended")


def test_wrong_configuration_starts_nothing(archiver: ArchiverFactory, prefix: str) -> None:
    """A configuration with an error ends `run` with 2 and one line that names file, line and key; no state directory is made."""
    made = archiver([{"pv": f"{prefix}X", "rate": -1}], [])
    done = made.command("run", str(made.config))
    assert done.status == 2
    assert done.out == ""
    [line] = done.err.splitlines()
    assert f"{made.config}:" in line
    assert "rate" in line
    assert not made.directories.state.exists()


def test_second_archiver_is_refused(archiver: ArchiverFactory, prefix: str) -> None:
    """A second archiver on the same state directory ends with 1 and a line that says who has it; the first is not disturbed."""
    made = archiver([], [])
    made.start()
    done = made.command("run", str(made.config))
    assert done.status == 1
    assert "another archiver runs on it" in done.err
    assert str(made.pid) in done.err
    assert "Traceback" not in done.err
    assert all(made.child(name) is not None for name in PROCESSES)
    assert made.stop() == 0
