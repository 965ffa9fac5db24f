"""Unix sockets at paths of any length."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")
"""struct ucred of unix(7): process, user, group."""


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of `path` that fits into the 108 bytes of a socket address (Linux: by an open descriptor of its directory)."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def listen(path: Path, backlog: int) -> socket.socket:
    """A listening socket at `path`, in place of one that a dead process has left. Raises OSError.

    The group of its directory may connect where it may read the directory (`archiver.group`); connecting takes the right to write.
    """
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as name:
            server.bind(name)
        path.chmod(0o660 if path.parent.stat().st_mode & stat.S_IRGRP else 0o600)
        server.listen(backlog)
    except OSError:
        server.close()
        raise
    return server


def user_of(client: socket.socket) -> int:
    """The effective user of the process that connected, as the kernel knows it."""
    _, user, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(user)


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
