"""What a change does, in lines for people: `+` comes, `-` goes, `~` changes.

Of channels that belong to another shard: `>` is handed over, `=` stays, since the file does not name it; `<` belongs here again.
"""

from __future__ import annotations

from collections.abc import Iterator

from archioc.core.channel import SETTING_NAMES
from archioc.ioc.registry.archived import ArchivedChannel, setting_text
from archioc.ioc.registry.archived_group import GROUP_SETTINGS, ArchivedGroup
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.content import Content


def differences(change: Change, content: Content) -> Iterator[str]:
    """A line for each policy, group and channel that is other afterwards; `content`: as it was before."""
    if change.policies is not None:
        yield f"~ policies: {len(content.layers.policies)} -> {len(change.policies)}" + _first_difference(change, content)
    for group in change.groups:
        before = content.groups.get(group.name)
        if before is None:
            yield f"+ group {group.name}{_condition(group)}"
        elif told := "; ".join(_group_changes(before, group)):
            yield f"~ group {group.name}: {told}"
    for group in change.removed_groups:
        yield f"- group {group.name}"
    for channel in change.added:
        yield f"+ {channel.name}"
    for channel in change.changed:
        was = content.channels[channel.name]
        if told := "; ".join(_channel_changes(was, channel)):
            yield f"~ {channel.name}: {told}"
        if was.handover != channel.handover:
            yield _hand_over(channel)
    for channel in change.removed:
        yield f"- {channel.name}"


def _hand_over(channel: ArchivedChannel) -> str:
    if channel.handover is None:
        return f"< {channel.name}: stays in this shard"
    return f"{'>' if channel.handover.leaves else '='} {channel.name}: {channel.handover}"


def summary(change: Change, content: Content) -> str:
    """All that is other afterwards, counted; empty when that is nothing."""
    lines = list(differences(change, content))
    kinds = {"+": "added", "~": "changed", "-": "removed", ">": "begun to hand over", "<": "taken back", "=": "kept for another shard"}
    parts = []
    for word, chosen in (
        ("channel", [line for line in lines if not line[2:].startswith(("group ", "policies:"))]),
        ("group", [line for line in lines if line[2:].startswith("group ")]),
    ):
        for sign, verb in kinds.items():
            count = sum(line.startswith(sign) for line in chosen)
            if count:
                parts.append(f"{verb} {count} {word}{'s' if count != 1 else ''}")
    if change.policies is not None:
        parts.append("changed the policies")
    return ", ".join(parts)


def _condition(group: ArchivedGroup) -> str:
    return f": {group.condition}" if group.condition else ""


def _group_changes(before: ArchivedGroup, after: ArchivedGroup) -> Iterator[str]:
    for setting in GROUP_SETTINGS:
        if before.text(setting) != after.text(setting):
            yield f"{setting} {before.text(setting) or 'none'} -> {after.text(setting) or 'none'}"
    if before.declared.given != after.declared.given:
        yield "settings"
    if before.declared.description != after.declared.description:
        yield "description"


def _channel_changes(before: ArchivedChannel, after: ArchivedChannel) -> Iterator[str]:
    kept = {override.setting for override in after.overrides}
    dropped = {override.setting for override in before.overrides if override.setting not in kept}
    for setting in SETTING_NAMES:
        old, new = setting_text(before.settings, setting), setting_text(after.settings, setting)
        if old != new:
            why = " (put by an operator before the file changed)" if setting in dropped else ""
            yield f"{setting} {old or 'none'} -> {new or 'none'}{why}"


def _first_difference(change: Change, content: Content) -> str:
    assert change.policies is not None
    pairs = zip(content.layers.policies, change.policies, strict=False)
    other = next((new.match for old, new in pairs if old != new), None)
    return f", from {other} on" if other is not None else ""
