"""Queries in InfluxQL, the one language of InfluxDB 1.x, 2.x and 3.x; the SDK has no builder for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, DataSourceRef

SOURCE = DataSourceRef(type_val="influxdb", uid="${datasource}")
"""The data source that is chosen at the top of a dashboard."""

TIME_SERIES: Literal["time_series"] = "time_series"
TABLE: Literal["table"] = "table"

OF_ARCHIVER = '"archiver" =~ /^${archiver:regex}$/ AND $timeFilter'
OF_PV = '"pv" =~ /^${pv:regex}$/ AND $timeFilter'
MATCHING = '"pv" =~ /(?i)${search:regex}/ AND $timeFilter'
"""`:regex` escapes every character of a name that means something in a regular expression, the slash included."""

KNOWN_STATE = "time >= ${__from}ms - 70m AND time <= ${__to}ms"
"""The range, and before it as much as holds the alarm state of each connected channel: it is written again hourly."""


@dataclass
class InfluxQuery(Dataquery):
    """A query of a panel. alias: name of its series, with `$tag_<tag>` and `$col`."""

    query: str
    alias: str = ""
    result_format: Literal["time_series", "table"] = TIME_SERIES
    ref_id: str = ""

    def to_json(self) -> dict[str, object]:
        """As a dashboard holds it."""
        return {
            "refId": self.ref_id,
            "datasource": SOURCE,
            "query": self.query,
            "rawQuery": True,
            "resultFormat": self.result_format,
            "alias": self.alias,
        }


@dataclass
class Target(Builder[Dataquery]):
    """A query as the panel builders take it."""

    query: InfluxQuery

    def build(self) -> Dataquery:
        """The query itself."""
        return self.query


@dataclass(frozen=True)
class InfluxAnnotation(Builder[AnnotationQuery]):
    """Marks on all graphs of a dashboard.

    Grafana names the columns of the answer `<measurement>.<column>`, looks for texts and tags by a part of
    the name and for the end by the whole of it, and leaves out rows in which any column is null
    (public/app/plugins/datasource/influxdb/response_parser.ts). text: name of a column. tags: names of some, with commas. end: column
    with the end in ms since 1970, then only rows that have one are shown, as regions.
    """

    name: str
    query: str
    color: str
    text: str
    tags: str = ""
    end: str = ""
    enable: bool = True

    def build(self) -> AnnotationQuery:
        """The annotation."""
        return _Annotation(self)


class _Annotation(AnnotationQuery):
    def __init__(self, made: InfluxAnnotation) -> None:
        super().__init__(name=made.name, datasource=SOURCE, enable=made.enable, icon_color=made.color)
        self._query = {
            "refId": "Anno",
            "query": made.query,
            "rawQuery": True,
            "fromAnnotations": True,
            "textEditor": True,
            "textColumn": made.text,
            "tagsColumn": made.tags,
            "timeEndColumn": made.end,
        }

    def to_json(self) -> dict[str, object]:
        """As a dashboard holds it."""
        # Grafana's own migration writes the query into the target and leaves the other fields of the model to the built-in source.
        return {**super().to_json(), "target": self._query, "builtIn": 0}
