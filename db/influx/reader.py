"""Queries of an InfluxDB: InfluxQL over /query, which 1.x, 2.x and 3.x understand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from archioc.core.audit import AuditRecord
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import ChannelMeta
from archioc.core.spool.encoding.escaping import channel_of_tag
from archioc.core.spool.encoding.line_fields import AUDIT_TEXTS, LIMITS
from archioc.core.spool.encoding.plain_text import original
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import Bins, Grid, Within, bins_of
from archioc.db.influx.answers import NumberTooLarge, Series, integer, text, understood
from archioc.db.influx.bins import InfluxBins
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.events import InfluxEvents
from archioc.db.influx.influxql import quote_name, select, time_of, within
from archioc.db.influx.samples import Columns, InfluxSamples
from archioc.db.sample_columns import SampleColumns
from archioc.db.store import MAX_EVENTS, bounded, glob_filter

_META_FIELDS = ", ".join(("dbr", "count", "host", "units", "labels", "precision", *LIMITS))
_ALARM_FIELDS = ("severity", "status")


class InfluxReader:
    """The reading half of an InfluxDB database."""

    def __init__(self, connection: InfluxConnection, database: str, policy: str) -> None:
        self._connection = connection
        self._database = database
        self._scope: Parameters = []
        self.use_policy(policy)
        self._samples = InfluxSamples(connection, self._scope)
        self._events = InfluxEvents(connection, self._scope)

    def use_policy(self, policy: str) -> None:
        """Read and write with this retention policy; empty: the default one of the server."""
        self.policy = policy
        self._scope[:] = [("db", self._database)] + ([("rp", policy)] if policy else [])

    @property
    def place(self) -> str:
        """The database, with the retention policy where one is named."""
        return f"{self._database}/{self.policy}" if self.policy else self._database

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, after the last one before if wanted."""
        if with_previous and (previous := self.last_before(channel, start_ns)) is not None:
            yield previous
        if start_ns <= end_ns:
            with understood(f"samples of {channel}"):
                yield from self._samples.stored(channel, start_ns, end_ns)

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns`."""
        return self.at(channel, t_ns - 1)

    def at(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The sample in force at a time."""
        with understood(f"samples of {channel}"):
            time_ns = self._time_in_force(channel, t_ns)
            return None if time_ns is None else next(self._samples.stored(channel, time_ns, time_ns), None)

    def bins(self, channel: str, start_ns: int, end_ns: int, count: int, *, times: bool = True, within: Within | None = None) -> Bins:
        """Statistics of the numbers with start <= time < end in bins, made by the server."""
        grid = Grid.of(start_ns, end_ns, count)
        with understood(f"bins of {channel}"):
            return self._bins(channel, grid, within, times=times)

    def _bins(self, channel: str, grid: Grid, within: Within | None, *, times: bool) -> Bins:
        # Samples that arrive while the server works are later than this one, and do not matter.
        begin_ns, upto_ns = grid.part(within)
        last = self._time_in_force(channel, upto_ns - 1)
        if last is None or last < begin_ns:
            return Bins.empty(grid.starts)
        try:
            found = InfluxBins(channel, grid, begin_ns, last).ask(self._samples, times=times)
        except NumberTooLarge:
            found = None
        return bins_of(grid, self._samples.stored(channel, begin_ns, last)) if found is None else found

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        """Alarm states with start <= time <= end in chunks, after the one in force at the start if wanted."""
        fields = ", ".join(_ALARM_FIELDS)
        conditions = [f"time < {time_of(start_ns)} ORDER BY time DESC LIMIT 1"] if with_previous else []
        if start_ns <= end_ns:
            conditions.append(f"{within(start_ns, end_ns)} ORDER BY time")
        with understood(f"alarms of {channel}"):
            for condition in conditions:
                yield from map(_alarms, self._samples.numbers(select(fields, "alarm", channel, condition), *_ALARM_FIELDS))

    def names(self, pattern: str = "*") -> Iterator[str]:
        """Channels that have samples or alarms."""
        # Without a time 3.x looks at the last day only.
        found = self._series('SHOW TAG VALUES FROM "sample", "array", "alarm" WITH KEY = "pv" WHERE time > 0')
        with understood("names of channels"):
            names = {channel_of_tag(text(value)) for series in found for _, value in series["values"]}
        return filter(glob_filter(pattern), sorted(names))

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments in the range and gaps that overlap with it; of several archivers only what they all missed is a gap."""
        with understood(f"events of {channel}"):
            return self._events.of(channel, start_ns, end_ns)

    def archivers(self, channel: str) -> list[str]:
        """The archivers that have told of a channel, sorted."""
        with understood(f"archivers of {channel}"):
            return self._events.archivers(channel)

    def meta(self, channel: str, at_ns: int) -> ChannelMeta | None:
        """What the IOC told last at or before a time."""
        statement = select(_META_FIELDS, "meta", channel, f"time <= {time_of(at_ns)} ORDER BY time DESC LIMIT 1")
        with understood(f"metadata of {channel}"):
            for series in self._series(statement):
                for values in series["values"]:
                    return _meta(channel, dict(zip(series["columns"], values, strict=True)))
        return None

    def audit(self, start_ns: int, end_ns: int) -> list[AuditRecord]:
        """Puts by clients with start <= time <= end."""
        columns = ", ".join(map(quote_name, ("pv", *AUDIT_TEXTS)))
        statement = f'SELECT {columns} FROM "audit" WHERE {within(start_ns, end_ns)} ORDER BY time LIMIT {MAX_EVENTS + 1}'  # noqa: S608 - constants and numbers
        with understood("audit"):
            found = [_audit(values) for series in self._series(statement) for values in series["values"]]
        return bounded("audit", sorted(found, key=lambda record: (record.time_ns, record.pv)))

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _time_in_force(self, channel: str, t_ns: int) -> int | None:
        """The time of the last sample with time <= `t_ns`."""
        condition = f"time <= {time_of(t_ns)} ORDER BY time DESC LIMIT 1"
        fields_of = self._samples.fields_of_each_sample()
        statements = (select(", ".join(fields), measurement, channel, condition) for measurement, fields in fields_of.items())
        return max((integer(series["values"][0][0]) for statement in statements for series in self._series(statement)), default=None)

    def _series(self, statement: str) -> Iterator[Series]:
        return self._connection.query(statement, self._scope)


def _alarms(columns: Columns) -> AlarmColumns:
    return AlarmColumns(np.array(columns["time"], np.int64), np.array(columns["severity"], np.uint8), np.array(columns["status"], np.uint8))


def _meta(channel: str, fields: dict[str, Any]) -> ChannelMeta:
    limits = {name: float(fields[name]) for name in LIMITS if fields[name] is not None}
    return ChannelMeta(
        channel=channel,
        time_ns=integer(fields["time"]),
        dbr=integer(fields["dbr"]),
        count=integer(fields["count"]),
        host=original(text(fields["host"] or "")),
        units=original(text(fields["units"] or "")),
        precision=None if fields["precision"] is None else integer(fields["precision"]),
        labels=tuple(text(label) for label in orjson.loads(original(fields["labels"] or "[]"))),
        **limits,
    )


def _audit(values: list[Any]) -> AuditRecord:
    time_ns, pv, *texts = values
    told = {name: original(text(value or "")) for name, value in zip(AUDIT_TEXTS, texts, strict=True)}
    return AuditRecord(time_ns=integer(time_ns), pv=channel_of_tag(text(pv)), **told)
