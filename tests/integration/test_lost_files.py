"""Files of the state directory that are lost, emptied or left over."""

from __future__ import annotations

import shutil

from archioc.core.directories import SHARED_MEMORY
from tests.conftest import ArchiverFactory, CaClientFactory, CountingFactory, SoftIocFactory
from tests.processes.waiting import wait_until
from tests.records.counters import counter_database, counter_names


def test_an_empty_registry_is_refused(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> None:
    """After state.db was emptied nothing is collected and the log says why; a restore brings back the channel that an operator added."""
    names = counter_names(prefix, 2)
    ioc = softioc(counter_database(names))
    made = archiver([names[0]], [ioc.port])
    made.start(connected=1)
    ca_client([made.port]).put(f"{made.prefix}Add", f"{names[1]} rate=2")
    made.wait_connected(2)
    assert made.stop() == 0
    made.start(connected=2)  # which makes a copy
    assert made.stop() == 0
    made.directories.registry.write_bytes(b"")
    made.launch()
    wait_until(lambda: "an archiver has run here before" in made.log.read_text(), 60, f"the refusal, log: {made.log}")
    assert made.stop() == 0
    assert made.command("check", str(made.config), "--restore", "newest").status == 0
    made.start(connected=2)
    assert made.stop() == 0


def test_a_power_cut_without_a_sign_of_life(counting: CountingFactory) -> None:
    """With an emptied `alive` the hole of a power cut has a gap all the same, the log says so, and the counters balance."""
    load = counting(3)
    made, name = load.archiver, load.names[0]
    made.suspend_child("db")  # so that batches of before are in the spool
    made.wait_for_spool(2)
    made.cut_power()
    made.directories.alive.write_bytes(b"")
    last_ns = max(sample.time_ns for history in made.get_all().values() for sample in history.samples)
    made.start(connected=3)
    made.wait_for_empty_spool()
    assert made.stop() == 0
    assert "alive_damaged" in made.log.read_text()
    assert "last_run_unknown" in made.log.read_text()
    [gap] = made.history(name).gaps("engine_restart")
    assert gap.end_ns is not None
    assert last_ns < gap.time_ns < gap.end_ns
    total = made.check_balance().total
    assert total.stored > 0


def test_counters_of_another_state_directory(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """A run directory that outlived its state directory is not used for the next one: the counters begin at zero."""
    [name] = counter_names(prefix, 1)
    made = archiver([name], [softioc(counter_database([name])).port])
    made.start(connected=1)
    made.wait_for_samples(name, 0)
    assert made.stop() == 0
    place = made.directories.run.resolve()
    if place.parent != SHARED_MEMORY:
        place = shutil.copytree(place, made.config.parent / "kept")
    shutil.rmtree(made.directories.state)
    made.start(connected=1)
    made.wait_for_samples(name, 0)
    assert made.stop() == 0
    made.check_conservation()
