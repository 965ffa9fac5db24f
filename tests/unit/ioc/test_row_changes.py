from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archioc.core.channel import ChannelSettings
from archioc.core.table.table import ChannelTable
from archioc.ioc.pvs.row_changes import FOUND_AGAIN_LOOKS, ROWS_AT_ONCE, RowChanges
from archioc.ioc.registry.archived import ArchivedChannel

ROWS = 2 * ROWS_AT_ONCE + 20
DEFAULTS = ChannelSettings()
CHANNELS = {f"C{row}": ArchivedChannel(f"C{row}", row, 1, DEFAULTS, DEFAULTS) for row in range(ROWS)}


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ChannelTable]:
    made = ChannelTable(tmp_path)
    made.create(ROWS)
    yield made
    made.close()


def changed(changes: RowChanges) -> set[str]:
    names = [name for part in changes.poll() for name in part]
    assert len(names) == len(set(names))
    return set(names)


def touch(table: ChannelTable, row: int) -> None:
    table.delivery.cells["stored"][row] += 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["watch", "forget", "touch", "look"]), st.integers(0, 30)), max_size=60))
def test_tells_what_changed_since_the_last_look(table: ChannelTable, steps: list[tuple[str, int]]) -> None:
    """Whatever comes, goes and changes: a look tells the watched channels that changed since the one before, and no others."""
    changes = RowChanges(table, CHANNELS.get)
    watched: set[str] = set()
    expected: set[str] = set()
    for row in range(31):
        table.status.cells["generation"][row] = 1
    for step, number in steps:
        row = number * (ROWS // 31)  # spread over all parts
        name = f"C{row}"
        table.status.cells["generation"][row] = 1
        if step == "watch" and name not in watched:
            changes.watch(name)
            watched.add(name)
            expected.add(name)
        elif step == "forget" and name in watched:
            changes.forget(name)
            watched.discard(name)
            expected.discard(name)
        elif step == "touch":
            touch(table, row)
            expected |= {name} & watched
        elif step == "look":
            assert changed(changes) == expected
            expected = set()
    assert changed(changes) == expected


def test_more_channels_than_are_looked_at_at_once(table: ChannelTable) -> None:
    """All watched channels are looked at, however many; one that the registry no longer has is passed over."""
    changes = RowChanges(table, CHANNELS.get)
    for row, name in enumerate(CHANNELS):
        table.status.cells["generation"][row] = 1
        changes.watch(name)
    assert changed(changes) == CHANNELS.keys()
    assert changed(changes) == set()
    for row in (0, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS - 1):
        touch(table, row)
    assert changed(changes) == {"C0", f"C{ROWS_AT_ONCE - 1}", f"C{ROWS_AT_ONCE}", f"C{ROWS - 1}"}


def test_channel_that_is_removed_and_comes_back_elsewhere(table: ChannelTable) -> None:
    """A name that stays watched is looked at in the row that its channel has now, at the latest after FOUND_AGAIN_LOOKS looks."""
    channels = {"C0": CHANNELS["C0"]}
    table.status.cells["generation"][[0, 7]] = 1
    changes = RowChanges(table, channels.get)
    changes.watch("C0")
    assert changed(changes) == {"C0"}
    del channels["C0"]
    for _ in range(FOUND_AGAIN_LOOKS):
        changed(changes)
    touch(table, 0)
    assert changed(changes) == set()
    channels["C0"] = CHANNELS["C7"]
    for _ in range(FOUND_AGAIN_LOOKS):
        changed(changes)
    touch(table, 7)
    assert changed(changes) == {"C0"}
