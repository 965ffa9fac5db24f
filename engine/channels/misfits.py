"""Messages that are not what was subscribed to: counted, told in words, and refused when a server goes on sending them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import structlog

from archioc.core.dbr import DBR_CTRL_OFFSET, Dbr
from archioc.core.table.table import ChannelTable
from archioc.engine.ca.channel_access import ChannelAccess
from archioc.engine.ca.ring import MISFITTING
from archioc.engine.channels.refusals import Refusals

AT_MOST = 10
"""Misfits of a subscription until it is ended; a server is trusted again when the channel connects the next time."""

TOO_SHORT = 0x8000
"""In the type of a message: it holds fewer bytes than it says (`_libca_guard.c`)."""

_CLASSES = ("", "STS_", "TIME_", "GR_", "CTRL_")
Rows = npt.NDArray[np.integer]
_log = structlog.get_logger()


class Misfits:
    """How many messages of each row did not fit since its channel connected. table: knows the servers. names: by row."""

    def __init__(self, table: ChannelTable, access: ChannelAccess, names: list[str], refusals: Refusals) -> None:
        self._table, self._access, self._names, self._refusals = table, access, names, refusals
        self._values = np.zeros(len(names), "i8")
        self._metas = np.zeros(len(names), "i8")

    def forget(self, rows: Rows) -> None:
        """These channels connect, or have left their rows."""
        self._values[rows] = self._metas[rows] = 0

    def have_ended(self, row: int) -> bool:
        """Whether the subscription to the values of this channel was ended."""
        return bool(self._values[row] >= AT_MOST)

    def take(self, slots: npt.NDArray[np.void]) -> None:
        """Count these slots, of kind MISFIT, and act on them."""
        is_meta = slots["dbr"] >= DBR_CTRL_OFFSET
        for some, number in ((slots[~is_meta], self._values), (slots[is_meta], self._metas)):
            rows, newest, sent = _by_row(some)
            before = number[rows]
            number[rows] += sent
            for at in np.flatnonzero(before < AT_MOST).tolist():
                self._tell(some[newest[at]], last=bool(number[rows[at]] >= AT_MOST))

    def _tell(self, slot: np.void, *, last: bool) -> None:
        row, is_meta = int(slot["row"]), slot["dbr"] >= DBR_CTRL_OFFSET
        name, server = self._names[row], bytes(self._table.status.cells["host"][row]).decode(errors="replace")
        why = f"server {server} sends {_in_words(slot)}"
        _log.warning("misfit", channel=name, reason=why, subscription_ended=last)
        if last and is_meta:
            self._access.end_metadata(name)
        elif last:
            self._access.end_values(name)
            self._refusals.begin_for_good(row, int(slot["received"]), why)
        elif not is_meta:
            self._refusals.begin(row, int(slot["received"]), why)


def _by_row(slots: npt.NDArray[np.void]) -> tuple[Rows, Rows, Rows]:
    """The rows of these slots, the index of the newest slot of each, and how many slots it has."""
    rows, newest, number = np.unique(slots["row"][::-1].astype(np.intp), return_index=True, return_counts=True)
    return rows, len(slots) - 1 - newest, number


def _in_words(slot: np.void) -> str:
    """What a server has sent, and what was subscribed to."""
    sent, wanted, count = int(slot.reshape(1).view(MISFITTING)["sent"][0]), int(slot["dbr"]), int(slot["count"])
    elements = f"{count} element" if count == 1 else f"{count} elements"
    if sent == wanted:
        return f"{elements} for a subscription of 1"
    if sent & ~TOO_SHORT != wanted:
        return f"{_type_name(sent & ~TOO_SHORT)} for a subscription of {_type_name(wanted)}"
    return f"{elements} in too few bytes"


def _type_name(dbr: int) -> str:
    """A DBR type as `db_access.h` names it, without the DBR_; its number where it is none with a value."""
    kind, native = divmod(dbr, len(Dbr))
    return f"{_CLASSES[kind]}{Dbr(native).name}" if kind < len(_CLASSES) else f"type {dbr}"
