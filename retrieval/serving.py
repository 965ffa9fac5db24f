"""The HTTP server: address, start and stop."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import orjson
import structlog
import uvicorn
from starlette.types import ASGIApp

from archioc.core.config.config import Config
from archioc.core.config.http import Http
from archioc.core.errors import ServeError
from archioc.core.machine.allocator import keep_freed_memory
from archioc.core.machine.heartbeat import BEAT_S, Heartbeat
from archioc.core.process import StopSignal
from archioc.retrieval.app import gated, make_app
from archioc.retrieval.archive import Archive, open_archive
from archioc.retrieval.connection import MAX_HEAD
from archioc.retrieval.connections import IDLE_S, ConnectionLimits, Connections, connections_within, raise_descriptor_limit
from archioc.retrieval.query_pool.queries import Queries

_log = structlog.get_logger()

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
    descriptors = raise_descriptor_limit()
    watched = None if alone else archive.directories
    try:
        with _listen(config.http) as listener:
            host, port = listener.getsockname()[:2]
            if watched is not None:
                write_address(watched.http_address, host, port)
            _log.info("http_listens", url=f"http://{host}:{port}")
            heartbeat = None if watched is None else Heartbeat(watched.http_heartbeat)
            asyncio.run(_serve(archive, listener, stop, heartbeat, descriptors))
    finally:
        archive.close()
    _log.info("http_stopped")


async def _serve(archive: Archive, listener: socket.socket, stop: StopSignal, heartbeat: Heartbeat | None, descriptors: int) -> None:
    settings = archive.config.http
    app = gated(make_app(archive, Queries(settings.query_limit, settings.places_per_address)), settings)
    limits = ConnectionLimits(connections_within(settings.connections, descriptors), settings.head_limit, settings.body_limit)
    connections = Connections(limits)
    server = make_server(app, connections)
    async with asyncio.TaskGroup() as beside:
        others = [beside.create_task(connections.watch())]
        if heartbeat is not None:
            others.append(beside.create_task(_beat(heartbeat)))
        if not stop:
            # uvicorn listens for the signals meanwhile, and raises them again for `stop` when it has ended.
            await server.serve(sockets=[listener])
        for task in others:
            task.cancel()


def make_server(app: ASGIApp, connections: Connections) -> uvicorn.Server:
    """Uvicorn with our connections. To be called in the event loop that it shall run in."""
    asyncio.get_running_loop().set_exception_handler(connections.on_loop_error)
    protocol: Any = connections.protocol  # uvicorn calls it as it would the class
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            h11_max_incomplete_event_size=MAX_HEAD,
            timeout_keep_alive=int(IDLE_S),
            timeout_graceful_shutdown=STOP_S,
        )
    )


async def _beat(heartbeat: Heartbeat) -> None:
    """Tell the supervisor that this loop goes round."""
    failed = False
    while True:
        try:
            heartbeat.beat()
            failed = False
        except OSError as error:
            if not failed:
                _log.error("heartbeat_failed", error=str(error))
            failed = True
        await asyncio.sleep(BEAT_S)


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
