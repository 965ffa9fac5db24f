from __future__ import annotations

import socket
import threading


class SilentServer:
    """Finds every channel by name and accepts TCP connections, but never answers there."""

    def __init__(self, port: int) -> None:
        self._tcp = socket.create_server(("127.0.0.1", port))
        self._tcp.settimeout(0.1)
        self._taken: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def circuits(self) -> int:
        """Connections that were made to it."""
        return len(self._taken)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                self._taken.append(self._tcp.accept()[0])
            except TimeoutError:
                continue

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        for one in (self._tcp, *self._taken):
            one.close()
