from __future__ import annotations

import random
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"

_FIRST, _LAST = 20_000, 32_000
"""Below the ports that the kernel gives to outgoing connections, so that none of these takes a port before its server does."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface on which neither TCP nor UDP is in use.

    All are held until the last is found, so they differ. Raises OSError when 1000 tries do not find enough.
    """
    found: list[int] = []
    with ExitStack() as held:
        for _ in range(1000):
            if len(found) == count:
                return found
            port = random.randint(_FIRST, _LAST)
            pair = [held.enter_context(socket.socket(socket.AF_INET, kind)) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
            try:
                for one in pair:
                    one.bind(("", port))
            except OSError:
                continue
            found.append(port)
    raise OSError(f"no {count} free ports between {_FIRST} and {_LAST}")
