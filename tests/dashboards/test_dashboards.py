"""Dashboards as they are shipped, and their queries on the demo's data."""

from __future__ import annotations

import re
import time
from typing import Final

import fleetspan_dashboards
import pytest
from fleetspan_dashboards.boards import BOARDS
from fleetspan_dashboards.grafana import as_json
from fleetspan_dashboards.panel import Board, Kind, Panel
from fleetspan_dashboards.queries import AGENT, ENVIRONMENT, MODEL, PROJECT

from tests.dashboards.conftest import Fleet

PANELS: Final = [(board, panel) for board in BOARDS for panel in board.panels]
MOST_PANELS: Final = 20


@pytest.mark.parametrize("board", BOARDS, ids=[board.name for board in BOARDS])
def test_shipped_as_written(board: Board) -> None:
    """The JSON is that of the Python, byte for byte; every panel says what it is."""
    assert fleetspan_dashboards.read(board.name) == as_json(board)
    assert len(board.panels) <= MOST_PANELS
    assert board.uid == f"fleetspan-{board.name}"
    assert all(panel.description for panel in board.panels)


def test_all_are_shipped() -> None:
    """No file without its module, no module without its file."""
    assert fleetspan_dashboards.names() == sorted(board.name for board in BOARDS)


def test_links_lead_somewhere() -> None:
    """To a dashboard that is there."""
    uids = {board.uid for board in BOARDS}
    for _, panel in PANELS:
        for path in panel.links.values():
            assert path.removeprefix("/d/").partition("?")[0] in uids


@pytest.mark.integration
@pytest.mark.parametrize(
    ("board", "panel"),
    PANELS,
    ids=[f"{board.name}: {panel.title}" for board, panel in PANELS],
)
def test_a_panel_s_query_runs(fleet: Fleet, board: Board, panel: Panel) -> None:
    """It has the columns of its kind, and rows unless there is a reason for none."""
    # The captured sessions of Claude Code are as old as they are.
    hours = float(board.hours)
    if board.name == "claude-code":
        hours = (time.time() - fleet.first_s) / 3600 + 1
    for sql in filter(None, (panel.sql, panel.edges)):
        found = fleet.ask(sql, hours)
        names = [column["name"] for column in found["meta"]]
        types = [column["type"] for column in found["meta"]]
        assert found["rows"] > 0 or panel.may_be_empty
        if panel.kind is Kind.STAT:
            assert (found["rows"], len(names)) == (1, 1)
            assert found["data"][0][0] is not None
        if panel.kind is Kind.TIME_SERIES:
            assert names[0] == "time"
            assert types[0].startswith("DateTime")
            assert "String" in types[1]
            assert len(names) == 3
            assert "Int" in types[2] or "Float" in types[2]
        if panel.kind is Kind.STATE_TIMELINE:
            assert names == ["time", "agent", "state"]
        if panel.kind is Kind.BAR_GAUGE:
            assert "String" in types[0]
            assert len(names) == 2
        if panel.kind is Kind.TRACE:
            assert {"traceID", "spanID", "parentSpanID", "startTime"} <= set(names)
    assert set(panel.links) | set(panel.units) <= set(names)


@pytest.mark.integration
def test_choices(fleet: Fleet) -> None:
    """Their values are those of the rows, each among the ones chosen before it."""
    environments = [row[0] for row in fleet.ask(ENVIRONMENT.sql)["data"]]
    assert "production" in environments
    for choice in (PROJECT, AGENT, MODEL):
        every = fleet.ask(choice.sql)["rows"]
        some = fleet.ask(choice.sql, environment=["production"])["rows"]
        assert 0 < some <= every
    runs = next(panel for _, panel in PANELS if panel.title == "Runs")
    every = int(fleet.ask(runs.sql)["data"][0][0])
    some = int(fleet.ask(runs.sql, environment=["production"])["data"][0][0])
    assert 0 < some < every


@pytest.mark.parametrize("board", BOARDS, ids=[board.name for board in BOARDS])
def test_choices_are_those_that_the_queries_use(board: Board) -> None:
    """No choice without an effect, no query with a choice that is not offered."""
    used = {
        name
        for panel in board.panels
        for name in re.findall(r"\$\{(\w+):", panel.sql + panel.edges)
    }
    offered = {choice.name for choice in board.choices} | ({"run"} & used)
    assert used == offered
