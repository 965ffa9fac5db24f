"""By which names this server may be called: a page of a stranger whose name leads here (DNS rebinding) calls it by another one."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterable


class OwnNames:
    """Loopback names and addresses, the name of this machine with and without its domain, and what the settings add.

    The domain is looked up in a thread of its own, since a name server may take its time.
    """

    def __init__(self, listens_on: str, allowed: Iterable[str]) -> None:
        host = socket.gethostname().lower()
        self._names = {"localhost", host, host.partition(".")[0], listens_on, *allowed}
        self._domains = tuple(name[1:] for name in self._names if name.startswith("*."))
        threading.Thread(target=self._look_up_domain, args=(host,), name="own_name", daemon=True).start()

    def _look_up_domain(self, host: str) -> None:
        self._names = self._names | {socket.getfqdn(host).lower()}

    def allow(self, host: str, local_address: str) -> bool:
        """Whether the server may be called so. host: of the request, with a port or without. local_address: where it has come in."""
        if "*" in self._names:
            return True
        name = _without_port(host).lower().removesuffix(".")
        if name in self._names or name == local_address or name.endswith((".localhost", *self._domains)):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or str(address) in self._names or str(address) == local_address


def _without_port(host: str) -> str:
    """The port is not looked at: behind a proxy it is another one."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
