"""Dialects: what it costs to make evidence of spans, whatever convention they follow.

``normalise_spans.sql`` alone, its rows thrown away, over windows in an embedded store:

- ``no spans``: the statement's fixed cost, which is the engine's analysis of it.
- ``GenAI``: the spans of `_workload`, plain GenAI with 12 attributes each.
- ``every convention``: the recordings of ``tests/collector_processor/dialects``, as often
  as there are spans of GenAI: prompts and answers are among their attributes.

CPU time of the process, best of nine after a first; one thread. The engine runs in a
process of its own, as a process can open one store only.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from fleetspan_collector.derive.rules import RATE_LIMITED
from fleetspan_collector.store import _sql
from tests.benchmarks import _workload
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale
from tests.collector_processor.dialects import recordings
from tests.collector_processor.embedded import embedded

_SHARE: Final = 20
"""Of the spans of the throughput part: 50,000 in full."""
_REPEATS: Final = 9
_COLUMNS: Final = ("spans", "number", "CPU ms", "CPU µs/span beyond the fixed cost")


def measure(scale: Scale, folder: Path) -> Result:
    """Run the statement over each window.

    Raises:
        subprocess.CalledProcessError: When the engine's process fails.
    """
    spans = max(scale.throughput_spans // _SHARE // 50 * 50, 50)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.dialects", str(folder), str(spans)],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    fixed_ms = min(found["no spans"]["cpu_ms"])
    rows = []
    for name, each in found.items():
        best_ms = min(each["cpu_ms"])
        beyond = (best_ms - fixed_ms) * 1000 / each["spans"] if each["spans"] else None
        rows.append((name, each["spans"], best_ms, beyond))
    return Result(
        part="dialects",
        title="Evidence of spans of every convention: the SELECT alone",
        columns=_COLUMNS,
        rows=rows,
        settings={"repeats": _REPEATS},
        raw=found,
    )


def _recorded(spans: int) -> Iterator[ExportTraceServiceRequest]:
    """Recordings again and again, until there are enough spans."""
    names = recordings.names()
    made = number = 0
    while made < spans:
        request = recordings.load(names[number % len(names)])
        for of_resource in request.resource_spans:
            for scope in of_resource.scope_spans:
                made += len(scope.spans)
        number += 1
        yield request


def _cpu_ms() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1000


def main(folder: Path, spans: int) -> None:
    """Fill a store, run the statement, print the CPU times as JSON."""
    genai = (
        ExportTraceServiceRequest.FromString(payload)
        for _, payload in _workload.requests(spans, 1, time.time_ns())
    )
    found: dict[str, Any] = {}
    with embedded(folder) as store:
        store.insert(genai, "GenAI")
        store.insert(_recorded(spans), "every convention")
        for name in ("no spans", "GenAI", "every convention"):
            window = f"Tenant = '{name}'"
            statement = _sql.render(
                "normalise_spans",
                database="otel",
                window=window,
                rules_version="1",
                rate_limited=_sql.quote(RATE_LIMITED),
            )
            times = []
            for _ in range(_REPEATS + 1):
                began = _cpu_ms()
                store.engine.raw(statement, "Null")
                times.append(_cpu_ms() - began)
            (counted,) = store.rows("otel_traces", window, "toUInt32(count()) AS n")
            found[name] = {"spans": counted["n"], "cpu_ms": times[1:]}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
