"""The functions of libca that the engine calls, with their C prototypes (`cadef.h`).

pyepics finds and loads the library and makes the context; see `docs/decisions/0010-channels-without-pyepics.md`.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any, Protocol

from epics import ca

from archioc.engine.ca.libca_guard import guard

CONNECTION_UP = 6
"""CA_OP_CONN_UP."""


class ConnectionHandlerArgs(ctypes.Structure):
    """`struct connection_handler_args`."""

    _fields_ = [("chid", ctypes.c_void_p), ("op", ctypes.c_long)]


class ChannelQueries(Protocol):
    """What a connection callback asks libca about the channel that has come or gone: C functions that take its chid."""

    ca_puser: Any
    ca_field_type: Any
    ca_element_count: Any


class Libca:
    """libca with a context whose callbacks come at any time on threads of its own. One object a process."""

    def __init__(self) -> None:
        ca.AUTO_CLEANUP = False  # `close` does it, while the interpreter is still whole
        ca.initialize_libca()
        library = ctypes.CDLL(ca.find_libca())
        guard(library)
        void_p, long, ulong, c_int = ctypes.c_void_p, ctypes.c_long, ctypes.c_ulong, ctypes.c_int
        pointer = ctypes.POINTER(void_p)

        def function(name: str, result: Any, *arguments: Any) -> Any:
            found = getattr(library, name)
            found.restype, found.argtypes = result, arguments
            return found

        self.ca_create_channel = function("ca_create_channel", c_int, ctypes.c_char_p, void_p, void_p, ctypes.c_uint, pointer)
        self.ca_clear_channel = function("ca_clear_channel", c_int, void_p)
        self.ca_create_subscription = function("ca_create_subscription", c_int, long, ulong, void_p, long, void_p, void_p, pointer)
        self.ca_clear_subscription = function("ca_clear_subscription", c_int, void_p)
        self.ca_array_get_callback = function("ca_array_get_callback", c_int, long, ulong, void_p, void_p, void_p)
        self.ca_state = function("ca_state", c_int, void_p)
        self.ca_puser = function("ca_puser", void_p, void_p)
        self.ca_field_type = function("ca_field_type", ctypes.c_short, void_p)
        self.ca_element_count = function("ca_element_count", ulong, void_p)
        self.ca_host_name = function("ca_host_name", ctypes.c_char_p, void_p)
        self.ca_name = function("ca_name", ctypes.c_char_p, void_p)
        self.ca_message = function("ca_message", ctypes.c_char_p, long)
        self.ca_replace_printf_handler = function("ca_replace_printf_handler", c_int, void_p)
        self.ca_add_exception_event = function("ca_add_exception_event", c_int, void_p, void_p)
        self.ca_flush_io = function("ca_flush_io", c_int)
        self.ca_current_context = function("ca_current_context", void_p)
        self.ca_attach_context = function("ca_attach_context", c_int, void_p)
        self.ca_context_destroy = function("ca_context_destroy", None)

    def close(self, timeout: float) -> bool:
        """End the context, waiting at most so many seconds; whether it has ended, so that no callback runs any more.

        Where it has not, it still waits on a thread of its own.
        """
        ending = threading.Thread(target=self._end, args=(self.ca_current_context(),), name="libca end", daemon=True)
        ending.start()
        ending.join(timeout)
        return not ending.is_alive()

    def _end(self, context: int) -> None:
        self.ca_attach_context(context)
        self.ca_context_destroy()
