"""Analysing runs: everything from canonical rows to findings that can be read.

A store of its own is filled with ended runs (`_analysed_runs`), and then analysed as
a collector does it after an upgrade: read, looked at by every processor in the worker
process, written. Deriving is not part of it. The number of spans is the same for each
size of runs, so that what a span costs shows how analysis grows with the size of a run.

CPU is that of the collector and of its worker together.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import prometheus_client

from fleetspan_collector._opening import open_store
from fleetspan_collector.config import Settings
from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.processors.dirty import DirtyRuns
from fleetspan_collector.processors.metrics import ProcessorMetrics
from fleetspan_collector.processors.scheduler import Scheduler
from tests.benchmarks import _analysed_runs
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale

_SIZES: Final = (50, 500, 5_000, 10_000, 100_000)


def measure(scale: Scale, folder: Path) -> Result:
    """Analyse runs of several sizes, each in a process of its own."""
    rows: list[list[object]] = []
    raw: dict[str, Any] = {}
    for spans in _SIZES:
        runs = max(1, scale.analysis_spans // spans)
        if spans > scale.analysis_spans:
            continue
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.benchmarks.analysis"),
                *(str(folder / str(spans)), str(runs), str(spans)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        report = raw[str(spans)] = json.loads(done.stdout)
        rows.append(
            [
                spans,
                runs,
                report["wall_s"],
                runs / report["wall_s"],
                1e6 * report["cpu_s"] / report["rows"],
                1e6 * sum(report["processor_s"].values()) / report["rows"],
                report["findings"],
                report["peak_mb"],
            ]
        )
    return Result(
        part="analysis",
        title="from canonical rows to findings, all processors",
        columns=(
            *("spans a run", "runs", "wall s", "runs/s", "CPU us a span"),
            *("of it processors", "findings", "peak MB"),
        ),
        rows=rows,
        settings={"spans": scale.analysis_spans},
        raw=raw,
        notes=[*_growth(raw), *_dearest(raw)],
    )


def _growth(raw: dict[str, Any]) -> list[str]:
    """What a span of the largest runs costs beside one of the smallest."""
    sizes = [int(each) for each in raw]
    if len(sizes) < 2:
        return []
    small, large = min(sizes), max(sizes)
    cost = {
        size: sum(raw[str(size)]["processor_s"].values()) / raw[str(size)]["rows"]
        for size in (small, large)
    }
    ratio = cost[large] / cost[small]
    allowed = math.log(large) / math.log(small)
    said = (
        f"processors: a span of runs of {large:,} costs {ratio:.2f} times one of runs of"
        f" {small:,}; n log n would allow {allowed:.2f} times"
    )
    return [said]


def _dearest(raw: dict[str, Any]) -> list[str]:
    first = next(iter(raw.values()), None)
    if first is None:
        return []
    spent = sorted(first["processor_s"].items(), key=lambda each: -each[1])[:6]
    names = ", ".join(f"{n} {1e6 * s / first['runs']:.0f}" for n, s in spent)
    return [f"dearest processors, us a run of the smallest size: {names}"]


def main(folder: Path, runs: int, spans: int) -> None:
    """Fill a store, analyse it and print what that took."""
    settings = Settings(data=folder)
    engine = open_store(settings)
    count = _analysed_runs.fill(engine, runs, spans)
    registry = prometheus_client.CollectorRegistry()
    scheduler = Scheduler(
        engine, settings, DirtyRuns(), ProcessorMetrics(registry), Budget(1, 1)
    )
    began, cpu = time.monotonic(), _cpu_s()
    scheduler.drain()
    wall_s = time.monotonic() - began
    scheduler.stop()
    # The worker's time counts once it has ended.
    cpu_s = _cpu_s() - cpu
    findings = int(str(engine.command("SELECT count() FROM otel.findings")))
    analysed = int(str(engine.command("SELECT count() FROM otel.run_analyses")))
    engine.close()
    if analysed != runs:
        raise AssertionError(f"{analysed} of {runs} runs were analysed")
    json.dump(
        {
            "runs": runs,
            "rows": count,
            "wall_s": wall_s,
            "cpu_s": cpu_s,
            "findings": findings,
            "peak_mb": sum(
                resource.getrusage(who).ru_maxrss / 1024
                for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            ),
            "processor_s": {
                sample.labels["processor"]: sample.value
                for family in registry.collect()
                for sample in family.samples
                if sample.name == "fleetspan_processor_seconds_total"
            },
        },
        sys.stdout,
    )


def _cpu_s() -> float:
    used = [
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        chosen = sys.argv[1] if len(sys.argv) > 3 else scratch
        main(Path(chosen), int(sys.argv[-2]), int(sys.argv[-1]))
