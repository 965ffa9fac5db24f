"""What a shard takes of a file, a command or an import, and what becomes of its channels when there are more shards or fewer."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.channel import ChannelSettings
from archioc.core.config.declared_channels import Declaration
from archioc.core.errors import CommandRefused
from archioc.core.ownership import owner_of
from archioc.core.shard import Shard
from archioc.core.table.table import ChannelTable
from archioc.importing.gathering import Imported
from archioc.ioc.commands.declaring import pick_nothing, plan_declared
from archioc.ioc.commands.differences import summary
from archioc.ioc.commands.handovers_due import channels_due
from archioc.ioc.commands.importing import plan_imported
from archioc.ioc.commands.renaming import plan_rename
from archioc.ioc.commands.text_commands import plan_add
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.content import Content
from archioc.ioc.registry.hand_over import HandOver
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode
from tests.archives.declarations import declaration, declare
from tests.unit.ioc.test_declaring import after

NAMES = [f"SR:BPM{number:03d}:X" for number in range(200)]
PREFIX = "ARCH{shard}:"
HANDOVER_S = 30.0


def shard(index: int, count: int) -> Shard:
    return Shard(index, count, HANDOVER_S, PREFIX)


def of_file(index: int, count: int, names: list[str] = NAMES) -> Declaration:
    """A file with these channels, as a shard reads it."""
    return dataclasses.replace(declaration(*map(declare, names)), shard=shard(index, count))


def follow(content: Content, wanted: Declaration, *, prune: bool = False) -> Content:
    """What the registry holds once the file is followed."""
    change = plan_declared(content, wanted, pick_nothing, prune=prune)
    found = after(content, change)
    found.shard = change.shard or content.shard
    found.handed_over = {name: channel.handover for name, channel in found.channels.items() if channel.handover}
    return found


def owned(index: int, count: int, names: list[str] = NAMES) -> set[str]:
    return {name for name in names if owner_of(name, count) == index}


def an_owned(index: int, count: int) -> str:
    """A name that no file has, and that belongs to this shard."""
    return next(name for number in range(1000) if owner_of(name := f"NEW:{number}", count) == index)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
def test_each_channel_is_archived_throughout(first: int, second: int, third: int) -> None:
    """After any changes of their number each channel stays with one shard, and those that hand it over have the owner beside them."""
    shards = {index: Content() for index in range(6)}
    for count in (first, second, third):
        shards = {index: follow(content, of_file(index, count)) for index, content in shards.items()}
        for name in NAMES:
            holders = {index: content.channels[name] for index, content in shards.items() if name in content.channels}
            staying = [index for index, channel in holders.items() if channel.handover is None]
            assert staying == [owner_of(name, count)]
            assert all(one.handover.to == owner_of(name, count) and one.handover.leaves for one in holders.values() if one.handover)


def test_moved_channels_leave_when_their_time_is_over() -> None:
    """A channel of another shard stays for the time of the hand-over, keeps its place and settings, and is then the one that leaves."""
    content = follow(Content(), of_file(1, 2))
    before = dict(content.channels)
    begun_ns = time.time_ns()
    content = follow(content, of_file(1, 3))
    moved = owned(1, 2) - owned(1, 3)
    assert moved == owned(1, 2) & owned(2, 3) == content.handed_over.keys()
    for handover in content.handed_over.values():
        assert handover.to == 2
        assert 0 <= handover.ends_ns - begun_ns - HANDOVER_S * 1e9 < 5e9
    assert {name: dataclasses.replace(channel, handover=None) for name, channel in content.channels.items()} == before
    end = max(handover.ends_ns for handover in content.handed_over.values())
    assert channels_due(content, begun_ns) == ()
    assert {channel.name for channel in channels_due(content, end)} == moved


def test_apply_keeps_the_time_unless_the_owner_is_another() -> None:
    """The same file again, or another count with the same owner, does not put the leaving off; another owner gets the whole time."""
    content = follow(follow(Content(), of_file(0, 1)), of_file(0, 2))
    again = follow(content, of_file(0, 2))
    assert again.handed_over == content.handed_over
    third = follow(content, of_file(0, 3))
    for name, handover in third.handed_over.items():
        if handover.to == 1:
            assert handover == content.handed_over[name]
        elif name in content.handed_over:
            assert handover.ends_ns > content.handed_over[name].ends_ns
    back = follow(third, of_file(0, 1))
    assert not back.handed_over
    assert set(back.channels) == set(NAMES)


def test_a_shard_beyond_the_count_hands_all_over() -> None:
    """A shard whose number is not below the count keeps nothing, and says why it is idle."""
    content = follow(follow(Content(), of_file(2, 3)), of_file(2, 2))
    assert content.handed_over.keys() == owned(2, 3)
    assert content.shard.is_idle


def test_what_the_file_does_not_name_stays() -> None:
    """A channel that an operator added is not let go of, since no other shard can know of it, until the file names it."""
    name = an_owned(1, 2)
    content = follow(Content(), of_file(0, 1))
    added = dataclasses.replace(content.channels[NAMES[0]], name=name, in_file=False)
    content = follow(after(content, Change(added=(added,))), of_file(0, 2))
    assert content.handed_over[name] == HandOver(1, 0)
    assert name not in {channel.name for channel in channels_due(content, 2**62)}
    assert follow(content, of_file(0, 2, [*NAMES, name])).handed_over[name].leaves
    assert name not in follow(content, of_file(0, 2), prune=True).channels


def test_a_channel_that_leaves_the_file_goes_at_once() -> None:
    """A hand-over does not keep what the file has ceased to name."""
    content = follow(follow(Content(), of_file(0, 1)), of_file(0, 2))
    gone = next(iter(content.handed_over))
    assert gone not in follow(content, of_file(0, 2, [name for name in NAMES if name != gone])).channels


def test_what_apply_tells() -> None:
    """The numbers of channels that are handed over and taken back are told."""
    content = follow(Content(), of_file(0, 1))
    change = plan_declared(content, of_file(0, 2), pick_nothing)
    moved = len(owned(1, 2))
    assert summary(change, content) == f"begun to hand over {moved} channels"
    content = follow(content, of_file(0, 2))
    assert summary(plan_declared(content, of_file(0, 1), pick_nothing), content) == f"taken back {moved} channels"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Registry, ChannelRows]]:
    """The registry of shard 1 of 3, without channels."""
    run = tmp_path / "run"
    run.mkdir()
    table = ChannelTable(run)
    table.create(300)
    registry = Registry(tmp_path / "state.db", shard(1, 3))
    yield registry, ChannelRows(table, (), {}, registry.groups)
    registry.close()
    table.close()


def test_add_of_anothers_channel_is_refused(archive: tuple[Registry, ChannelRows]) -> None:
    """`Add` and `Rename` refuse as a whole a channel of another shard, with the shard and its prefix."""
    registry, rows = archive
    ours, theirs = an_owned(1, 3), an_owned(2, 3)
    with pytest.raises(CommandRefused, match=rf"line 2: {theirs}: belongs to shard 2 \(ARCH2:\); nothing was changed") as caught:
        asyncio.run(plan_add(f"{ours}\n{theirs}", registry, rows))
    assert caught.value.code == ResultCode.FOREIGN
    added = asyncio.run(plan_add(ours, registry, rows))
    registry.commit(added, (), 1)
    registry.accept(added, 1)
    with pytest.raises(CommandRefused, match=rf"line 1: {theirs}: belongs to shard 2 \(ARCH2:\); nothing was changed"):
        asyncio.run(plan_rename(f"{ours} {theirs}", registry, rows))


def test_an_import_takes_its_own(archive: tuple[Registry, ChannelRows]) -> None:
    """The same files given to each shard: each takes its channels and says how many belong to others."""
    registry, rows = archive
    planned = plan_imported(registry.content, Imported(declaration(*map(declare, NAMES)), ()), rows.pick)
    assert {channel.name for channel in planned.change.added} == owned(1, 3)
    others = len(NAMES) - len(owned(1, 3))
    assert str(planned) == f"imported {len(owned(1, 3))} channels, {others} of other shards left to them"


def test_a_hand_over_outlives_a_restart(archive: tuple[Registry, ChannelRows], tmp_path: Path) -> None:
    """What is being handed over, to whom and until when is on disk, and so is where a removed channel has moved."""
    registry, rows = archive
    for revision, count in ((1, 3), (2, 4)):
        change = plan_declared(registry.content, of_file(1, count), rows.pick)
        registry.commit(change, (), revision)
        registry.accept(change, revision)
        rows.write(change, revision)
    moved = registry.content.handed_over.copy()
    assert moved.keys() == owned(1, 3) - owned(1, 4)
    assert (registry.sharing.leaving, registry.sharing.foreign, registry.sharing.shard.count) == (len(moved), 0, 4)
    again = Registry(tmp_path / "state.db", shard(1, 4))
    assert again.content.handed_over == moved
    assert {name for name, channel in again.channels.items() if channel.handover} == moved.keys()
    assert again.channels[next(iter(owned(1, 4)))].settings == ChannelSettings()
    gone = channels_due(again.content, 2**62)
    again.commit(Change(removed=gone), (), 3)
    again.accept(Change(removed=gone), 3)
    assert not again.content.handed_over
    assert set(again._connection.execute("SELECT moved_to FROM removed_row")) == {("shard 3 (ARCH3:)",)}
    again.close()
