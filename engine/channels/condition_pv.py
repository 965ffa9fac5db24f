"""The PV of a group's condition: a channel and a subscription of its own at libca.

Not by pyepics, which keeps one channel for each name and would end it for the archive when a group no longer needs it.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any, Protocol

import structlog
from epics import ca

from archioc.core.dbr import DBR_TIME_OFFSET, Dbr, Severity
from archioc.engine.ca.pinned_callback import EventHandlerArgs

_log = structlog.get_logger()

ECA_NORMAL = 1
CA_OP_CONN_UP = 6
DBE_VALUE, DBE_ALARM = 1, 4
PRIORITY = 0

_ALARM = struct.Struct("<HH")
"""Status and severity, the beginning of every DBR_TIME_x."""
_NUMBER_AT, _TEXT_AT, _TEXT_BYTES = 16, 12, 40


class _ConnectionArgs(ctypes.Structure):
    """`struct connection_handler_args` of `cadef.h`."""

    _fields_ = [("chid", ctypes.c_void_p), ("op", ctypes.c_long)]


class Watched(Protocol):
    """A PV whose newest value can be looked at."""

    @property
    def value(self) -> float | str | None:
        """None while it is not connected or its value is INVALID."""

    def close(self) -> None:
        """Let go of it."""


class ConditionPv:
    """Follows one PV as a number, or as text: the label of an enum. `value` may be read at any time.

    libca's threads write `value`; one assignment, which needs no lock.
    """

    def __init__(self, name: str, *, as_text: bool) -> None:
        self.value: float | str | None = None
        self._name, self._as_text = name, as_text
        self._dbr = (Dbr.STRING if as_text else Dbr.DOUBLE) + DBR_TIME_OFFSET
        self._lib: Any = ca.initialize_libca() if ca.libca is None else ca.libca
        self._on_connection = ctypes.CFUNCTYPE(None, _ConnectionArgs)(self._connection)
        self._on_event = ctypes.CFUNCTYPE(None, EventHandlerArgs)(self._event)
        self._chid: ctypes.c_void_p | None = ctypes.c_void_p()
        code = self._lib.ca_create_channel(name.encode(), self._on_connection, None, ctypes.c_uint(PRIORITY), ctypes.byref(self._chid))
        if code != ECA_NORMAL:
            _log.error("condition_refused", pv=name, code=code)
            self._chid = None
            return
        dbr = self._dbr
        subscription = ctypes.c_void_p()
        code = self._lib.ca_create_subscription(
            dbr,
            ctypes.c_ulong(1),
            self._chid,
            ctypes.c_long(DBE_VALUE | DBE_ALARM),
            self._on_event,
            None,
            ctypes.byref(subscription),
        )
        if code != ECA_NORMAL:
            _log.error("condition_refused", pv=name, code=code)

    def close(self) -> None:
        """Let go of the channel; no callback runs after this has returned."""
        if self._chid is not None:
            self._lib.ca_clear_channel(self._chid)
            self._chid = None

    def _connection(self, args: _ConnectionArgs) -> None:
        if args.op != CA_OP_CONN_UP:
            self.value = None

    def _event(self, args: EventHandlerArgs) -> None:
        if args.status != ECA_NORMAL or not args.dbr or args.type != self._dbr or args.count != 1:  # not what was subscribed to
            self.value = None
            return
        _, severity = _ALARM.unpack(ctypes.string_at(args.dbr, _ALARM.size))
        if severity >= Severity.INVALID:
            self.value = None
        elif self._as_text:
            raw = ctypes.string_at(args.dbr + _TEXT_AT, _TEXT_BYTES)
            self.value = raw.split(b"\0", 1)[0].decode(errors="replace")
        else:
            number = ctypes.c_double.from_address(args.dbr + _NUMBER_AT).value
            self.value = None if number != number else number  # noqa: PLR0124 - NaN compares with nothing
