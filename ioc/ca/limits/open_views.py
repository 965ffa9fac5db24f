"""How many views one client has open."""

from __future__ import annotations

from archioc.ioc.ca.pv import PV

MAX_VIEWS_OF_CLIENT = 20


class OpenViews:
    """The views of one client, by the number of channels it has open in each."""

    def __init__(self) -> None:
        self._channels: dict[str, int] = {}

    def admit(self, pv: PV) -> bool:
        """Whether the client may open this PV, which is counted if so; any PV that belongs to no view."""
        if pv.view is None:
            return True
        if pv.view not in self._channels and len(self._channels) >= MAX_VIEWS_OF_CLIENT:
            return False
        self._channels[pv.view] = self._channels.get(pv.view, 0) + 1
        return True

    def leave(self, pv: PV) -> None:
        """The client has closed this PV."""
        if pv.view is not None:
            self._channels[pv.view] -= 1
            if not self._channels[pv.view]:
                del self._channels[pv.view]
