"""The kinds of panels that the dashboards are made of, each with a description, a unit and a word for no data."""

from __future__ import annotations

from typing import TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    TableCellHeight,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, ThresholdsConfig, ValueMap

from archioc.grafana.influxql import SOURCE, TABLE, InfluxQuery, Target
from archioc.grafana.palette import limits

MAX_DATA_POINTS = 1000
"""Points that Grafana asks for in a graph, however wide the screen is."""

HEALTH_INTERVAL = "30s"
"""Shortest bin of health, which comes every 10 s: so no bin is empty while the archiver is well."""

EXPLORER_LINK = "/d/archioc-explorer/?var-datasource=${datasource}&var-pv=${__value.raw:percentencode}&${__url_time_range}"

_Panel = TypeVar("_Panel", stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


class FixedThresholds(Builder[ThresholdsConfig]):
    """Thresholds that are ready, for builders that want a builder."""

    def __init__(self, thresholds: ThresholdsConfig) -> None:
        self._thresholds = thresholds

    def build(self) -> ThresholdsConfig:
        """The thresholds."""
        return self._thresholds


def big_number(
    title: str,
    description: str,
    query: InfluxQuery,
    unit: str = "short",
    *,
    thresholds: ThresholdsConfig | None = None,
    mapping: ValueMap | None = None,
    size: tuple[int, int] = (4, 4),
    no_value: str = "no data",
) -> stat.Panel:
    """The newest value of each series, large. no_value: what is shown where nothing is found."""
    panel = _panel(stat.Panel(), title, description, [query], unit, size)
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE).text_mode(BigValueTextMode.AUTO)
    panel.thresholds(FixedThresholds(thresholds or limits()))
    panel.no_value(no_value)
    return panel.mappings([mapping]) if mapping else panel


def graph(
    title: str,
    description: str,
    queries: list[InfluxQuery],
    unit: str = "short",
    *,
    interval: str = HEALTH_INTERVAL,
    size: tuple[int, int] = (12, 8),
) -> timeseries.Panel:
    """Lines over time. interval: shortest bin."""
    panel = _panel(timeseries.Panel(), title, description, queries, unit, size)
    panel.max_data_points(MAX_DATA_POINTS).interval(interval)
    panel.line_width(1).fill_opacity(0).show_points(VisibilityMode.AUTO).span_nulls(False)
    legend = common_builders.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
    return panel.legend(legend)


def strip(title: str, description: str, query: InfluxQuery, mapping: ValueMap, *, size: tuple[int, int] = (24, 5)) -> statetimeline.Panel:
    """States over time, one line for each series."""
    panel = _panel(statetimeline.Panel(), title, description, [query], "none", size)
    panel.max_data_points(MAX_DATA_POINTS).interval("10s")
    panel.mappings([mapping]).thresholds(FixedThresholds(limits())).merge_values(True).show_value(VisibilityMode.AUTO).per_page(20)
    return panel


def rows(
    title: str, description: str, query: InfluxQuery, *, columns: dict[str, list[DynamicConfigValue]], size: tuple[int, int] = (12, 9)
) -> table.Panel:
    """A table. columns: how some of them are shown."""
    query.result_format = TABLE
    panel = _panel(table.Panel(), title, description, [query], "none", size).cell_height(TableCellHeight.SM).filterable(True)
    for name, properties in columns.items():
        panel.override_by_name(name, properties)
    return panel


def channel_link() -> list[DynamicConfigValue]:
    """A column of channel names that leads to the explorer."""
    return [DynamicConfigValue("links", [{"title": "Show ${__value.raw}", "url": EXPLORER_LINK}]), DynamicConfigValue("custom.width", 320)]


def as_words(mapping: ValueMap) -> list[DynamicConfigValue]:
    """A column of numbers that stand for states."""
    return [
        DynamicConfigValue("mappings", [mapping]),
        DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        DynamicConfigValue("custom.width", 110),
    ]


def in_unit(unit: str) -> list[DynamicConfigValue]:
    """A column of numbers in this unit of Grafana."""
    return [DynamicConfigValue("unit", unit)]


def _panel(panel: _Panel, title: str, description: str, queries: list[InfluxQuery], unit: str, size: tuple[int, int]) -> _Panel:
    panel.title(title).description(description).datasource(SOURCE).unit(unit).no_value("no data").span(size[0]).height(size[1])
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        query.ref_id = letter
        panel.with_target(Target(query))
    return panel
