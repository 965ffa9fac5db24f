"""The way back after `state.db` was damaged."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from archioc.core.config.file import load_config
from archioc.open_archive import open_reader
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.records.counters import counter_database, counter_names


def test_damaged_registry_is_restored(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> None:
    """With a damaged state.db check fails; after a restore the archiver starts, and has an operator's put of the time of the copy."""
    (name,) = counter_names(prefix, 1)
    ioc = softioc(counter_database([name]))
    made = archiver([name], [ioc.port])
    made.start(connected=1)
    rate = f"{made.prefix}CH:{name}:Rate"
    ca_client([made.port]).put(rate, 3.0)
    assert made.stop() == 0
    made.start(connected=1)  # which makes a copy
    running = made.command("check", str(made.config))
    assert (running.status, running.out.count(" ok: ")) == (0, 6), running.out
    refused = made.command("check", str(made.config), "--restore", "newest")
    assert (refused.status, "another archiver runs on it" in refused.err) == (1, True)
    assert made.stop() == 0
    path = made.directories.registry
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 20_000)
    faulty = made.command("check", str(made.config))
    assert (faulty.status, "registry FAULT: " in faulty.out) == (1, True)
    restored = made.command("check", str(made.config), "--restore", "newest")
    assert restored.status == 0, restored.err
    made.start(connected=1)
    assert ca_client([made.port]).get(rate) == 3.0


def test_a_backup_takes_the_place_of_the_archive(
    archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, tmp_path: Path, prefix: str
) -> None:
    """A copy of the running archive has every sample of before, puts, and a gap from then on; the archiver goes on with it."""
    names = counter_names(prefix, 3)
    made = archiver(names, [softioc(counter_database(names)).port])
    made.start(connected=3)
    ca_client([made.port]).put(f"{made.prefix}CH:{names[0]}:Deadband", 0.5)
    made.wait_for_samples(names[0], time.time_ns())
    begun_ns, copy = time.time_ns(), tmp_path / "copy"
    done = made.command("store", "backup", str(copy), "--config", str(made.config))
    assert (done.status, "3 files" in done.out or "files of the store" in done.out) == (0, True), done.err
    again = made.command("store", "backup", str(copy), "--config", str(made.config))
    assert (again.status, "is not empty" in again.err) == (2, True)
    made.wait_for_samples(names[0], time.time_ns())
    assert made.stop() == 0
    wanted = stored_until(made.config, names, begun_ns)
    made.lose_memory()
    shutil.rmtree(made.directories.state)
    shutil.copytree(copy, made.directories.state)
    made.start(connected=3)
    made.wait_for_samples(names[0], time.time_ns())
    assert ca_client([made.port]).get(f"{made.prefix}CH:{names[0]}:Deadband") == 0.5
    assert made.stop() == 0
    assert stored_until(made.config, names, begun_ns) == wanted
    for name in names:
        [gap] = made.history(name).gaps("engine_restart")
        assert gap.end_ns is not None
        assert begun_ns - 3 * 10**9 < gap.time_ns < gap.end_ns
    assert made.command("check", str(made.config)).status == 0


def stored_until(config: Path, names: list[str], t_ns: int) -> dict[str, list[tuple[int, float]]]:
    """Time and value of all samples up to a time."""
    reader = open_reader(load_config(config))
    try:
        return {
            name: [
                (time_ns, value)
                for chunk in reader.samples(name, 0, t_ns, with_previous=False)
                for time_ns, value in zip(chunk.time.tolist(), chunk.value.tolist(), strict=True)
            ]
            for name in names
        }
    finally:
        reader.close()
