"""What libca has to say, as log events: without this it prints to standard error, and ends the process at its worst errors."""

from __future__ import annotations

import ctypes
from collections import deque
from typing import Any

import structlog

from archioc.engine.ca.libca import Libca

_log = structlog.get_logger()

MOST_WAITING = 100
"""Messages that wait to be logged; more are counted only."""
LONGEST = 1024
"""Bytes of a message."""
ECA_DISCONN = 192


class ExceptionHandlerArgs(ctypes.Structure):
    """`struct exception_handler_args` of `cadef.h`."""

    _fields_ = [
        ("usr", ctypes.c_void_p),
        ("chid", ctypes.c_void_p),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("addr", ctypes.c_void_p),
        ("stat", ctypes.c_long),
        ("op", ctypes.c_long),
        ("ctx", ctypes.c_char_p),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_uint),
    ]


class LibcaMessages:
    """Takes messages and exceptions on libca's threads; `log` writes them, on the thread of the caller.

    libca is closed before this object goes.
    """

    def __init__(self, libca: Libca) -> None:
        self._waiting: deque[tuple[str, dict[str, object]]] = deque()
        self._left_out = 0
        self._begun = ""
        self._libca = libca
        self._write: Any = ctypes.CDLL(None).vsnprintf
        self._write.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)
        # the second argument is a va_list, which the calling conventions of x86-64 and 64-bit ARM pass as an address
        self._printf = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(self._on_print)
        self._exception = ctypes.CFUNCTYPE(None, ExceptionHandlerArgs)(self._on_exception)
        libca.ca_replace_printf_handler(self._printf)
        libca.ca_add_exception_event(self._exception, None)

    def log(self) -> None:
        """Write what has come since the last call."""
        while self._waiting:
            event, facts = self._waiting.popleft()
            _log.warning(event, **facts)
        if self._left_out:
            _log.warning("ca_messages_left_out", count=self._left_out)
            self._left_out = 0

    def _keep(self, event: str, **facts: object) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((event, facts))
        else:
            self._left_out += 1

    def _on_print(self, template: bytes, arguments: int) -> int:
        text = ctypes.create_string_buffer(LONGEST)
        length = int(self._write(text, LONGEST, template, arguments))
        *lines, self._begun = (self._begun + text.value.decode(errors="replace")).split("\n")  # a line comes in pieces
        self._begun = self._begun[-LONGEST:]
        for line in lines:
            if words := line.strip(" ."):
                self._keep("ca_message", text=words)
        return length

    def _on_exception(self, args: ExceptionHandlerArgs) -> None:
        context = (args.ctx or b"").decode(errors="replace")
        if args.stat == ECA_DISCONN:
            self._keep("ioc_connection_lost", server=context)
            return
        message: bytes = self._libca.ca_message(args.stat)
        channel: bytes = self._libca.ca_name(args.chid) if args.chid else b""
        self._keep("ca_exception", error=message.decode(errors="replace"), channel=channel.decode(errors="replace"), context=context)
