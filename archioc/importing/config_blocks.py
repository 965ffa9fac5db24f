"""Our own YAML: the blocks `policies`, `groups` and `channels` of a configuration, such as `archioc channels export` writes."""

from __future__ import annotations

from pathlib import Path

from archioc.core.config.config import Config
from archioc.core.config.declared_channels import declaration_of
from archioc.core.config.file import DECLARING, parse_config
from archioc.importing.gathering import Gathering

_OTHERS = frozenset(Config.model_fields) - DECLARING


def read_blocks(text: str, path: Path, gathering: Gathering) -> None:
    """Take channels and groups; what policies and groups give a channel becomes its own. Raises ConfigError."""
    declaration = declaration_of(parse_config(text, path, without=_OTHERS))
    layers = declaration.layers()
    for group in declaration.groups:
        gathering.group(None, f"groups.{group.name}", group.name, enable=group.enable, condition=group.condition)
        if group.description:
            gathering.remark("descriptions of groups", group.name)
    for channel in declaration.channels:
        settings: dict[str, object] = {}
        for layer in reversed(list(layers.of(channel.name, channel.given, channel.group))):
            settings.update(layer.given)
        gathering.channel(None, channel.name, channel.name, settings, channel.group)
