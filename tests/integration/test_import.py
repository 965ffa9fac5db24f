"""Channels imported into a running archiver, by the command line and by a put."""

from __future__ import annotations

from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.records.counters import counter_database, counter_names


def test_imported_channels_are_archived(
    archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str
) -> None:
    """`channels import` adds the channels of a file, which connect; a fault names file and line; `ImportFile` does the same by a put."""
    names = counter_names(prefix, 3)
    ioc = softioc(counter_database(names))
    made = archiver(names[:1], [ioc.port])
    made.start(connected=1)
    table = made.config.with_name("more.csv")
    table.write_text(f"pv,rate\n{names[0]},1\n{names[1]},2\n")
    command = ("channels", "import", str(table), "--config", str(made.config))
    dry = made.command(*command, "--dry-run")
    assert dry.out.splitlines() == [f"+ {names[1]}", "dry run: would have added 1 channels, 1 are archived already"]
    done = made.command(*command)
    assert (done.status, done.out) == (0, "imported 1 channel, 1 archived already\n"), done.err
    made.wait_connected(2)
    table.write_text("pv,rate\nX,-1\n")
    bad = made.command(*command)
    assert bad.status == 2
    assert f"{table}:2: X: rate=-1: must lie between" in bad.err
    imports = made.directories.imports
    assert list(imports.iterdir()) == [], "copies are removed"
    (imports / "list").write_text(f"{names[2]}\n")
    client = ca_client([made.port])
    client.put(f"{made.prefix}ImportFile", "list")
    assert client.get_text(f"{made.prefix}Result") == "imported 1 channel"
    made.wait_connected(3)
