"""Throughput: spans per second from the first byte sent to the last row queryable.

The same prepared requests (`_workload`: traces of 50 spans, 12 attributes each, 500 to
1,000 spans a request) go over gRPC from a load process (`_load`, 16 requests in
flight, refused ones sent again) to each system, one after the other:

- ``fleetspan``: ``fleetspan up`` as a user starts it; every acknowledgement and every
  insert is fsynced. It goes on to make canonical rows; the second pair of columns
  ends when all of those can be read too.
- ``rotel``: the Rust collector of that package with its defaults and its ClickHouse
  exporter, into `_stand_in`, an engine like ours behind HTTP. No fsync anywhere. Its
  CPU is counted with the engine's, as ours is, and again without it.

Queryable means that a query answers with the exact number of spans; it is asked from
the last acknowledgement on, so that nobody looks while spans arrive. CPU is that of
the system's processes (not of the load process) from first byte to that moment; peak
memory is the kernel's high-water mark of the processes, summed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import _systems, _workload
from tests.benchmarks._processes import Usage
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.collector_processor.rotel_agent import rotel_program

IN_FLIGHT: Final = 16
_ASK_EVERY_S: Final = 0.05
_PATIENCE_S: Final = 600.0
_COLUMNS: Final = (
    "system",
    "spans/s raw",
    "CPU µs/span raw",
    "without engine",
    "spans/s canonical",
    "CPU µs/span canonical",
    "peak RSS MB",
    "refused",
    "ack p99 ms",
)


def measure(scale: Scale, folder: Path) -> Result:
    """Send the same spans to every system.

    Raises:
        RuntimeError: When a system loses, doubles or refuses a span for good.
    """
    file = folder / "requests.bin"
    size = _workload.write_file(file, scale.throughput_spans, 1, time.time_ns())
    found: dict[str, dict[str, Any]] = {}
    with _systems.fleetspan(folder) as ours:
        found[ours.name] = _run(ours, file, scale.throughput_spans)
    notes = []
    program = rotel_program()
    if program is None:
        notes.append("rotel is not installed and was passed over.")
    else:
        with _systems.rotel(folder, program) as peer:
            found[peer.name] = _run(peer, file, scale.throughput_spans)
        notes += _ratios(found["fleetspan"], found["rotel"])
    file.unlink()
    return Result(
        part="throughput",
        title=f"{scale.throughput_spans:,} spans of 12 attributes over gRPC",
        columns=_COLUMNS,
        rows=[_row(name, each) for name, each in found.items()],
        settings={
            "spans": scale.throughput_spans,
            "request_bytes": size,
            "in_flight": IN_FLIGHT,
            "engine_threads": _systems.ENGINE_THREADS,
            "rotel": "defaults, ClickHouse exporter without compression",
        },
        raw=found,
        notes=notes,
    )


def _run(system: _systems.System, file: Path, spans: int) -> dict[str, Any]:
    before = system.usage()
    load = _send(file, system.grpc)
    if load["spans"] != spans:
        raise RuntimeError(f"{load['spans']} spans were sent, expected {spans}")
    _ask_until(system.spans, spans, f"spans of {system.name}")
    raw = system.usage()
    report: dict[str, Any] = {
        "load": {key: each for key, each in load.items() if key != "latencies_s"},
        "acknowledged_spans_per_s": spans / (load["acknowledged_s"] - load["began_s"]),
        "raw": _until(before, raw, load, spans),
        "peak_rss_bytes": raw["total"].peak_rss_bytes,
        "ack_p50_ms": 1000 * percentile(load["latencies_s"], 50),
        "ack_p99_ms": 1000 * percentile(load["latencies_s"], 99),
    }
    if system.derives:
        _ask_until(system.canonical, _expected(spans), "runs, agents, calls and tools")
        after = system.usage()
        report["canonical"] = _until(before, after, load, spans)
        report["peak_rss_bytes"] = after["total"].peak_rss_bytes
    if (found := system.spans()) != spans:
        raise RuntimeError(f"{system.name} has {found} spans in the end, not {spans}")
    return report


def _until(
    before: dict[str, Usage],
    after: dict[str, Usage],
    load: dict[str, Any],
    spans: int,
) -> dict[str, float]:
    seconds = after["total"].at_s - load["began_s"]
    report = {"seconds": seconds, "spans_per_s": spans / seconds}
    for name, usage in after.items():
        used_s = usage.cpu_s - before[name].cpu_s
        report[f"cpu_us_per_span_{name}"] = used_s / spans * 1e6
    return report


def _send(file: Path, target: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks._load"]
    done = subprocess.run(
        [*command, str(file), target, str(IN_FLIGHT)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _expected(spans: int) -> tuple[int, int, int, int]:
    traces = spans // _workload.SPANS_OF_A_TRACE
    return (
        traces,
        traces * _workload.AGENTS_OF_A_TRACE,
        traces * _workload.CALLS_OF_A_TRACE,
        traces * _workload.TOOLS_OF_A_TRACE,
    )


def _ask_until(ask: Any, expected: object, what: str) -> None:
    """Ask until the answer is the expected one, and never more than that."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while (found := ask()) != expected:
        if isinstance(found, int) and isinstance(expected, int) and found > expected:
            raise RuntimeError(f"{what}: {found}, more than the {expected} sent")
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{what}: {found}, expected {expected}, gave up")
        time.sleep(_ASK_EVERY_S)


def _row(name: str, report: dict[str, Any]) -> list[object]:
    raw, canonical = report["raw"], report.get("canonical", {})
    return [
        name,
        raw["spans_per_s"],
        raw["cpu_us_per_span_total"],
        raw.get("cpu_us_per_span_agent"),
        canonical.get("spans_per_s"),
        canonical.get("cpu_us_per_span_total"),
        report["peak_rss_bytes"] / 1e6,
        report["load"]["refused"],
        report["ack_p99_ms"],
    ]


def _ratios(ours: dict[str, Any], peer: dict[str, Any]) -> list[str]:
    speed = ours["raw"]["spans_per_s"] / peer["raw"]["spans_per_s"]
    cpu = ours["raw"]["cpu_us_per_span_total"] / peer["raw"]["cpu_us_per_span_total"]
    note = (
        f"{speed:.2f} times rotel's throughput (aim: 2) at {cpu:.2f} times its CPU"
        " (aim: 1), to the last raw row; fleetspan with fsync, rotel without."
    )
    return [note]
