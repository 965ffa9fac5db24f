"""Queries over the measurement `archiver`, which costs the same however many channels there are."""

from __future__ import annotations

from archioc.grafana.influxql import OF_ARCHIVER, TABLE, InfluxQuery

EVERY_ARCHIVER = "$timeFilter"


def newest(expression: str, where: str = OF_ARCHIVER) -> InfluxQuery:
    """One number for each archiver: an expression of selectors, such as `last("channels")`."""
    return InfluxQuery(f'SELECT {expression} FROM "archiver" WHERE {where} GROUP BY "archiver"', "$tag_archiver")


def over_time(*fields: str, how: str = "mean", where: str = OF_ARCHIVER) -> InfluxQuery:
    """Fields over time, a line for each and each archiver; a hole where an archiver was silent."""
    columns = ", ".join(f'{how}("{field}") AS "{field}"' for field in fields)
    return InfluxQuery(
        f'SELECT {columns} FROM "archiver" WHERE {where} GROUP BY time($__interval), "archiver" fill(null)', "$tag_archiver $col"
    )


def growth(*counters: str) -> InfluxQuery:
    """How much counters have grown in each bin; a restart at zero is no growth."""
    columns = ", ".join(f'non_negative_difference(last("{counter}")) AS "{counter}"' for counter in counters)
    return InfluxQuery(
        f'SELECT {columns} FROM "archiver" WHERE {OF_ARCHIVER} GROUP BY time($__interval), "archiver" fill(none)', "$tag_archiver $col"
    )


def grown(counter: str, where: str = OF_ARCHIVER) -> InfluxQuery:
    """How much a counter has grown within the range, for each archiver."""
    steps = f'SELECT non_negative_difference(last("{counter}")) AS "step" FROM "archiver" WHERE {where}'
    return InfluxQuery(
        f'SELECT sum("step") AS "{counter}" FROM ({steps} GROUP BY time($__interval), "archiver" fill(none)) GROUP BY "archiver"',
        "$tag_archiver",
    )


def newest_of_all(*fields: str) -> InfluxQuery:
    """A table: the newest of several fields, a line for each archiver."""
    columns = ", ".join(f'last("{field}") AS "{field}"' for field in fields)
    return InfluxQuery(f'SELECT {columns} FROM "archiver" WHERE {OF_ARCHIVER} GROUP BY "archiver"', result_format=TABLE)
