"""The HTTP application over an embedded store of the test's own, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from archioc.core.config.file import parse_config
from archioc.core.config.store import Store as StoreSettings
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import ChannelMeta
from archioc.core.spool.encoding import encoder_for
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.store import Reader
from archioc.retrieval.app import gated, make_app
from archioc.retrieval.archive import Archive
from archioc.retrieval.catalogue import Catalogue
from archioc.retrieval.connections import ConnectionLimits, Connections
from archioc.retrieval.query_pool.queries import Queries
from archioc.retrieval.serving import make_server
from tests.archives.batches import Point, make_batch, spool_file
from tests.processes.http_client import HttpClient

STOP_S = 30.0


class ServedStore:
    """A store that the test writes and the server reads. limit_s: how long a query may work. reader: what is read in place of the store.

    settings: the block `http`.
    """

    def __init__(
        self, directory: Path, limit_s: float = 60.0, reader: Reader | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.store = EmbeddedStore(directory / "store")
        self.store.prepare()
        self._encoder = encoder_for(StoreSettings.model_validate({}))
        self._batch_id = 0
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        config = parse_config(f"http: {json.dumps(settings or {})}", directory / "config.yml")
        asked = reader or self.store
        self.queries = Queries(limit_s, config.http.places_per_address)
        self.app = gated(make_app(Archive(config, asked, Catalogue(asked, None), None), self.queries), config.http)
        self.connections = Connections(ConnectionLimits(config.http.connections, config.http.head_limit, config.http.body_limit))
        self._server: uvicorn.Server | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(STOP_S)
        self.http = HttpClient(f"http://127.0.0.1:{self.listener.getsockname()[1]}")

    async def _serve(self) -> None:
        self._server = make_server(self.app, self.connections)
        watch = asyncio.create_task(self.connections.watch())
        self._ready.set()
        await self._server.serve(sockets=[self.listener])
        watch.cancel()

    def write(self, points: Sequence[Point] = (), events: Sequence[ChannelEvent] = (), metas: Sequence[ChannelMeta] = ()) -> None:
        """One batch."""
        self._batch_id += 1
        self.store.write(spool_file(self._encoder, make_batch(points, events, metas), self._batch_id))

    def close(self) -> None:
        """Stop serving."""
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(STOP_S)
        assert not self._thread.is_alive()
        self.listener.close()
        self.store.close()
