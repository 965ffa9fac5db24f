"""The HTTP server: address, start and stop."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import orjson
import structlog
import uvicorn

from archioc.core.allocator import keep_freed_memory
from archioc.core.config.config import Config, Http
from archioc.core.errors import ServeError
from archioc.core.process import StopSignal
from archioc.retrieval.app import make_app
from archioc.retrieval.archive import Archive, open_archive
from archioc.retrieval.query_pool.queries import Queries

_log = structlog.get_logger()

CONNECTIONS = 400
"""Connections at the same time; requests on more are answered with 503."""

BACKLOG = 128

STOP_S = 2
"""How long answers may go on once the server is told to stop."""

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that makes a piece of an answer may keep the one that sends waiting; CPython's 5 ms cost a fifth of a day's answer."""


def serve(config: Config, stop: StopSignal, *, alone: bool) -> None:
    """Serve until told to stop. alone: without an archiver (`archioc serve`). Raises ConfigError, ServeError."""
    keep_freed_memory()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    archive = open_archive(config, alone=alone)
    try:
        with _listen(config.http) as listener:
            host, port = listener.getsockname()[:2]
            if not alone and archive.directories is not None:
                write_address(archive.directories.http_address, host, port)
            _log.info("http_listens", url=f"http://{host}:{port}")
            asyncio.run(_serve(archive, config.http, listener, stop))
    finally:
        archive.close()
    _log.info("http_stopped")


async def _serve(archive: Archive, settings: Http, listener: socket.socket, stop: StopSignal) -> None:
    app = make_app(archive, Queries(settings.query_limit))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=STOP_S,
        )
    )
    if not stop:
        # uvicorn listens for the signals meanwhile, and raises them again for `stop` when it has ended.
        await server.serve(sockets=[listener])


def _listen(settings: Http) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServeError(f"cannot serve HTTP at {settings.host}:{settings.port}: {error.strerror}") from None
    return listener


def write_address(path: Path, host: str, port: int) -> None:
    """Tell where the server listens: replaces the file as a whole."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_bytes(orjson.dumps({"host": host, "port": port, "pid": os.getpid()}))
    scratch.replace(path)
