"""Who may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from archioc.core.config.access import Access, AccessLevel
from archioc.core.config.file import parse_config

CONTROL, EXPERT = AccessLevel.CONTROL, AccessLevel.EXPERT


def access(text: str) -> Access:
    """The block of a configuration."""
    return parse_config(text, Path("site.yml")).access


SITE = access("""
access:
  control: [{hosts: [10.0.1.0/24, 10.0.2.7]}, {hosts: [10.0.3.1], users: [ann]}]
  expert: [{hosts: [10.0.9.9], users: [ops, eve]}]
""")


@pytest.mark.parametrize(
    ("level", "peer", "user", "allowed"),
    [
        (CONTROL, "10.0.1.200", "anybody", True),
        (CONTROL, "10.0.2.7", "", True),
        (CONTROL, "10.0.2.8", "ops", False),
        (CONTROL, "10.0.3.1", "ann", True),
        (CONTROL, "10.0.3.1", "bob", False),
        (CONTROL, "127.0.0.1", "ops", False),
        (EXPERT, "10.0.1.200", "ops", False),
        (EXPERT, "10.0.9.9", "ops", True),
        (EXPERT, "10.0.9.9", "ann", False),
        (CONTROL, "10.0.9.9", "eve", True),
        (CONTROL, "::1", "ops", False),
        (EXPERT, "", "ops", False),
    ],
)
def test_rules(level: AccessLevel, peer: str, user: str, allowed: bool) -> None:
    """A rule needs the peer's address, narrowed by the user where it names some; expert includes control."""
    assert SITE.allows(level, peer, user) is allowed


@pytest.mark.parametrize("level", list(AccessLevel))
def test_default_is_loopback(level: AccessLevel) -> None:
    """Without rules only clients on this machine may write."""
    rules = access("")
    assert rules.allows(level, "127.0.0.1", "x")
    assert rules.allows(level, "127.255.255.254", "x")
    assert not rules.allows(level, "10.0.0.1", "root")


def test_empty_list_is_nobody() -> None:
    """An empty list of rules lets nobody write; experts keep control."""
    rules = access("access: {control: [], expert: [{hosts: [10.0.0.1]}]}")
    assert not rules.allows(CONTROL, "127.0.0.1", "x")
    assert rules.allows(CONTROL, "10.0.0.1", "x")
    assert not access("access: {control: , expert: }").allows(EXPERT, "127.0.0.1", "x")


def test_level_by_its_name() -> None:
    """A level given as text counts as that level, and no other text is taken for one."""
    assert not SITE.allows("expert", "10.0.1.200", "ops")
    assert SITE.allows("control", "10.0.1.200", "ops")
    with pytest.raises(ValueError, match="root"):
        SITE.allows("root", "10.0.9.9", "ops")
