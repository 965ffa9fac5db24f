"""One PV of a channel: how it looks, what it shows of the channel's row, and when it is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from archioc.ioc.ca.alarm import NO_ALARM, TIMEOUT, Alarm
from archioc.ioc.ca.pv import PV, PvSpec, Value
from archioc.ioc.pvs.row_view import RowView

Source = Literal["registry", "engine", "db"]
"""Which process knows it: a PV goes INVALID when its process does not answer."""


@dataclass(frozen=True, slots=True)
class ChannelField:
    """One PV of a channel. setting: what a put changes, for those that can be put.

    unit, precision: those of the channel, where they are not the PV's own; a precision that is not known is the PV's own.
    """

    spec: PvSpec
    source: Source
    show: Callable[[RowView], Value]
    setting: str = ""
    alarm: Callable[[RowView], Alarm] = lambda _: NO_ALARM
    unit: Callable[[RowView], str] | None = None
    precision: Callable[[RowView], int | None] | None = None

    def alarm_of(self, view: RowView) -> Alarm:
        """Status and severity: those of the field, or TIMEOUT when its process does not answer."""
        if (self.source == "engine" and view.engine_silent) or (self.source == "db" and view.db_silent):
            return TIMEOUT
        return self.alarm(view)

    async def show_on(self, pv: PV, view: RowView) -> None:
        """Have a PV show it, with the channel's own unit and precision where the field has them."""
        precision = None if self.precision is None else self.precision(view)
        await pv.show(
            self.show(view),
            alarm=self.alarm_of(view),
            unit=self.unit(view) if self.unit else None,
            precision=pv.spec.precision if precision is None else precision,
        )
