"""Unix sockets at paths of any length."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of `path` that fits into the 108 bytes of a socket address (Linux: by an open descriptor of its directory)."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def listen(path: Path, backlog: int, mode: int) -> socket.socket:
    """A listening socket at `path`, in place of one that a dead process has left. Raises OSError."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as name:
            server.bind(name)
        path.chmod(mode)
        server.listen(backlog)
    except OSError:
        server.close()
        raise
    return server


def connect(path: Path, timeout: float) -> socket.socket:
    """A connection to the socket at `path`; `timeout` (s) holds for each wait on it. Raises OSError."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout)
    try:
        with short_path(path) as name:
            client.connect(name)
    except OSError:
        client.close()
        raise
    return client
