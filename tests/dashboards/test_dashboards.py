"""Dashboards as they are shipped, and their queries on the demo's data."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from typing import Any, Final

import fleetspan_dashboards
import pytest
from fleetspan_dashboards.boards import BOARDS
from fleetspan_dashboards.grafana import ENVIRONMENTS, PROJECTS, as_json
from fleetspan_dashboards.macros import expand
from fleetspan_dashboards.panel import Board, Kind, Panel

from tests.collector_processor.running import Collector, command

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


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Collector, str]]:
    """A collector that holds a small fleet of the demo, and its run of most agents."""
    data = tmp_path_factory.mktemp("dashboards") / "data"
    done = command("--data", str(data), "demo", "--runs", "40", "--quiet")
    assert done.returncode == 0, done.stderr
    with Collector(data) as collector:
        (row,) = collector.sql(
            "SELECT RunId FROM otel.runs ORDER BY Agents DESC, RunId LIMIT 1"
        )
        yield collector, row["RunId"]


def run(collector: Collector, sql: str, **variables: list[str]) -> Any:
    """Run a query as the plugin sends it; return columns and rows."""
    now_s = int(time.time())
    query = expand(
        sql, from_s=now_s - 86_400, to_s=now_s + 60, interval_s=300, variables=variables
    )
    status, _, body = collector.request(
        "web", "POST", "/api/v1/sql?format=JSONCompact", query.encode()
    )
    assert status == 200, (query, body)
    return json.loads(body)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("board", "panel"),
    PANELS,
    ids=[f"{board.name}: {panel.title}" for board, panel in PANELS],
)
def test_a_panel_s_query_runs(
    demo: tuple[Collector, str], board: Board, panel: Panel
) -> None:
    """It has the columns of its kind, and rows unless there is a reason for none."""
    collector, run_id = demo
    for sql in filter(None, (panel.sql, panel.edges)):
        found = run(collector, sql, run=[run_id])
        names = [column["name"] for column in found["meta"]]
        types = [column["type"] for column in found["meta"]]
        assert found["rows"] > 0 or panel.may_be_empty
        if panel.kind is Kind.STAT:
            assert (found["rows"], len(names)) == (1, 1)
        if panel.kind is Kind.TIME_SERIES:
            assert names[0] == "time"
            assert types[0].startswith("DateTime")
            assert "String" in types[1]
            assert len(names) == 3
        if panel.kind is Kind.STATE_TIMELINE:
            assert names == ["time", "agent", "state"]
        if panel.kind is Kind.TRACE:
            assert {"traceID", "spanID", "parentSpanID", "startTime"} <= set(names)
    assert set(panel.links) | set(panel.units) <= set(names)


@pytest.mark.integration
def test_choices(demo: tuple[Collector, str]) -> None:
    """Environments and projects are those of the runs, and narrow what is shown."""
    collector, _ = demo
    environments = [row[0] for row in run(collector, ENVIRONMENTS)["data"]]
    assert "production" in environments
    assert run(collector, PROJECTS, environment=["production"])["rows"] > 0
    fleet = next(board for board in BOARDS if board.name == "fleet")
    runs = next(panel for panel in fleet.panels if panel.title == "Runs")
    every = int(run(collector, runs.sql)["data"][0][0])
    some = int(run(collector, runs.sql, environment=["production"])["data"][0][0])
    assert 0 < some < every
