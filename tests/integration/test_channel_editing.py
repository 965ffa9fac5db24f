"""Channels added, changed and removed by the command line."""

from __future__ import annotations

from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.records.counters import counter_database, counter_names


def test_channels_are_edited_by_commands(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """`channels add`, `set` and `remove` do what the control PVs do, and end with the archiver's words when it refuses."""
    first, *others = counter_names(prefix, 3)
    ioc = softioc(counter_database([first, *others]))
    made = archiver([first], [ioc.port])
    made.start(connected=1)
    config = ("--config", str(made.config))

    added = made.command("channels", "add", *others, "rate=5", "description=two words", *config)
    assert (added.status, added.out) == (0, "added 2 channels\n"), added.err
    made.wait_connected(3)
    listed = made.command("channels", "list", "--filter", others[1], *config)
    assert "rate=5" in listed.out
    assert "description=two words" in listed.out

    every = f"{prefix}*"
    refused = made.command("channels", "set", every, "rate=1", *config)
    assert (refused.status, refused.out) == (1, "")
    assert "means 3 channels, repeat it with confirm=3; nothing was changed" in refused.err
    done = made.command("channels", "set", every, "rate=1", "confirm=3", *config)
    assert (done.status, done.err) == (0, ""), done.err
    assert set(made.status().rates.values()) == {1.0}

    removed = made.command("channels", "remove", *others, *config)
    assert (removed.status, removed.out) == (0, "removed 2 channels\n"), removed.err
    assert set(made.status().channels) == {first}
    unknown = made.command("channels", "remove", others[0], *config)
    assert (unknown.status, unknown.out) == (1, "")
    assert "no such channel" in unknown.err
    assert made.command("channels", "add", "rate=5", *config).status == 2
    assert made.stop() == 0
    assert made.command("channels", "remove", first, *config).status == 1
