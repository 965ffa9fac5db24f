"""Exports of several shards as one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from archioc.cli.channels.merging import merge_exports
from archioc.core.config.declared_channels import declaration_of
from archioc.core.config.file import load_declaration, parse_config
from archioc.core.errors import ConfigError
from archioc.core.ownership import owners_of
from archioc.core.shard import Shard
from archioc.ioc.commands.declaring import pick_nothing, plan_declared
from archioc.ioc.commands.exporting import export_yaml
from archioc.ioc.registry.content import Content, layers_of

SITE = """
policies: [{match: '*:X', rate: 5}]
groups: {vac: {condition: M > 0, settings: {mode: scan, rate: 1}, channels: [V:1, {pv: V:2, rate: 2}, V:3, V:4]}, empty: {}}
channels: [NO, '12:30', {pv: A:X, deadband: 0.5}, B:X, C, D, E, F]
"""


def export_of(shard: Shard) -> str:
    """What a shard exports that has applied SITE."""
    declaration = declaration_of(parse_config(SITE, Path("site.yml")))
    names = [channel.name for channel in declaration.channels]
    owned = dict(zip(names, owners_of(names, shard.count).tolist(), strict=True))
    change = plan_declared(Content(), declaration, pick_nothing)
    groups = {group.name: group for group in change.groups}
    channels = {channel.name: channel for channel in change.added if owned[channel.name] == shard.index}
    return export_yaml(Content(channels, groups, {}, layers_of(change.policies or (), groups)))


def test_merged_exports_are_the_file_of_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exports of all shards, in any number, merged, declare what the common file declared; of a channel in two the first holds."""
    paths = []
    for index in range(3):
        paths.append(tmp_path / f"shard-{index}.yml")
        paths[-1].write_text(export_of(Shard(index, 3)))
    paths.append(tmp_path / "late.yml")
    paths[-1].write_text("channels: [{pv: NO, rate: 99}]")
    merge_exports(paths)
    common = tmp_path / "channels.yml"
    common.write_text(capsys.readouterr().out)
    found, wanted = load_declaration(common), declaration_of(parse_config(SITE, common))
    assert (found.policies, set(found.channels)) == (wanted.policies, set(wanted.channels))
    assert set(found.groups) == set(wanted.groups)


@pytest.mark.parametrize(
    "text", ["channels: [A, A]", "channels: [{pv: A, rate: x}]", "archiver: {prefix: 'X:'}", "channels: [", "nothing: 1"]
)
def test_what_is_no_export_is_named(text: str, tmp_path: Path) -> None:
    """A file that is wrong, or has other blocks, is told with its name."""
    path = tmp_path / "some.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"some\.yml"):
        merge_exports([path])
