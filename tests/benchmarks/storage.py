"""Bytes per span on the disk: each table, beside the plain standard table.

The spans of the throughput part (traces of 50, 12 attributes each) go over gRPC into
``fleetspan up``, which derives and analyses them; then the same rows are copied into the
plain standard table of spans, both are merged into one part a day, and the parts are
weighed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from fleetspan_collector._opening import open_store
from fleetspan_collector.config import Settings
from tests.benchmarks import _plain, _systems, _workload
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale
from tests.benchmarks.throughput import IN_FLIGHT
from tests.collector_processor.running import poll

_PATIENCE_S: Final = 1200.0

_GROUPS: Final = {
    "raw spans": ("otel_traces",),
    "trace index": ("otel_traces_trace_id_ts",),
    "evidence": ("evidence", "evidence_links", "canonical_keys"),
    "runs, agents, calls": (
        *("canonical_runs", "canonical_agents"),
        *("canonical_llm_calls", "canonical_tool_calls"),
    ),
    "analyses, findings": (
        *("stored_analyses", "stored_findings", "stored_agent_rollups"),
        *("stored_baselines", "baseline_hours"),
    ),
}


def measure(scale: Scale, folder: Path) -> Result:
    """Send spans, let them settle, copy them, and weigh both."""
    file = folder / "requests.bin"
    spans = scale.throughput_spans
    _workload.write_file(file, spans, 1, time.time_ns())
    with _systems.fleetspan(folder) as system:
        subprocess.run(
            [
                *(sys.executable, "-m", "tests.benchmarks._load"),
                *(str(file), system.grpc, str(IN_FLIGHT)),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        runs = spans // _workload.SPANS_OF_A_TRACE
        poll(
            lambda: system.collector.count("runs") == runs,
            "all runs",
            patience_s=_PATIENCE_S,
        )
        poll(
            lambda: system.collector.count("run_analyses") == runs,
            "analyses of all runs",
            patience_s=_PATIENCE_S,
        )
    file.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.storage", str(folder / "fleetspan")],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    weighed: dict[str, int] = json.loads(done.stdout)
    plain = weighed.pop("plain")
    rows: list[list[object]] = [
        [name, weighed[name] / spans, weighed[name] / plain] for name in weighed
    ]
    total = sum(weighed.values())
    rows.append(["all of ours", total / spans, total / plain])
    rows.append(["the plain standard table", plain / spans, 1.0])
    return Result(
        part="storage",
        title=f"bytes per span on the disk, {spans:,} spans of 12 attributes",
        columns=("what", "bytes per span", "times the plain table"),
        rows=rows,
        settings={"spans": spans},
        raw={**weighed, "plain": plain},
    )


def main(data: Path) -> None:
    """Copy the spans, merge, and print bytes by group; a process of its own."""
    engine = open_store(Settings(data=data))
    _plain.make(engine)
    _plain.copy(engine)
    tables = [name for group in _GROUPS.values() for name in group]
    for table in (*(f"otel.{name}" for name in tables), "plain.otel_traces"):
        engine.command(f"OPTIMIZE TABLE {table} FINAL")
    found: dict[tuple[str, str], int] = {
        (row["database"], row["table"]): row["bytes"]
        for row in engine.arrow(
            "SELECT database, table, sum(bytes_on_disk) AS bytes FROM system.parts"
            " WHERE active GROUP BY database, table"
        ).to_pylist()
    }
    engine.close()
    report: dict[str, Any] = {
        group: sum(found.get(("otel", name), 0) for name in names)
        for group, names in _GROUPS.items()
    }
    print(json.dumps(report | {"plain": found["plain", "otel_traces"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
