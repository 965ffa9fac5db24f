"""The way back after `state.db` was damaged."""

from __future__ import annotations

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
    assert (running.status, running.out.count(" ok: ")) == (0, 5), running.out
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
