"""The state of the registry as the blocks of a configuration file that declares it."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from archioc.core.channel import SETTING_NAMES, ChannelSettings, Given, read_setting, written
from archioc.ioc.registry.archived import ArchivedChannel, setting_text
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.content import Content

_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Plain = bool | int | float | str
_DEFAULTS = {name: written(getattr(ChannelSettings(), name)) for name in SETTING_NAMES}


def export_yaml(content: Content) -> str:
    """`policies`, `groups` and `channels` as YAML: applied, every channel and group has the settings that it has now.

    What operators have put becomes part of the file.
    """
    by_group: dict[str, list[object]] = {name: [] for name in content.groups}
    free: list[object] = []
    for channel in content.channels.values():
        group = channel.settings.group
        (by_group[group] if group else free).append(_entry(channel, content))
    blocks = {
        "policies": [{"match": policy.match, **_plain(policy.given)} for policy in content.layers.policies],
        "groups": {name: _group(group, by_group[name]) for name, group in content.groups.items()},
        "channels": free,
    }
    return dump_blocks(blocks)


def dump_blocks(blocks: Mapping[str, object]) -> str:
    """Blocks as YAML that people can read, a line for a channel."""
    text: str = yaml.dump(blocks, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=10_000)
    return text


def _group(group: ArchivedGroup, channels: list[object]) -> dict[str, object]:
    block: dict[str, object] = {}
    if not group.enable:
        block["enable"] = False
    if group.condition:
        block["condition"] = group.condition
    if group.declared.description:
        block["description"] = group.declared.description
    if group.declared.given:
        block["settings"] = _plain(group.declared.given)
    return {**block, "channels": channels}


def _entry(channel: ArchivedChannel, content: Content) -> object:
    """A channel with those settings that neither its group nor a policy gives it."""
    without = dict(_DEFAULTS)
    for layer in reversed(list(content.layers.of(channel.name, (), channel.settings.group))):
        without.update(layer.given)
    texts = ((name, setting_text(channel.settings, name)) for name in SETTING_NAMES if name != "group")
    own = tuple((name, text) for name, text in texts if text != without[name])
    return {"pv": channel.name, **_plain(own)} if own else channel.name


def _plain(given: Given) -> dict[str, Plain]:
    """Settings as YAML writes them best."""
    plain: dict[str, Plain] = {}
    for name, text in given:
        value = read_setting(name, text)
        plain[name] = text if isinstance(getattr(ChannelSettings(), name), str) or text.isalpha() else value
    return plain
