"""Following a file: what is declared, what operators have put over it, what is exported again."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.channel import SETTING_NAMES, ChannelSettings, Given, Mode
from archioc.core.channel import given as given_settings
from archioc.core.config.declared_channels import Declaration, DeclaredChannel, declaration_of
from archioc.core.config.file import load_declaration, parse_config
from archioc.core.config.setting_precedence import DeclaredGroup, DeclaredPolicy
from archioc.core.errors import CommandRefused, SettingError, TableFull
from archioc.core.registry import MAX_GROUPS
from archioc.ioc.commands.config_subprocess import read_declaration
from archioc.ioc.commands.declaring import Places, plan_declared
from archioc.ioc.commands.differences import differences, summary
from archioc.ioc.commands.exporting import export_yaml
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.archived import declare as declared_settings
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.change import Change, missing_groups
from archioc.ioc.registry.content import Content, layers_of
from tests.archives.declarations import declaration, declare


def settings_given(**settings: object) -> Given:
    return given_settings(settings)


def plan(content: Content, wanted: Declaration, *, prune: bool = False) -> Change:
    def pick(count: int) -> Places:
        return [(len(content.channels) + number, 1) for number in range(count)]

    return plan_declared(content, wanted, pick, prune=prune)


def after(content: Content, change: Change) -> Content:
    """What the registry holds once a change is done."""
    gone, gone_groups = {c.name for c in change.removed}, {g.name for g in change.removed_groups}
    come = (*change.added, *change.changed)
    channels = {n: c for n, c in content.channels.items() if n not in gone} | {c.name: c for c in come}
    groups = {n: g for n, g in content.groups.items() if n not in gone_groups} | {g.name: g for g in change.groups}
    policies = content.layers.policies if change.policies is None else change.policies
    return Content(channels, groups, {}, layers_of(policies, groups), content.revision + 1, change.fingerprint or content.fingerprint)


def follow(content: Content, wanted: Declaration, *, prune: bool = False) -> Content:
    return after(content, plan(content, wanted, prune=prune))


def put(content: Content, name: str, **changes: object) -> Content:
    """An operator's put to a channel."""
    changed = (content.channels[name].with_changes(changes, content.layers),)
    return after(content, Change(changed=changed, groups=missing_groups([changed[0].settings.group], content.groups)))


def added(content: Content, name: str, group: str = "", **own: object) -> Content:
    """An operator's Add."""
    wanted = declared_settings(name, settings_given(**own), group, group, content.layers)
    channel = ArchivedChannel(name, len(content.channels), 1, wanted, wanted, own=settings_given(**own))
    return after(content, Change(added=(channel,), groups=missing_groups([group], content.groups)))


def in_force(content: Content) -> tuple[object, ...]:
    """All that makes a difference to what is archived."""
    channels = {name: channel.settings for name, channel in content.channels.items()}
    groups = {name: (group.enable, group.condition, group.declared.description) for name, group in content.groups.items()}
    return channels, groups


VACUUM = DeclaredGroup("vacuum", condition="SR:MODE != 0", given=settings_given(mode="scan", rate=0.1))
CURRENTS = DeclaredPolicy("*:CURRENT", settings_given(rate=10))


def test_policies_and_groups_give_to_added_channels() -> None:
    """A channel that an operator adds gets what its own line, its group and the first matching policy say, in this order."""
    content = follow(Content(), declaration(policies=(CURRENTS, DeclaredPolicy("*", settings_given(description="any"))), groups=(VACUUM,)))
    content = added(content, "SR:CURRENT")
    content = added(content, "LT:CURRENT", "vacuum", rate=5)
    assert content.channels["SR:CURRENT"].settings == ChannelSettings(rate=10)
    assert content.channels["LT:CURRENT"].settings == ChannelSettings(mode=Mode.SCAN, rate=5, group="vacuum")
    assert content.layers.sources("LT:CURRENT", settings_given(rate=5), "vacuum")["rate"] == "own"


def test_added_channels_follow_changed_policies() -> None:
    """When a policy changes, added channels follow it, but for what came with Add or was put by an operator meanwhile."""
    content = follow(Content(), declaration(policies=(CURRENTS,)))
    content = added(added(added(content, "A:CURRENT"), "B:CURRENT", rate=3), "C:CURRENT")
    content = put(content, "C:CURRENT", description="kept", rate=4)
    content = follow(content, declaration(policies=(DeclaredPolicy("*:CURRENT", settings_given(rate=20)),)))
    assert [channel.settings.rate for channel in content.channels.values()] == [20, 3, 20]
    assert content.channels["C:CURRENT"].settings.description == "kept"


def test_a_policy_that_no_longer_fits_an_added_channel() -> None:
    """Where a policy turns to scan, which a line of Add excludes, the file wins; the channel stays as it was where nothing fits."""
    content = added(added(Content(), "A", rate=0), "B")
    content = follow(content, declaration(policies=(DeclaredPolicy("A", settings_given(mode="scan", rate=2)),)))
    assert content.channels["A"].settings == ChannelSettings(mode=Mode.SCAN, rate=2)
    content = follow(content, declaration(policies=(DeclaredPolicy("*", settings_given(mode="scan")),)))
    assert content.channels["B"].settings == ChannelSettings()


def test_an_operator_moves_a_channel() -> None:
    """Another group brings its settings, what the operator has put stays, and the file takes it back when it names another group."""
    content = follow(Content(), declaration(declare("A", rate=0.5), declare("B"), groups=(VACUUM,)))
    content = put(put(content, "B", description="mine"), "B", group="vacuum")
    assert content.channels["B"].settings == ChannelSettings(mode=Mode.SCAN, rate=0.1, description="mine", group="vacuum")
    slower = dataclasses.replace(VACUUM, given=settings_given(mode="scan", rate=0.2))
    content = follow(content, declaration(declare("A", rate=0.5), declare("B"), groups=(slower,)))
    assert content.channels["B"].settings.rate == 0.2
    content = follow(content, declaration(declare("A"), declare("B", "other"), groups=(slower, DeclaredGroup("other"))))
    assert content.channels["B"].settings == ChannelSettings(description="mine", group="other")


def test_groups_come_and_go() -> None:
    """A group that somebody names is made without a condition; numbers stay; one that nobody names or uses any more goes."""
    content = follow(Content(), declaration(declare("A", "vacuum"), declare("B"), groups=(VACUUM,)))
    content = put(content, "B", group="mine")
    assert (content.groups["vacuum"].number, content.groups["mine"].number) == (1, 2)
    assert content.groups["mine"].condition == ""
    content = follow(content, declaration(declare("B")))
    assert set(content.groups) == {"mine"}
    content = put(content, "B", group="")
    content = follow(content, declaration(declare("B"), declare("C", "new"), groups=(DeclaredGroup("new"),)))
    assert {name: group.number for name, group in content.groups.items()} == {"new": 1}


def test_overrides_of_a_group() -> None:
    """A condition that an operator has put holds until the file changes its own; an unreadable one is refused."""
    group = ArchivedGroup(1, VACUUM, in_file=True).with_change("condition", "SR:MODE  ==  2").with_change("enable", False)
    assert (group.condition, group.enable) == ("SR:MODE == 2", False)
    assert group.redeclared(VACUUM, in_file=True) == group
    changed = group.redeclared(dataclasses.replace(VACUUM, condition="SR:MODE > 0"), in_file=True)
    assert (changed.condition, changed.enable) == ("SR:MODE > 0", False)
    with pytest.raises(SettingError, match="must be written as"):
        group.with_change("condition", "SR:MODE")


def test_too_many_groups_are_refused() -> None:
    """More groups than the table of groups holds are refused."""
    with pytest.raises(TableFull, match=f"there are at most {MAX_GROUPS}"):
        missing_groups((f"g{number}" for number in range(MAX_GROUPS + 1)), {})


def test_prune() -> None:
    """Channels that operators added stay, unless pruning is asked for."""
    content = added(follow(Content(), declaration(declare("A"))), "B")
    assert set(follow(content, declaration(declare("A"))).channels) == {"A", "B"}
    assert set(follow(content, declaration(declare("A")), prune=True).channels) == {"A"}


def test_differences_are_told() -> None:
    """Each difference is a line, and the summary counts them."""
    content = put(follow(Content(), declaration(declare("A", rate=5), declare("B"), groups=(VACUUM,))), "A", rate=6)
    change = plan(content, declaration(declare("A", rate=7), declare("C", "vacuum"), policies=(CURRENTS,), groups=(VACUUM,)))
    assert list(differences(change, content)) == [
        "~ policies: 0 -> 1",
        "+ C",
        "~ A: rate 6.0 -> 7.0 (put by an operator before the file changed)",
        "- B",
    ]
    assert summary(change, content) == "added 1 channel, changed 1 channel, removed 1 channel, changed the policies"


def test_a_file_is_read_by_another_process(tmp_path: Path) -> None:
    """What another process reads of a file is what it declares; a fault comes with its place."""
    path = tmp_path / "site.yml"
    path.write_text(
        "policies: [{match: A*, rate: 5}]\ngroups: {v: {condition: 'X == \"a b\"', channels: [A]}}\nchannels: [{pv: B, rate: 2}]\n"
    )
    assert asyncio.run(read_declaration(path)) == load_declaration(path)
    path.write_text("groups:\n  v:\n    condition: X\n")
    with pytest.raises(
        CommandRefused, match=r"site\.yml:3: groups\.v\.condition: X: must be written as PV OPERATOR VALUE.*nothing was changed"
    ):
        asyncio.run(read_declaration(path))


# -- properties ------------------------------------------------------------------------------------

NAMES = ("SR:A", "SR:B:CURRENT", "LT:C", "NO", "12:30")
GROUP_NAMES = ("vacuum", "rf", "NO")
single = {
    "enable": st.booleans(),
    "rate": st.floats(0.001, 1e5),
    "mode": st.sampled_from(["monitor", "scan"]),
    "description": st.text(st.characters(codec="utf-8"), max_size=12),
    "deadband": st.floats(0, 1e300),
    "mask": st.sampled_from(["log", "value"]),
    "max_elements": st.integers(0, 1000),
    "clock": st.sampled_from(["auto", "ioc", "archiver"]),
}
some_settings = st.fixed_dictionaries({}, optional=single)
given_strategy = some_settings.map(given_settings)
# a rate goes with every layer, so that scan is never refused for want of one
policies_strategy = st.lists(
    st.builds(DeclaredPolicy, st.sampled_from(["*", "SR:*", "/C/", "NO"]), given_strategy),
    max_size=3,
).map(tuple)
groups_strategy = st.lists(
    st.builds(
        DeclaredGroup,
        st.sampled_from(GROUP_NAMES),
        st.booleans(),
        st.sampled_from(["", "M != 0", 'M == "a: b"']),
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8),
        given_strategy,
    ),
    max_size=3,
    unique_by=lambda group: group.name,
).map(tuple)


@st.composite
def declarations(draw: st.DrawFn) -> Declaration:
    groups = draw(groups_strategy)
    places = ("", *(group.name for group in groups))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    channels = tuple(
        DeclaredChannel(name, draw(st.sampled_from(places)), settings_given(**{"rate": 1.0, **draw(some_settings)})) for name in names
    )
    return Declaration(draw(policies_strategy), groups, channels, draw(st.sampled_from(["one", "two"])))


@st.composite
def contents(draw: st.DrawFn) -> Content:
    """A registry that has followed files and operators for a while."""
    content = Content()
    for _ in range(draw(st.integers(1, 3))):
        content = follow(content, draw(declarations()))
        for name in draw(st.lists(st.sampled_from(NAMES), max_size=4)):
            changes = draw(some_settings) | draw(st.fixed_dictionaries({}, optional={"group": st.sampled_from(("", "mine", *GROUP_NAMES))}))
            try:
                if name in content.channels:
                    content = put(content, name, **changes)
                else:
                    content = added(content, name, str(changes.pop("group", "")), **changes)
            except SettingError:
                continue  # refused, as an operator's put would be
        for group in draw(st.lists(st.sampled_from(GROUP_NAMES), max_size=2)):
            if group in content.groups:
                changed = content.groups[group].with_change("condition", draw(st.sampled_from(["", "K > 1"])))
                content = after(content, Change(groups=(changed,)))
    return content


@settings(max_examples=60, deadline=None)
@given(contents())
def test_export_and_apply_change_nothing(content: Content) -> None:
    """What is exported declares the same channels, groups and policies as there are, and following it changes nothing of them."""
    exported = declaration_of(parse_config(export_yaml(content), Path("site.yml")))
    change = plan(content, exported)
    assert not list(differences(change, content))
    assert (change.added, change.removed, change.removed_groups) == ((), (), ())
    assert in_force(after(content, change)) == in_force(content)
    assert in_force(follow(Content(), exported)) == in_force(content)


@settings(max_examples=40, deadline=None)
@given(contents(), declarations())
def test_following_twice_changes_nothing_more(content: Content, wanted: Declaration) -> None:
    """A file that has been followed changes nothing when it is followed again, and planning alone changes nothing at all."""
    before = in_force(content)
    once = follow(content, wanted)
    assert in_force(content) == before
    assert not plan(once, wanted)
    for channel in once.channels.values():
        assert channel.settings == channel.declared.with_changes({o.setting: o.value for o in channel.overrides})


@settings(max_examples=40, deadline=None)
@given(declarations(), st.data())
def test_overrides_follow_the_rule(first: Declaration, data: st.DataObject) -> None:
    """After a file is followed, an operator's value is there exactly where the file says what it said at the time."""
    content = follow(Content(), first)
    names = [channel.name for channel in first.channels]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    values = data.draw(st.fixed_dictionaries({}, optional={k: v for k, v in single.items() if k not in {"mode", "rate"}}))
    content = put(content, name, **values)
    second = data.draw(declarations())
    entry = next((channel for channel in second.channels if channel.name == name), None)
    if entry is None:
        return
    old = content.channels[name]
    new = follow(content, second).channels[name]
    layered = second.layers().settings(name, entry.given, entry.group)
    for setting in SETTING_NAMES:
        kept = getattr(old.declared, setting) == getattr(layered, setting)
        assert getattr(new.settings, setting) == getattr(old.settings if kept else layered, setting)
