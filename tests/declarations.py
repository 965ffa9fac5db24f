"""What a file might declare, without a file."""

from __future__ import annotations

from archioc.core.channel import given
from archioc.core.declared import Declaration, DeclaredChannel
from archioc.core.layers import DeclaredGroup, DeclaredPolicy


def declare(name: str, group: str = "", **settings: object) -> DeclaredChannel:
    """A channel with settings of its own."""
    return DeclaredChannel(name, group, given(settings))


def declaration(
    *channels: DeclaredChannel, policies: tuple[DeclaredPolicy, ...] = (), groups: tuple[DeclaredGroup, ...] = (), fingerprint: str = ""
) -> Declaration:
    """A file with these channels."""
    return Declaration(policies, groups, channels, fingerprint)
