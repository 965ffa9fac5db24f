"""What a file might declare, without a file."""

from __future__ import annotations

from archioc.core.channel import given
from archioc.core.config.declared_channels import Declaration, DeclaredChannel
from archioc.core.config.setting_precedence import DeclaredGroup, DeclaredPolicy


def declare(name: str, group: str = "", **settings: object) -> DeclaredChannel:
    """A channel with settings of its own."""
    return DeclaredChannel(name, group, given(settings))


def declaration(
    *channels: DeclaredChannel, policies: tuple[DeclaredPolicy, ...] = (), groups: tuple[DeclaredGroup, ...] = (), fingerprint: str = ""
) -> Declaration:
    """A file with these channels."""
    return Declaration(policies, groups, channels, fingerprint)
