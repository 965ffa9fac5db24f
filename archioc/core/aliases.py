"""Earlier names of channels: what a name means now, and under which names a store has the history of a channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alias:
    """One renaming of a channel.

    until_ns: when the channel was renamed; until then it was archived as `old`.
    ended_ns: when `old` became the name of another channel, None as long as it still stands for this one.
    Both in ns since 1970 UTC.
    """

    old: str
    new: str
    until_ns: int
    ended_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Tenure:
    """A name that a channel has had.

    after_ns: what is stored under the name up to this belongs to another channel; None: nothing does.
    alias: the renaming that ended it, None for the name that the channel has now.
    """

    name: str
    after_ns: int | None
    alias: Alias | None


class Aliases:
    """Which names of the past stand for which channel now; a name that is none of them stands for itself."""

    def __init__(self, known: Iterable[Alias] = ()) -> None:
        self._current: dict[str, str] = {}
        self._newest_ns = 0
        self._olds: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for alias in sorted(known, key=lambda alias: alias.until_ns):
            self.rename(alias)
            if alias.ended_ns is not None:
                self.end(alias.old)

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, name: object) -> bool:
        return name in self._current

    def current(self, name: str) -> str:
        """The name that the channel has now."""
        return self._current.get(name, name)

    def olds(self, current: str) -> list[str]:
        """The names that stand for this channel besides its own."""
        return list(self._olds.get(current, ()))

    def next_ns(self, now_ns: int) -> int:
        """When the next renaming happens: now, but later than all others, whatever the clock of this machine does."""
        return max(now_ns, self._newest_ns + 1)

    def rename(self, alias: Alias) -> None:
        """A channel is called `alias.new` from now on; what stood for it still does."""
        self._newest_ns = max(self._newest_ns, alias.until_ns, alias.ended_ns or 0)
        self.end(alias.new)
        for name in (*self._olds.pop(alias.old, ()), alias.old):
            self._current[name] = alias.new
            self._olds[alias.new][name] = None

    def end(self, name: str) -> None:
        """The name belongs to another channel from now on."""
        current = self._current.pop(name, None)
        if current is not None:
            del self._olds[current][name]
            if not self._olds[current]:
                del self._olds[current]


def tenures(known: Iterable[Alias], name: str) -> list[Tenure]:
    """The names under which the history of a channel is stored, the earliest first; one at least.

    name: one that the channel has now, or an earlier one that still stands for it.
    """
    aliases = sorted(known, key=lambda alias: alias.until_ns)
    held = Tenure(current := Aliases(aliases).current(name), _taken(aliases, current, None), None)
    found = [held]
    before = None
    while True:
        began = [
            alias
            for alias in aliases
            if alias.new == held.name
            and (before is None or alias.until_ns < before)
            and (held.after_ns is None or alias.until_ns >= held.after_ns)
        ]
        if not began:
            return found[::-1]
        alias = began[-1]
        before = alias.until_ns
        held = Tenure(alias.old, _taken(aliases, alias.old, alias), alias)
        found.append(held)


def _taken(aliases: Iterable[Alias], name: str, ending: Alias | None) -> int | None:
    """When a name that had been another channel's began to be this one's: the last time before `ending` (None: at all)."""
    moments = (a.ended_ns for a in aliases if a.old == name and a.ended_ns is not None and (ending is None or a.until_ns < ending.until_ns))
    return max(moments, default=None)
