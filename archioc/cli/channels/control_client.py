"""Puts to the control PVs of an archiver on this machine, as any Channel Access client makes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from caproto import CaprotoError, ChannelType, ErrorResponseReceived
from caproto.sync.client import read, write

from archioc.core.errors import CommandRefused, ServeError

if TYPE_CHECKING:
    from archioc.core.config.config import Config

CONNECT_S = 5.0
COMMAND_S = 180.0
"""Reading a file with 100 000 channels takes some ten seconds."""

ANY_INTERFACE = "0.0.0.0"  # noqa: S104 - compared with, not bound to


class ControlClient:
    """Talks to the ioc process of the archiver with this configuration, wherever else the environment would search."""

    def __init__(self, config: Config) -> None:
        self._prefix = config.archiver.prefix
        interface = config.ioc.interfaces[0]
        host = "127.0.0.1" if interface == ANY_INTERFACE else interface
        os.environ["EPICS_CA_ADDR_LIST"] = f"{host}:{config.ioc.port}"
        os.environ["EPICS_CA_AUTO_ADDR_LIST"] = "NO"

    def command(self, name: str, value: int | bytes) -> str:
        """Put to a command PV and wait until it is done; the text of `Result`.

        Raises CommandRefused with the archiver's words, and ServeError when it does not answer.
        """
        try:
            self._read("ResultCode", CONNECT_S)  # soon tells that nobody is there
            write(self._prefix + name, value, notify=True, timeout=COMMAND_S, repeater=False)
        except ErrorResponseReceived as error:
            raise CommandRefused(0, _words(error)) from None
        except (CaprotoError, TimeoutError, OSError) as error:
            raise ServeError(f"{self._prefix}{name}: the archiver does not answer ({error}); is it running?") from None
        return self._read("Result", CONNECT_S)

    def _read(self, name: str, timeout: float) -> str:
        answer = read(self._prefix + name, data_type=None, timeout=timeout, repeater=False)
        if answer.data_type == ChannelType.CHAR:
            return bytes(answer.data).split(b"\0", 1)[0].decode(errors="replace")
        return str(answer.data[0])


def _words(error: ErrorResponseReceived) -> str:
    """What the server said."""
    response = error.args[0]
    return bytes(response.error_message).split(b"\0", 1)[0].decode(errors="replace")
