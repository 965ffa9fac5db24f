"""Spool files of line protocol, and what stores and servers of these tests are made by."""

from __future__ import annotations

import time
from collections.abc import Callable

from archioc.core.spool.encoding.compression import compress, decompress
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolFile
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file
from tests.processes.influx_double import InfluxDouble

GENERATIONS = ["1.6.7~rc0", "1.8.10", "v2.7.12", "3.9.0"]

DAY_S = 86_400

Double = Callable[..., InfluxDouble]

Opened = Callable[..., InfluxDatabase]


def a_file(points: list[Point], replace: dict[bytes, bytes] | None = None, *, committed_ns: int | None = None) -> SpoolFile:
    """A spool file of these; texts of its line protocol are replaced, to make lines that a server refuses."""
    made = spool_file(LineEncoder("influxdb"), make_batch(points))
    body = decompress(made.payload)
    for text, other in (replace or {}).items():
        assert body.count(text) == 1
        body = body.replace(text, other)
    return SpoolFile(1, committed_ns or time.time_ns(), made.destination, made.counts, compress(body))


def one_sample() -> SpoolFile:
    return a_file([Point("A", time.time_ns(), 2.0)])
