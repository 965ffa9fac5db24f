"""What one transaction does to the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from archioc.core.aliases import Alias
from archioc.core.config.setting_precedence import DeclaredGroup, DeclaredPolicy
from archioc.core.errors import TableFull
from archioc.core.registry import MAX_GROUPS
from archioc.core.shard import Shard
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.archived_group import ArchivedGroup


@dataclass(frozen=True, slots=True)
class Change:
    """Channels that come, change and go; groups that come or change (`groups`) and go.

    policies, fingerprint, shard: what takes the place of those there are; None: they stay.
    renamed: channels that go under their old name (`removed`) and come under another (`added`).
    """

    added: tuple[ArchivedChannel, ...] = ()
    changed: tuple[ArchivedChannel, ...] = ()
    removed: tuple[ArchivedChannel, ...] = ()
    groups: tuple[ArchivedGroup, ...] = ()
    removed_groups: tuple[ArchivedGroup, ...] = ()
    policies: tuple[DeclaredPolicy, ...] | None = None
    fingerprint: str | None = None
    renamed: tuple[Alias, ...] = ()
    shard: Shard | None = None

    def __bool__(self) -> bool:
        return bool(
            self.added
            or self.changed
            or self.removed
            or self.groups
            or self.removed_groups
            or self.policies is not None
            or self.fingerprint is not None
            or self.shard is not None
        )

    @property
    def touches_groups(self) -> bool:
        """Whether a group comes, changes or goes."""
        return bool(self.groups or self.removed_groups)


def missing_groups(names: Iterable[str], groups: Mapping[str, ArchivedGroup]) -> tuple[ArchivedGroup, ...]:
    """Groups without a condition for names of groups that there are none of. Raises TableFull."""
    wanted = [name for name in dict.fromkeys(names) if name and name not in groups]
    numbers = free_numbers({group.number for group in groups.values()}, len(wanted))
    return tuple(ArchivedGroup(number, DeclaredGroup(name)) for number, name in zip(numbers, wanted, strict=True))


def free_numbers(used: set[int], count: int) -> list[int]:
    """The lowest numbers that no group has. Raises TableFull."""
    if len(used) + count > MAX_GROUPS:
        raise TableFull(f"{len(used) + count} groups, but there are at most {MAX_GROUPS}")
    free = (number for number in range(1, MAX_GROUPS + 1) if number not in used)
    return [next(free) for _ in range(count)]
