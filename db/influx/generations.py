"""The server by its version."""

from __future__ import annotations

from archioc.core.config.store import InfluxStore
from archioc.db.influx.connection import InfluxConnection
from archioc.db.influx.one import InfluxOne
from archioc.db.influx.server import InfluxServer
from archioc.db.influx.three import InfluxThree
from archioc.db.influx.two import InfluxTwo


def server_of(major: int, connection: InfluxConnection, settings: InfluxStore) -> InfluxServer:
    """The server by the first number of its version."""
    if major == 1:
        return InfluxOne(connection, settings)
    return InfluxTwo(connection, settings) if major == 2 else InfluxThree(connection, settings)
