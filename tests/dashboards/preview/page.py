"""A dashboard as one HTML page, on Grafana's grid of 24 columns."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, Final

from fleetspan_dashboards.panel import Board, Kind, Panel

from tests.dashboards.preview import charts, tables
from tests.dashboards.preview.values import shown

Ask = Callable[[str], Any]
"""Runs a query; returns the document of ``JSONCompact``."""

_STYLE: Final = """
body { margin: 0; padding: 12px; background: #f4f5f5; color: #24292e;
       font: 13px/1.35 system-ui, sans-serif }
h1 { font-size: 18px; margin: 0 0 2px } .note { color: #6a737d; margin: 0 0 10px }
.grid { display: grid; grid-template-columns: repeat(24, 1fr); gap: 8px }
.panel { background: #fff; border: 1px solid #e1e4e8; border-radius: 3px; padding: 6px 8px;
         overflow: hidden; display: flex; flex-direction: column; min-width: 0 }
.panel h2 { font-size: 13px; margin: 0 0 4px; font-weight: 600 }
.body { flex: 1; overflow: hidden; min-height: 0 }
.stat { font-size: 30px; font-weight: 600; text-align: center; padding-top: 6px }
.empty { color: #6a737d; text-align: center; padding-top: 20px }
table { border-collapse: collapse; width: 100%; font-size: 12px }
th, td { text-align: left; padding: 2px 6px; border-bottom: 1px solid #eaecef;
         white-space: nowrap; max-width: 420px; overflow: hidden; text-overflow: ellipsis }
td.number, th.number { text-align: right }
svg { width: 100%; height: 100%; display: block } svg text { font-size: 10px; fill: #57606a }
"""
_ROW_PX: Final = 34


def as_html(board: Board, ask: Ask) -> str:
    """Return a page that shows a dashboard over what a store answers."""
    panels = "".join(_panel(panel, ask) for panel in board.panels)
    title = html.escape(board.title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        f'<p class="note">{html.escape(board.description)} (A preview with real results; '
        f'Grafana draws it its own way.)</p><div class="grid">{panels}</div></html>'
    )


def _panel(panel: Panel, ask: Ask) -> str:
    place = (
        f"grid-column: span {panel.width}; height: {panel.height * _ROW_PX}px;"
        " box-sizing: border-box"
    )
    hint = html.escape(panel.description, quote=True)
    return (
        f'<section class="panel" style="{place}" title="{hint}">'
        f'<h2>{html.escape(panel.title)}</h2><div class="body">{_body(panel, ask)}</div>'
        "</section>"
    )


def _body(panel: Panel, ask: Ask) -> str:
    found = ask(panel.sql)
    rows: list[list[Any]] = found["data"]
    names = [column["name"] for column in found["meta"]]
    if not rows:
        return f'<p class="empty">No data ({html.escape(panel.may_be_empty)})</p>'
    match panel.kind:
        case Kind.STAT:
            colour = _colour(panel, rows[0][0])
            value = html.escape(shown(rows[0][0], panel.unit))
            return f'<div class="stat" style="color: {colour}">{value}</div>'
        case Kind.TIME_SERIES:
            return charts.series(rows, panel.unit, stacked=panel.stacked)
        case Kind.STATE_TIMELINE:
            return charts.timeline(rows)
        case Kind.BAR_GAUGE:
            return charts.bars(rows, panel.unit)
        case Kind.NODE_GRAPH:
            return charts.graph(names, rows, ask(panel.edges))
        case Kind.TRACE:
            return charts.waterfall(names, rows)
        case Kind.TABLE:
            return tables.table(names, rows, panel.units)


def _colour(panel: Panel, value: Any) -> str:
    colour = "#24292e"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return colour
    for name, least in panel.thresholds:
        if least is None or number >= least:
            colour = {"green": "#1a7f37", "orange": "#bc4c00", "red": "#cf222e"}[name]
    return colour
