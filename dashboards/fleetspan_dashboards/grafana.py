"""Dashboards as Grafana writes them; needs ``grafana-foundation-sdk``, for development only."""

from __future__ import annotations

import json
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    nodegraph,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from fleetspan_dashboards.panel import Board, Choice, Kind, Panel

_PLUGIN: Final = "grafana-clickhouse-datasource"
_SOURCE: Final = models.DataSourceRef(type_val=_PLUGIN, uid="${datasource}")
_FORMATS: Final = {Kind.TIME_SERIES: (0, "timeseries"), Kind.TRACE: (3, "traces")}
_TABLE: Final = (1, "table")
_BUILDERS: Final[dict[Kind, Any]] = {
    Kind.STAT: stat.Panel,
    Kind.TIME_SERIES: timeseries.Panel,
    Kind.TABLE: table.Panel,
    Kind.STATE_TIMELINE: statetimeline.Panel,
    Kind.BAR_GAUGE: bargauge.Panel,
    Kind.NODE_GRAPH: nodegraph.Panel,
    # There is no builder of its own for it.
    Kind.TRACE: lambda: dashboard.Panel().type(Kind.TRACE.value),
}

# One lane per agent: rows of one table become a series for each.
_LANES: Final = models.DataTransformerConfig(
    id_val="partitionByValues",
    options={"fields": ["agent"], "keepFields": False, "naming": {"asLabels": True}},
)
_STATES: Final = models.ValueMap(
    options={
        state: models.ValueMappingResult(color=colour, index=place)
        for place, (state, colour) in enumerate(
            {"at work": "blue", "error": "red", "abandoned": "orange"}.items()
        )
    }
)


class _Query(variants.Dataquery):
    """A query of the ClickHouse plugin."""

    def __init__(self, sql: str, kind: Kind, ref_id: str) -> None:
        self._sql = sql
        self._kind = kind
        self._ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        """Return it as the plugin keeps it."""
        number, name = _FORMATS.get(self._kind, _TABLE)
        return {
            "datasource": _SOURCE.to_json(),
            "editorType": "sql",
            "format": number,
            "queryType": name,
            "rawSql": self._sql,
            "refId": self._ref_id,
        }


class _Target:
    """What the builders take a query from."""

    def __init__(self, query: _Query) -> None:
        self._query = query

    def build(self) -> _Query:
        """Return the query."""
        return self._query


def as_json(board: Board) -> str:
    """Return a dashboard as Grafana's classic JSON, the same every time."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["fleetspan"])
        .timezone("browser")
        .refresh("30s")
        .time(f"now-{board.hours}h", "now")
        .link(
            dashboard.DashboardLink("Fleetspan")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["fleetspan"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(
            dashboard.DatasourceVariable("datasource")
            .label("Data source")
            .type(_PLUGIN)
        )
    )
    if board.run:
        run = dashboard.TextBoxVariable("run").label("Run").default_value("")
        built = built.with_variable(run)
    for choice in board.choices:
        built = built.with_variable(_variable(choice))
    for place, panel in enumerate(board.panels, 1):
        built = built.with_panel(_panel(panel).id(place))
    text = json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True)
    return f"{text}\n"


def _variable(choice: Choice) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(choice.name)
        .label(choice.label)
        .datasource(_SOURCE)
        .query(choice.sql)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _queries(panel: Panel) -> list[tuple[str, str]]:
    """Return the queries of a panel by their letters; a node graph knows its by name."""
    if panel.kind is Kind.NODE_GRAPH:
        return [("nodes", panel.sql), ("edges", panel.edges)]
    return [("A", panel.sql)]


def _panel(panel: Panel) -> Any:
    built = (
        _BUILDERS[panel.kind]()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .span(panel.width)
        .height(panel.height)
        .unit(panel.unit)
    )
    for ref_id, sql in _queries(panel):
        built = built.with_target(_Target(_Query(sql, panel.kind, ref_id)))
    if panel.thresholds:
        steps = [models.Threshold(value, colour) for colour, value in panel.thresholds]
        built = built.thresholds(
            dashboard.ThresholdsConfig()
            .mode(models.ThresholdsMode.ABSOLUTE)
            .steps(steps)
        )
    if panel.kind is Kind.STAT:
        built = built.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if panel.kind is Kind.BAR_GAUGE:
        # One bar a row, not one for all of them.
        built = built.reduce_options(common.ReduceDataOptions().values(True))
    if panel.stacked:
        built = built.fill_opacity(40).stacking(
            common.StackingConfig().mode(common_models.StackingMode.NORMAL)
        )
    if panel.kind is Kind.STATE_TIMELINE:
        built = built.with_transformation(_LANES).mappings([_STATES])
    for column, unit in panel.units.items():
        built = built.override_by_name(
            column, [models.DynamicConfigValue("unit", unit)]
        )
    for column, path in panel.links.items():
        link = {"title": "Open", "url": path}
        built = built.override_by_name(
            column, [models.DynamicConfigValue("links", [link])]
        )
    return built
