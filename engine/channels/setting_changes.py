"""Which settings of a channel changed, in words: the text of the event `settings_changed`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from archioc.core.channel import LargeArrays, Mask, Mode
from archioc.core.table.columns import SETTINGS
from archioc.core.void_view import as_void

Rows = npt.NDArray[np.integer]


def _word(words: type[Mode | Mask | LargeArrays]) -> Callable[[float], str]:
    return lambda value: words(int(value)).name.lower()


def _number(value: float) -> str:
    return f"{value:g}"


def _whole(value: float) -> str:
    return str(int(value))


def _yes_no(value: float) -> str:
    return "yes" if value else "no"


_SHOWN: dict[str, tuple[str, Callable[[float], str]]] = {
    "mode": ("mode", _word(Mode)),
    "rate": ("rate", _number),
    "deadband": ("deadband", _number),
    "deadband_pct": ("deadband_pct", _number),
    "max_interval": ("max_interval", _number),
    "mask": ("mask", _word(Mask)),
    "quota": ("quota", _number),
    "by_ioc": ("clock", lambda value: "ioc" if value else "archiver"),
    "max_elements": ("max_elements", _whole),
    "large_arrays": ("large_arrays", _word(LargeArrays)),
    "as_text": ("as_text", _yes_no),
}
"""Column of the settings block: the setting, and how its value is written.

`enable` is told by the gap `disabled`, `group` is a number that means nothing to people; the settings that a group brings are here.
"""


class SettingChanges:
    """Remembers the settings of all rows as they were last taken up."""

    def __init__(self, rows: int) -> None:
        self._known = np.zeros(rows, SETTINGS)

    def load(self, rows: Rows, cells: npt.NDArray[np.void]) -> list[tuple[int, str]]:
        """Settings of rows as they are now (dtype SETTINGS): the rows where some differ from before, and which.

        A channel that is seen for the first time has changed nothing.
        """
        known: npt.NDArray[np.void] = as_void(self._known)[rows].view(SETTINGS)
        same_channel = known["generation"] == cells["generation"]
        changed = np.zeros(len(rows), bool)
        for column in _SHOWN:
            changed |= known[column] != cells[column]
        as_void(self._known)[rows] = as_void(cells)
        return [(int(rows[at]), _text(known[at], cells[at])) for at in np.flatnonzero(changed & same_channel).tolist()]


def _text(before: np.void, now: np.void) -> str:
    """`rate 0 -> 10, mode monitor -> scan`."""
    return ", ".join(
        f"{setting} {write(before[column])} -> {write(now[column])}"
        for column, (setting, write) in _SHOWN.items()
        if before[column] != now[column]
    )
