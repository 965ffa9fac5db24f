"""Deleting samples from an InfluxDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from archioc.core.errors import StoreDenied
from archioc.core.spool.encoding.escaping import old_tag_value, tag_value
from archioc.db.erasure import Erasure
from archioc.db.influx.answers import Series, integer, understood
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.influxql import MAX_TIME, of_channel, within

MEASUREMENTS = ("sample", "array", "alarm")
_SECOND = 1_000_000_000


def erase(
    erasure: Erasure,
    fields: Mapping[str, Sequence[str]],
    ask: Callable[[str], Iterable[Series]],
    delete: Callable[[str, Erasure], None] | None,
) -> Iterator[int]:
    """Count what each measurement has of it, and delete that. fields: of which each sample has one. delete: None: only count."""
    for measurement in MEASUREMENTS:
        with understood(f"deletion in {measurement}"):
            count = 0
            if counted := ", ".join(f"count({field})" for field in fields.get(measurement, ())):
                statement = f'SELECT {counted} FROM "{measurement}" WHERE {_condition(erasure)}'  # noqa: S608 - quoted
                count = sum(integer(one) for series in ask(statement) for one in series["values"][0][1:] if one is not None)
            if delete is not None:
                delete(measurement, erasure)
        yield count


def _condition(erasure: Erasure) -> str:
    """What is meant, in InfluxQL."""
    span = within(erasure.start_ns, erasure.end_ns)
    return span if erasure.channel is None else f"{of_channel(erasure.channel)} AND {span}"


def erase_in_one(connection: InfluxConnection, scope: Parameters, measurement: str, erasure: Erasure) -> None:
    """1.x. A DELETE there goes through all retention policies of the database."""
    for _ in connection.query(f'DELETE FROM "{measurement}" WHERE {_condition(erasure)}', scope, method="POST"):  # noqa: S608 - quoted
        pass


def erase_in_two(connection: InfluxConnection, bucket: Parameters, measurement: str, erasure: Erasure) -> None:
    """2.x. Both ends are part of the span."""
    predicates = [f'_measurement="{measurement}"']
    if erasure.channel is not None:
        tags = dict.fromkeys((tag_value(erasure.channel), old_tag_value(erasure.channel)))
        predicates = [f'{predicates[0]} AND pv="{_quoted(tag)}"' for tag in tags]
    for predicate in predicates:
        body = {"start": _rfc3339(erasure.start_ns), "stop": _rfc3339(erasure.end_ns), "predicate": predicate}
        connection.json("/api/v2/delete", "POST", bucket, body)


def refuse_in_three() -> None:
    """3.x Core has no way to delete."""
    raise StoreDenied("InfluxDB 3 cannot delete samples; let its retention do it")


def _quoted(tag: str) -> str:
    return tag.replace("\\", "\\\\").replace('"', '\\"')


def _rfc3339(t_ns: int) -> str:
    seconds, rest = divmod(min(max(t_ns, 0), MAX_TIME), _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
