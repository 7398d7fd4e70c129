"""A collector's own metrics, as rows of its store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.collector_processor.end_to_end.test_reading import a_run
from tests.collector_processor.running import Collector, rows_of
from tests.collector_processor.server_store import embedded_only


@pytest.mark.integration
def test_they_are_written_now_and_then(tmp_path: Path) -> None:
    """Every value of ``/metrics`` but buckets, under its name and with its labels."""
    variables = {"FLEETSPAN_OWN_METRICS_S": "0.3"}
    with Collector(tmp_path / "data", variables=variables) as collector:
        collector.post("traces", a_run(1))
        collector.settle()
        deadline = time.monotonic() + 30
        rows: dict[str, float] = {}
        while rows.get("traces", 0) == 0 and time.monotonic() < deadline:
            found = collector.sql(
                "SELECT Attributes['signal'] AS signal, max(Value) AS value,"
                " any(IsMonotonic) AS grows, any(AggregationTemporality) AS temporality,"
                " any(ResourceAttributes['service.instance.id']) AS instance"
                " FROM otel.otel_metrics_sum"
                " WHERE ServiceName = 'fleetspan-collector'"
                " AND MetricName = 'fleetspan_ingest_inserted_rows_total'"
                " GROUP BY signal"
            )
            rows = {row["signal"]: row["value"] for row in found}
            time.sleep(0.2)
        assert rows["traces"] > 0
        assert {(row["grows"], row["temporality"]) for row in found} == {(True, 2)}
        assert all(str(collector.process.pid) in row["instance"] for row in found)
        assert collector.count("otel_metrics_sum", "Tenant != ''") == 0
        shown = collector.request("web", "GET", "/metrics")[2].decode()
        names = {
            line.partition("{")[0].partition(" ")[0]
            for line in shown.splitlines()
            if not line.startswith("#")
        }
        stored = {
            row["MetricName"]
            for table in ("sum", "gauge")
            for row in collector.sql(
                f"SELECT DISTINCT MetricName FROM otel.otel_metrics_{table}"
            )
        }
    assert stored == {n for n in names if not n.endswith(("_bucket", "_created"))}


@embedded_only
@pytest.mark.integration
@pytest.mark.parametrize(("every", "rows"), [("60", True), ("0", False)])
def test_a_short_life_is_told_of_unless_not_wanted(
    tmp_path: Path, every: str, rows: bool
) -> None:
    """Once at the end, after everything is stored; not at all with 0."""
    data = tmp_path / "data"
    with Collector(data, variables={"FLEETSPAN_OWN_METRICS_S": every}) as collector:
        collector.post("traces", a_run(1))
        assert collector.stop() == 0
    (found,) = rows_of(
        data,
        "SELECT toUInt8(count()) AS rows, sum(Value) AS value FROM otel.otel_metrics_sum"
        " WHERE MetricName = 'fleetspan_ingest_inserted_rows_total'",
    )
    assert (found["rows"] > 0, found["value"] > 0) == (rows, rows)
