"""Renaming a channel of a running archiver."""

from __future__ import annotations

import time
from itertools import pairwise

from archioc.core.config.file import load_config
from archioc.core.spool.batch import SampleFlag
from archioc.db.sample_columns import SampleColumns, concatenate
from archioc.open_archive import open_reader
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.processes.archiver import FAR_NS, Archiver
from tests.processes.waiting import PATIENCE_S, wait_until
from tests.records.counters import counter_database, counter_names

SECOND_NS = 1_000_000_000
LET_GO_NS = SECOND_NS
"""Updates stamped so long before a renaming may still have been on their way; so long after the first one under the new name all come."""


def test_a_channel_goes_on_under_its_new_name(
    archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str
) -> None:
    """After Rename the new name has the whole history and goes on; PVs and settings of the old name are the new one's; counts balance.

    The IOC has records of both names. Apply of the file with the old name changes nothing, and the channel can be renamed back.
    """
    old, new, other = counter_names(prefix, 3)
    ioc = softioc(counter_database([old, new, other]))
    made = archiver([{"pv": old, "rate": 40}, other], [ioc.port])
    made.start(connected=2)
    client = ca_client([made.port])
    of_old, of_new = f"{made.prefix}CH:{old}:", f"{made.prefix}CH:{new}:"
    client.put(of_old + "Rate", 50)
    client.wait_for_value(of_old + "State", "Archiving")
    made.wait_for_samples(old, time.time_ns())

    away_begun = time.time_ns()
    done = made.command("channels", "rename", old, new, "--config", str(made.config))
    assert (done.status, done.out) == (0, "renamed 1 channel\n"), done.err
    assert (client.get(of_old + "Rate"), client.get(of_new + "Rate")) == (50, 50)
    client.put(of_old + "Desc", "beam current")
    assert client.get_text(of_new + "Desc") == "beam current"
    away = (away_begun, collected_as(made, new, since_ns=0))
    made.wait_for_samples(new, away[1] + LET_GO_NS)
    client.wait_for_value(of_old + "State", "Archiving")
    client.wait_for_value(of_new + "State", "Archiving")
    client.put(made.prefix + "Apply", 1)
    assert client.get_text(made.prefix + "Result") == "applied: nothing changes"

    made.wait_for_samples(new, time.time_ns())
    back_begun = time.time_ns()
    client.put(made.prefix + "Rename", f"{new} {old}")
    wait_until(
        lambda: client.get(of_old + "Rate") == 50 and client.get_text(of_new + "Desc") == "beam current", PATIENCE_S, "PVs of both names"
    )
    back = (back_begun, collected_as(made, old, since_ns=back_begun))
    made.wait_for_samples(old, back[1] + LET_GO_NS)
    assert made.stop() == 0
    assert sorted(made.check_balance().channels) == sorted([old, other])

    whole = stored(made, old)
    assert stored(made, new).time.tolist() == whole.time.tolist()
    parts = {time_ns for name in (old, new) for time_ns in stored(made, name, as_stored=True).time.tolist()}
    missing = parts - set(whole.time.tolist())
    assert len(missing) <= 4, "first values, whose stamps may lie in the time of the name before"
    assert all(any(begin - LET_GO_NS < time_ns < end + LET_GO_NS for begin, end in (away, back)) for time_ns in missing)
    counts = whole.select((whole.flags & SampleFlag.GENERATED == 0).nonzero()[0])
    samples = list(zip(counts.time.tolist(), counts.value.tolist(), strict=True))
    steps = [(before, after) for before, after in pairwise(samples) if after[1] != before[1] + 1]
    assert len(steps) <= 2, "one at each renaming, while the channel connects"
    for before, after in steps:
        assert any(begin - LET_GO_NS < before[0] < after[0] < end + LET_GO_NS for begin, end in (away, back)), (before, after)


def collected_as(made: Archiver, name: str, since_ns: int) -> int:
    """Wait until a sample since then is stored under this very name; a time (ns) by which the engine collects it."""
    reader = open_reader(load_config(made.config), as_stored=True)
    try:
        wait_until(lambda: list(reader.samples(name, since_ns, FAR_NS, with_previous=False)), PATIENCE_S, f"a sample stored as {name}", 0.1)
    finally:
        reader.close()
    return time.time_ns()


def stored(made: Archiver, name: str, *, as_stored: bool = False) -> SampleColumns:
    """All that is stored of a channel."""
    reader = open_reader(load_config(made.config), as_stored=as_stored)
    try:
        return concatenate(list(reader.samples(name, 0, FAR_NS)))
    finally:
        reader.close()
