"""The sign by which an InfluxDB is known to be the archive that we wrote to: a point of the measurement `archive`.

The tag `id` is that of the state directory. Where no sign of ours is found, the database is new, was emptied or replaced; where the newest
is older than the newest that was acknowledged, it was restored from a backup, or has lost its last writes.
"""

from __future__ import annotations

from archioc.core.errors import QueryError
from archioc.db.influx.answers import NotFound, integer
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.influxql import quote_text

_MISSING = "database not found"


def sign_line(archiver: str, archive_id: str, since_ns: int, now_ns: int) -> bytes:
    """The line of a sign made now (ns). archiver and archive_id hold nothing that a tag must escape."""
    return f"archive,archiver={archiver},id={archive_id} since={since_ns}i {now_ns}\n".encode()


def newest_sign(connection: InfluxConnection, scope: Parameters, archive_id: str) -> int | None:
    """The time of our newest sign (ns); None when there is none. Raises NotFound where the database is missing, QueryError, StoreDenied."""
    statement = f'SELECT "since" FROM "archive" WHERE "id" = {quote_text(archive_id)} AND time > 0 ORDER BY time DESC LIMIT 1'  # noqa: S608 - quoted
    try:
        for series in connection.query(statement, scope):
            return integer(series["values"][0][0])
    except QueryError as error:
        if _MISSING in str(error):
            raise NotFound(str(error)) from None
        raise
    return None
