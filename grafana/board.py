"""What all dashboards have in common: identity, the choice of data source and archiver, links to each other."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from archioc.grafana.influxql import SOURCE

TAG = "archioc"
LISTED = 100
"""Channels that the search offers at most, so that it is as fast with 100 000 as with ten."""


def make(
    uid: str,
    title: str,
    description: str,
    panels: Sequence[Builder[Panel]],
    variables: Sequence[Builder[VariableModel]] = (),
    annotations: Sequence[Builder[AnnotationQuery]] = (),
    *,
    since: str = "now-6h",
    refresh: str = "30s",
) -> Dashboard:
    """A dashboard. since: start of the range at first."""
    board = builders.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly().timezone("browser")
    board.time(since, "now").refresh(refresh).tooltip(DashboardCursorSync.CROSSHAIR)
    others = builders.DashboardLink("ArchIOC").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)
    board.link(others.keep_time(True).include_vars(False).target_blank(False).icon("external link").tooltip("").url(""))
    board.with_variable(_data_source())
    for variable in variables:
        board.with_variable(variable)
    for annotation in annotations:
        board.annotation(annotation)
    for panel in panels:
        board.with_panel(panel)
    made = board.build()
    for number, one in enumerate(made.panels or [], 1):
        one.id_val = number
    return made


def archiver_choice() -> builders.QueryVariable:
    """Which archivers, by their names in the configuration."""
    found = builders.QueryVariable("archiver").label("Archiver").description("archiver.name in the configuration").datasource(SOURCE)
    found.query('SHOW TAG VALUES FROM "archiver" WITH KEY = "archiver"').refresh(VariableRefresh.ON_DASHBOARD_LOAD)
    return found.multi(True).include_all(True).sort(VariableSort.ALPHABETICAL_ASC).current(VariableOption(text="All", value="$__all"))


def search_box() -> builders.TextBoxVariable:
    """A part of the names of channels."""
    box = builders.TextBoxVariable("search").label("Search").description("Part of the name; case does not matter")
    return box.default_value("").current(VariableOption(text="", value=""))


def channel_choice() -> builders.QueryVariable:
    """Channels that the search finds. A whole name can be typed in as well."""
    found = builders.QueryVariable("pv").label("Channel").datasource(SOURCE)
    found.description(f"The first {LISTED} that the search finds; any name can be typed in")
    found.query(f'SHOW TAG VALUES FROM "sample", "array" WITH KEY = "pv" WHERE "pv" =~ /(?i)${{search:regex}}/ LIMIT {LISTED}')
    return found.refresh(VariableRefresh.ON_DASHBOARD_LOAD).multi(True).include_all(True).allow_custom_value(True)


def _data_source() -> builders.DatasourceVariable:
    choice = builders.DatasourceVariable("datasource").label("Store").type("influxdb")
    return choice.description("A data source of type InfluxDB with InfluxQL").current(VariableOption(text="ArchIOC", value="archioc"))
