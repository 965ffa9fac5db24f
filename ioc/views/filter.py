"""What a view lists: words that must all match (`docs/reference/contract/views.md`)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archioc.core.errors import CommandRefused
from archioc.ioc.ca.alarm_limits import SEVERITIES
from archioc.ioc.pvs.channel_fields import STATES
from archioc.ioc.results import ResultCode

MAX_WORDS = 16

Pattern = re.Pattern[str]

_CHOICES = {"state": STATES, "severity": SEVERITIES, "enable": ("Off", "On")}


@dataclass(frozen=True, slots=True)
class ViewFilter:
    """names, groups: patterns to be found in the name of a channel and of its group. states, severities, enables: what they must be.

    Several of one kind must all hold.
    """

    names: tuple[Pattern, ...] = ()
    groups: tuple[Pattern, ...] = ()
    states: frozenset[int] = frozenset()
    severities: frozenset[int] = frozenset()
    enables: frozenset[int] = frozenset()

    def fits_name(self, name: str) -> bool:
        """Whether the name of a channel matches."""
        return all(pattern.search(name) for pattern in self.names)

    def fits_group(self, name: str) -> bool:
        """Whether the name of a group matches; empty stands for no group."""
        return all(pattern.search(name) for pattern in self.groups)

    @property
    def reads_status(self) -> bool:
        """Whether what matches changes although nobody changes the archive."""
        return bool(self.states or self.severities)


def read_filter(text: str) -> ViewFilter:
    """The filter as an operator writes it. Raises CommandRefused."""
    words = text.split()
    if len(words) > MAX_WORDS:
        raise CommandRefused(ResultCode.SYNTAX, f"Filter: {len(words)} words, at most {MAX_WORDS} are taken")
    names: list[Pattern] = []
    groups: list[Pattern] = []
    chosen: dict[str, set[int]] = {key: set() for key in _CHOICES}
    for word in words:
        key, equals, wanted = word.partition("=")
        if equals and key.lower() in _CHOICES:
            chosen[key.lower()].add(_choice(key, wanted, _CHOICES[key.lower()]))
        elif equals and key.lower() == "group":
            groups.append(_whole(wanted))
        else:
            names.append(_whole(word) if any(character in word for character in "*?[") else re.compile(re.escape(word), re.IGNORECASE))
    return ViewFilter(tuple(names), tuple(groups), *(frozenset(chosen[key]) for key in _CHOICES))


def group_filter(name: str) -> str:
    """The filter that lists the channels of one group."""
    return f"group={name}"


def listed_group(text: str) -> str:
    """The group whose channels a filter lists, if it is `group_filter` of one; else empty."""
    name = text.removeprefix(group_filter(""))
    return name if name != text and re.fullmatch(r"[A-Za-z0-9_-]+", name, re.ASCII) else ""


def _choice(key: str, wanted: str, labels: Sequence[str]) -> int:
    for index, label in enumerate(labels):
        if label.lower() == wanted.lower():
            return index
    raise CommandRefused(ResultCode.SYNTAX, f"Filter: {key}={wanted[:40]}: must be one of {_listed(labels)}")


def _listed(labels: Iterable[str]) -> str:
    return ", ".join(labels)


def _whole(glob: str) -> Pattern:
    """A pattern that a whole text must fit."""
    return re.compile(r"\A" + fnmatch.translate(glob), re.IGNORECASE)
