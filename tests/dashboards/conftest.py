"""A store with a small fleet, sessions of Claude Code, and a collector's own metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest
from fleetspan_dashboards.macros import expand

from tests.collector_processor.claude_code.captures import (
    NAMES,
    SMALLER,
    deliveries,
    send,
)
from tests.collector_processor.running import Collector, command, poll


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A running collector and what is in its store.

    Attributes:
        run_id: The run of most agents.
        first_s: When the oldest session of Claude Code began, Unix seconds.
    """

    collector: Collector
    run_id: str
    first_s: int

    def ask(self, sql: str, hours: float = 24, **variables: list[str]) -> Any:
        """Run a query as Grafana's plugin sends it; return columns and rows."""
        now_s = int(time.time())
        query = expand(
            sql,
            from_s=now_s - int(hours * 3600),
            to_s=now_s + 60,
            interval_s=max(int(hours * 12), 60),
            variables={"run": [self.run_id]} | variables,
        )
        status, _, body = self.collector.request(
            "web", "POST", "/api/v1/sql?format=JSONCompact", query.encode()
        )
        assert status == 200, (query, body)
        return json.loads(body)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Generator[Fleet]:
    """Runs of the demo, and the captured sessions of Claude Code, however old they are."""
    data = tmp_path_factory.mktemp("dashboards") / "data"
    kept = {
        f"FLEETSPAN_RETENTION_{what}_DAYS": "0"
        for what in ("TRACES", "LOGS", "METRICS", "RUNS")
    }
    arguments = ("--data", str(data), "demo", "--runs", "40", "--quiet")
    done = command(*arguments, **kept)
    assert done.returncode == 0, done.stderr
    variables = kept | {"FLEETSPAN_OWN_METRICS_S": "1"}
    with Collector(data, variables=variables) as collector:
        for name in (*NAMES, *SMALLER):
            send(collector, deliveries(name))
        collector.settle()
        poll(
            lambda: (
                collector.count(
                    "otel_metrics_gauge",
                    "MetricName = 'fleetspan_ingest_lag_seconds' AND TimeUnix > now() - 5",
                )
                > 0
            ),
            "a sample of its own metrics",
        )
        (row,) = collector.sql(
            "SELECT argMax(RunId, (Agents, RunId)) AS run,"
            " toUInt32(minIf(StartTime, Service = 'claude-code')) AS first"
            " FROM otel.runs"
        )
        yield Fleet(
            collector=collector, run_id=str(row["run"]), first_s=int(row["first"])
        )
