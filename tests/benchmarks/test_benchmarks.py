"""Every part of the benchmarks still runs, in its smallest size.

Nothing here looks at how long anything took.
"""

from __future__ import annotations

import importlib
import json
import time
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="the bench group is not installed")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.benchmarks import _report, _workload, throughput
from tests.benchmarks.__main__ import PARTS, main
from tests.benchmarks._scale import TINY
from tests.benchmarks.panels import panels
from tests.collector_processor.rotel_agent import rotel_program


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize(
    ("part", "rows"),
    [
        ("freshness", ["raw", "runs"]),
        (
            "redaction",
            [
                *("OTLP, clean", "transcripts, clean"),
                *("OTLP, a secret in 1 of 100 spans", "OTLP, a secret in each span"),
                *("one request of almost-secrets", "one request of secrets"),
                "SDK, captured text, clean",
            ],
        ),
        ("idle", ["idle", "trickle"]),
        (
            "hook_start",
            [
                *("python3 -c pass", "python3 -I -S -c pass", "hook", "status line"),
                "fleetspan statusline",
            ],
        ),
        ("dialects", ["no spans", "GenAI", "every convention"]),
        ("hooks", ["one client", "eight clients", "beside 1,000 spans/s"]),
        ("decisions", ["by itself", "beside 1,000 spans/s"]),
        ("sdk", ["opentelemetry", "fleetspan", "fleetspan, spans only"]),
        (
            "live",
            ["raw spans, a reader", "finding, a reader", "finding, a webhook"],
        ),
        (
            "stream",
            [
                *("0 clients", "1 client", "100 clients"),
                "100 clients, no other load",
            ],
        ),
        ("analysis", [50, 500, 5000]),
        (
            "storage",
            [
                *("raw spans", "trace index", "evidence", "runs, agents, calls"),
                *("analyses, findings", "all of ours", "the plain standard table"),
            ],
        ),
        ("panels", sorted(panels())),
        (
            "reads",
            [
                *("last 50 runs", "one run", "one session"),
                *("cost by model, 24 h", "cost by model, 7 d"),
            ],
        ),
    ],
)
def test_a_part_measures_what_it_names(
    part: str, rows: list[object], tmp_path: Path
) -> None:
    """A part has a row of numbers for each thing it names."""
    result = importlib.import_module(f"tests.benchmarks.{part}").measure(TINY, tmp_path)
    assert [row[0] for row in result.rows] == rows
    assert all(len(row) == len(result.columns) for row in result.rows)
    assert result.raw


@pytest.mark.slow
@pytest.mark.integration
def test_throughput_goes_on_without_the_peer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where rotel is not installed, it is named and passed over."""
    monkeypatch.setattr(throughput, "rotel_program", lambda: None)
    assert main(["throughput", "--tiny", "--json", str(tmp_path)]) == 0
    assert "rotel is not installed and was passed over." in capsys.readouterr().out
    document = json.loads((tmp_path / "throughput-tiny.json").read_text("utf-8"))
    assert document["schema_version"] == 1
    assert document["machine"]["cores"] >= 1
    assert [row[0] for row in document["rows"]] == ["fleetspan"]
    assert document["raw"]["fleetspan"]["load"]["spans"] == 2000


@pytest.mark.slow
@pytest.mark.integration
def test_transcripts_go_on_without_the_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours find exactly what was written; without npm, ccusage is named and left out."""
    monkeypatch.setenv("PATH", str(tmp_path))
    result = importlib.import_module("tests.benchmarks.transcripts").measure(
        TINY, tmp_path / "bench"
    )
    assert [row[0] for row in result.rows] == ["import", "import again", "direct"]
    assert result.notes == ["ccusage was passed over: node and npm are not installed."]


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.skipif(rotel_program() is None, reason="needs rotel")
def test_the_peer_stores_every_span(tmp_path: Path) -> None:
    """The stand-in's engine holds exactly what was sent to rotel."""
    throughput = importlib.import_module("tests.benchmarks.throughput")
    result = throughput.measure(TINY, tmp_path)
    assert [row[0] for row in result.rows] == ["fleetspan", "rotel"]
    assert result.raw["rotel"]["load"]["spans"] == 2000


def test_every_part_is_a_module_that_says_what_it_measures() -> None:
    """The first thing in a part's file is what is measured, and how."""
    for part in PARTS:
        module = importlib.import_module(f"tests.benchmarks.{part}")
        assert len((module.__doc__ or "").splitlines()) > 5, part


def test_the_workload_is_what_it_claims() -> None:
    """Traces of 50 spans, 12 attributes each, in requests of 500 to 1,000 spans."""
    requests = list(_workload.requests(10_000, 3, time.time_ns()))
    assert sum(count for count, _ in requests) == 10_000
    assert all(count <= 1000 for count, _ in requests)
    assert sum(count < 500 for count, _ in requests) <= 4
    attributes: Counter[int] = Counter()
    operations: Counter[str] = Counter()
    ids = set()
    for _, payload in requests:
        request = ExportTraceServiceRequest.FromString(payload)
        for span in request.resource_spans[0].scope_spans[0].spans:
            attributes[len(span.attributes)] += 1
            operations[span.name.split()[0]] += 1
            ids.add(span.span_id)
    assert attributes == {12: 10_000}
    assert operations == {
        "chat": 200 * 27,
        "execute_tool": 200 * 18,
        "invoke_agent": 200 * 4,
        "invoke_workflow": 200,
    }
    assert len(ids) == 10_000


def test_a_percentile_is_one_of_the_values() -> None:
    """The nearest rank: no value between two that were measured."""
    values = [float(number) for number in range(1, 201)]
    assert _report.percentile(values, 50) == 100.0
    assert _report.percentile(values, 99) == 198.0
    assert _report.percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="nothing was measured"):
        _report.percentile([], 50)
