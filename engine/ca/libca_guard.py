"""Puts checks before libca's own handling of messages: `_libca_guard.c` has them, ADR 0018 says why."""

from __future__ import annotations

import ctypes

import structlog

try:
    from archioc.engine.ca import _libca_guard
except ImportError:  # installed where there was no C compiler
    GUARD_BUILT = False
else:
    GUARD_BUILT = True

_log = structlog.get_logger()

_MESSAGE = "R15callbackManagerR6tcpiiuRK9epicsTimeRK15caHdrLargeArrayPv"
_NAMES = (
    "_ZN3cac15tcpJumpTableCACE",
    f"_ZN3cac15eventRespActionE{_MESSAGE}",
    f"_ZN3cac14readRespActionE{_MESSAGE}",
    f"_ZN3cac19exceptionRespActionE{_MESSAGE}",
    f"_ZN3cac20readNotifyRespActionE{_MESSAGE}",
    f"_ZN3cac21writeNotifyRespActionE{_MESSAGE}",
    "dbr_value_offset",
    "dbr_value_size",
)
"""What `install` takes, as libca exports it: C++ names by the rules of the Itanium ABI."""


def guard(library: ctypes.CDLL) -> bool:
    """Have this libca check what servers send; call it before the first circuit. False, with a warning, where it cannot be done."""
    why = _install(library)
    if why:
        _log.warning("libca_unguarded", reason=why, risk="a server that lies about the length of a message can end the engine")
    return not why


def _install(library: ctypes.CDLL) -> str:
    """Why it was not done; empty where it was."""
    if not GUARD_BUILT:
        return "no C compiler was found when ArchIOC was installed"
    try:
        addresses = [ctypes.addressof(ctypes.c_char.in_dll(library, name)) for name in _NAMES]
    except ValueError as error:  # a build that exports its C interface only
        return f"this libca lacks a name: {error}"
    return "" if _libca_guard.install(*addresses) else "the table of responses of this libca is not as expected"
