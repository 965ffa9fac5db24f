"""The names that we serve. PVs of channels are made when a client opens them and are gone when the last one closes.

100 000 channels with 30 PVs each thus cost nothing until somebody looks.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from archioc.ioc.ca.pv import PV
from archioc.ioc.pvs.fields import FIELD_NAMES, field_pv


class PvSource(Protocol):
    """Makes PVs by name."""

    def has(self, name: str) -> bool:
        """Whether there is such a PV; must be cheap, every search asks."""

    def make(self, name: str) -> PV:
        """The PV. Raises KeyError."""


class PvDatabase:
    """All PVs: those that always exist, and those that sources make."""

    def __init__(self, fixed: Collection[PV], sources: Sequence[PvSource]) -> None:
        self._fixed = {pv.name: pv for pv in fixed}
        self._sources = sources
        self._live: weakref.WeakValueDictionary[str, PV] = weakref.WeakValueDictionary()

    def has(self, name: str) -> bool:
        """Whether a client would find this name."""
        base, field = self._split(name)
        return self._has_base(base) and (not field or field in FIELD_NAMES)

    async def open(self, name: str) -> tuple[PV, bool]:
        """The PV of a name, and whether its text is wanted as characters (`$`). Raises KeyError."""
        base, field = self._split(name)
        if field and field not in FIELD_NAMES:
            raise KeyError(name)
        pv = self._base(base)
        long_string = name.endswith("$") and name != base
        if not field:
            return pv, long_string
        whole = f"{base}.{field}"
        found = self._live.get(whole)
        if found is None:
            found = self._live[whole] = await field_pv(pv, field)
        return found, long_string

    def forget(self, gone: Callable[[PV], bool]) -> None:
        """Make no more use of PVs whose channel or group was removed."""
        for name in [name for name, pv in self._live.items() if gone(pv)]:
            del self._live[name]

    def _base(self, name: str) -> PV:
        fixed = self._fixed.get(name)
        if fixed is not None:
            return fixed
        found = self._live.get(name)
        if found is not None and not self._has_base(name):
            raise KeyError(name)  # some client still has it open, but what it belongs to is removed
        if found is None:
            source = next((source for source in self._sources if source.has(name)), None)
            if source is None:
                raise KeyError(name)
            found = self._live[name] = source.make(name)
        return found

    def _has_base(self, name: str) -> bool:
        return name in self._fixed or any(source.has(name) for source in self._sources)

    def _split(self, name: str) -> tuple[str, str]:
        """A name as PV and field; `VAL` is the PV itself. Names of channels may hold dots, so the whole name comes first."""
        if self._has_base(name):
            return name, ""
        base, dot, field = name.rpartition(".")
        if not dot:
            return name, ""
        field = field.removesuffix("$")
        return base, "" if field == "VAL" else field
