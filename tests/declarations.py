"""What a file might declare, without a file."""

from __future__ import annotations

from archioc.core.channel import Given, read_setting, written
from archioc.core.declared import Declaration, DeclaredChannel
from archioc.core.layers import DeclaredGroup, DeclaredPolicy


def given(**settings: object) -> Given:
    """Settings as a file gives them."""
    return tuple((name, written(read_setting(name, value))) for name, value in settings.items())


def declare(name: str, group: str = "", **settings: object) -> DeclaredChannel:
    """A channel with settings of its own."""
    return DeclaredChannel(name, group, given(**settings))


def declaration(
    *channels: DeclaredChannel, policies: tuple[DeclaredPolicy, ...] = (), groups: tuple[DeclaredGroup, ...] = (), fingerprint: str = ""
) -> Declaration:
    """A file with these channels."""
    return Declaration(policies, groups, channels, fingerprint)
