"""What puts make of an archive, by the rules of the contract pages; no line of it is the archiver's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Value = bool | int | float | str

DEFAULTS: dict[str, Value] = {
    "enable": True,
    "mode": "monitor",
    "rate": 0.0,
    "description": "",
    "deadband": 0.0,
    "deadband_pct": 0.0,
    "max_interval": 3600.0,
    "mask": "log",
    "quota": 1000.0,
    "clock": "auto",
    "max_elements": 0,
    "large_arrays": "statistics",
    "as_text": False,
    "group": "",
}

BLOCKS = """
policies: [{match: 'F:P*', rate: 2}]
groups:
  vac: {condition: 'SR:MODE != 0', settings: {mode: scan, rate: 0.5}, channels: [F:V1, {pv: F:V2, deadband: 0.25}]}
  diag: {settings: {quota: 50}, channels: [F:D1]}
channels: [F:P1, {pv: F:X1, rate: 10}, F:X2]
"""
_POLICY = ("F:P", {"rate": 2.0})
_GROUP_SETTINGS: dict[str, dict[str, Value]] = {"vac": {"mode": "scan", "rate": 0.5}, "diag": {"quota": 50.0}}
_FILE: dict[str, tuple[str, dict[str, Value]]] = {
    "F:V1": ("vac", {}),
    "F:V2": ("vac", {"deadband": 0.25}),
    "F:D1": ("diag", {}),
    "F:P1": ("", {}),
    "F:X1": ("", {"rate": 10.0}),
    "F:X2": ("", {}),
}


@dataclass(frozen=True, slots=True)
class ModelChannel:
    """own, group: its entry in the file or in Add. put: what operators have put over it."""

    own: Mapping[str, Value]
    group: str
    put: Mapping[str, Value]


@dataclass(slots=True)
class ModelGroup:
    enable: bool = True
    condition: str = ""


@dataclass(slots=True)
class ControlModel:
    """The archive that `BLOCKS` declares. limits: alarm limits put, by PV and field. flushes: how many were asked for."""

    channels: dict[str, ModelChannel] = field(
        default_factory=lambda: {name: ModelChannel(own, group, {}) for name, (group, own) in _FILE.items()}
    )
    groups: dict[str, ModelGroup] = field(default_factory=lambda: {"vac": ModelGroup(condition="SR:MODE != 0"), "diag": ModelGroup()})
    limits: dict[tuple[str, str], float] = field(default_factory=dict)
    flushes: int = 0

    def settings(self, name: str) -> dict[str, Value]:
        """What holds for a channel."""
        channel = self.channels[name]
        return {**_declared(name, channel, str(channel.put.get("group", channel.group))), **channel.put}

    def can_add(self, name: str, own: Mapping[str, Value], group: str) -> bool:
        return name not in self.channels and _fits(_declared(name, ModelChannel(own, group, {}), group))

    def add(self, name: str, own: Mapping[str, Value], group: str) -> None:
        self.channels[name] = ModelChannel(own, group, {})
        self._have(group)

    def changed(self, name: str, changes: Mapping[str, Value]) -> ModelChannel | None:
        """A channel after a put, None where the put breaks the rule between mode and rate."""
        channel = self.channels[name]
        put = {**channel.put, **changes}
        declared = _declared(name, channel, str(put.get("group", channel.group)))
        if not _fits(declared) or not _fits({**declared, **put}):
            return None
        return ModelChannel(channel.own, channel.group, {key: value for key, value in put.items() if value != declared[key]})

    def change(self, name: str, changes: Mapping[str, Value]) -> bool:
        """Carry out a put; False: it must be refused."""
        after = self.changed(name, changes)
        if after is None:
            return False
        self.channels[name] = after
        self._have(str(changes.get("group", "")))
        return True

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            del self.channels[name]

    def apply(self, *, prune: bool) -> None:
        """The file, which has not changed, is followed again."""
        if prune:
            self.remove([name for name in self.channels if name not in _FILE])
        for name, (group, own) in _FILE.items():
            self.channels.setdefault(name, ModelChannel(own, group, {}))
        used = {str(self.settings(name)["group"]) for name in self.channels}
        for name in [name for name in self.groups if name not in _GROUP_SETTINGS and name not in used]:
            del self.groups[name]

    def starting_with(self, beginning: str) -> list[str]:
        return [name for name in self.channels if name.startswith(beginning)]

    def _have(self, group: str) -> None:
        if group:
            self.groups.setdefault(group, ModelGroup())


def _declared(name: str, channel: ModelChannel, group: str) -> dict[str, Value]:
    policy = _POLICY[1] if name.startswith(_POLICY[0]) else {}
    return {**DEFAULTS, **policy, **_GROUP_SETTINGS.get(group, {}), **channel.own, "group": channel.group}


def _fits(settings: Mapping[str, Value]) -> bool:
    return settings["mode"] != "scan" or settings["rate"] != 0
