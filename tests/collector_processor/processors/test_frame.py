"""From canonical rows to findings that can be read: what the frame promises."""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest

from tests.collector_processor.fleet import (
    MS,
    START_NS,
    logs,
    start_event,
    tool,
    traces,
)
from tests.collector_processor.processors.analysing import Analysing, analysing
from tests.collector_processor.processors.looping import S, looping, run_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[Analysing]:
    """A store that all tests of this module share; each has traces of its own."""
    with analysing(tmp_path_factory.mktemp("frame")) as opened:
        yield opened


class TestAnalysis:
    """One row per run, one per agent, and findings."""

    def test_what_is_written(self, made: Analysing) -> None:
        """A run that has ended has an analysis whose ledger adds up, and rollups."""
        made.take(traces(looping(0x11)))
        (row,) = made.rows("run_analyses", run_of(0x11))
        assert row["WallSeconds"] == 24.0
        assert (row["ModelSeconds"], row["ToolSeconds"]) == (12.0, 12.0)
        parts = ("Permission", "Queue", "Backoff", "Subagent", "Gap")
        assert [row[f"{part}Seconds"] for part in parts] == [0.0] * 5
        assert len(row["PathStart"]) == 12
        assert row["PathCategory"][:2] == ["model", "tool"]
        assert (row["RunOpen"], row["SetAside"]) == (0, [])
        (rollup,) = made.rows("agent_rollups", run_of(0x11))
        assert (rollup["LlmCalls"], rollup["TreeToolCalls"]) == (6, 6)
        assert rollup["PathSeconds"] == 24.0

    def test_a_finding_names_its_evidence(self, made: Analysing) -> None:
        """A finding has spans, what it costs, and what to do."""
        made.take(traces(looping(0x12)))
        (found,) = made.findings("no_progress_loop", run_of(0x12))
        assert f"{41:016x}" in found["SpanIds"]
        assert found["AgentName"] == "agent-1"
        assert found["Seconds"] > 0
        assert found["Usd"] > 0
        assert found["What"]
        assert found["Advice"]
        assert found["TraceId"] == f"{0x12:032x}"

    def test_again_changes_nothing(self, made: Analysing) -> None:
        """Analysing a run again leaves every row as it was, the time of finding too."""
        made.take(traces(looping(0x13)))
        tables = ("findings", "agent_rollups", "run_analyses")
        before = {table: made.rows(table, run_of(0x13)) for table in tables}
        (row,) = before["run_analyses"]
        bucket = f"toUnixTimestamp(toDateTime('{row['Bucket']}'))"
        (hour,) = made.store.rows("run_analyses", run_of(0x13), f"{bucket} AS hour")
        made.dirty.mark([("", row["RunId"], int(hour["hour"]))])
        made.analyse()
        after = {table: made.rows(table, run_of(0x13)) for table in tables}
        for rows in (*before["run_analyses"], *after["run_analyses"]):
            rows.pop("AnalysedAt")
        assert after == before

    def test_late_spans(self, made: Analysing) -> None:
        """A span that comes after the run was analysed has it analysed again."""
        spans = looping(0x14)
        made.take(traces(spans[:-6]))
        (early,) = made.findings("no_progress_loop", run_of(0x14))
        made.take(traces(spans[-6:]))
        (late,) = made.findings("no_progress_loop", run_of(0x14))
        assert late["FindingId"] == early["FindingId"]
        assert late["FoundAt"] == early["FoundAt"]
        assert len(late["ToolCallIds"]) > len(early["ToolCallIds"])

    def test_what_is_no_longer_said(self, made: Analysing) -> None:
        """A finding that late spans disprove is taken back."""
        spans = looping(0x15, 3)
        made.take(traces(spans))
        assert made.findings("no_progress_loop", run_of(0x15))
        # The truth arrives late: each result was another one.
        other = [
            tool(
                0x15,
                40 + number,
                1,
                at_ms=number * 4 * S + 2 * S,
                lasts_ms=2 * S,
                fleetspan__tool__arguments_hash="aaaa",
                fleetspan__tool__result_hash=f"another {number}, and a longer one",
                fleetspan__tool__result_bytes=100 + number,
            )
            for number in range(3)
        ]
        made.take(traces(other))
        assert made.findings("no_progress_loop", run_of(0x15)) == []

    def test_nobody_is_forgotten(self, made: Analysing) -> None:
        """What was derived and never marked, as by a killed collector, is found."""
        made.store.take(traces(looping(0x16)))
        assert len(made.dirty) == 0
        assert made.rows("run_analyses", run_of(0x16)) == []
        made.analyse()
        assert len(made.rows("run_analyses", run_of(0x16))) == 1

    def test_tenants(self, made: Analysing) -> None:
        """The same run of two tenants is two runs."""
        made.take(traces(looping(0x17)), tenant="one")
        made.take(traces(looping(0x17)), tenant="two")
        rows = made.rows("run_analyses", run_of(0x17))
        assert [row["Tenant"] for row in rows] == ["one", "two"]


class TestOpenRuns:
    """Runs that still go on."""

    def test_a_loop_at_its_third_repeat(self, made: Analysing) -> None:
        """A loop is found while its agent still runs."""
        now_ms = (time.time_ns() - START_NS) // MS
        spans = looping(0x21, 4)[1:]
        for span in spans:
            lasts = span.end_time_unix_nano - span.start_time_unix_nano
            span.start_time_unix_nano += now_ms * MS - 60 * S * MS
            span.end_time_unix_nano = span.start_time_unix_nano + lasts
        begun = start_event(0x21, 1, "agent", at_ms=now_ms - 60 * S)
        made.take(logs([begun]), traces(spans))
        (found,) = made.findings("no_progress_loop", run_of(0x21))
        assert found["RunOpen"] == 1
        (row,) = made.rows("run_analyses", run_of(0x21))
        assert (row["RunOpen"], row["Effort"]) == (1, None)
