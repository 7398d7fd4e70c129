"""What our SDK costs a program, beside plain opentelemetry-sdk with its OTLP exporter.

Each repetition is a new process (`_sdk_process`) that records agents with a model
call and a tool call each in a tight loop, exporting over OTLP/HTTP to a sink in
another process (`_sink`) that answers at once. Names and attributes of spans, batch
size, delay, queue and compression are alike. The variants take turns, so that a
change of the machine's speed meets all of them; figures are medians.

- *caller*: CPU time of the thread that runs the loop (``time.thread_time``), per span.
- *in all*: CPU time of the process from the first turn until all is exported.

``fleetspan`` does more by default: metrics of both generations of the conventions
and a log event when an agent or a tool starts. ``fleetspan, spans only`` turns both
off, as plain OpenTelemetry has neither unless a program writes them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final

from tests.benchmarks._report import Result, median
from tests.benchmarks._scale import Scale
from tests.benchmarks._sdk_process import (
    ENVIRONMENT,
    SPANS_OF_A_TURN,
    VARIANTS,
    WARM_UP_TURNS,
)
from tests.collector_processor.running import environment

_AIM: Final = "aim: at most 1.3 times on the caller, and less in all."


def measure(scale: Scale, folder: Path) -> Result:
    """Run each variant in turn, several times.

    Raises:
        RuntimeError: When spans did not arrive, or differ between the variants.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANTS}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks._sink"],
        stdout=subprocess.PIPE,
        text=True,
    ) as sink:
        try:
            assert sink.stdout is not None
            url = f"http://127.0.0.1:{int(sink.stdout.readline())}"
            for _ in range(scale.sdk_repetitions):
                for name in VARIANTS:
                    found[name].append(_run(name, url, scale.sdk_turns))
        finally:
            sink.terminate()
    return Result(
        part="sdk",
        title="CPU µs per span of an instrumented program",
        columns=(
            *("SDK", "caller", "ratio", "in all", "ratio"),
            *("bytes/span", "log events/span"),
        ),
        rows=_rows(found),
        settings={
            "turns": scale.sdk_turns,
            "repetitions": scale.sdk_repetitions,
            "environment": ENVIRONMENT,
        },
        raw=found,
        notes=[_AIM],
    )


def _run(variant: str, url: str, turns: int) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks._sdk_process"),
            *(variant, str(turns)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment(**ENVIRONMENT, OTEL_EXPORTER_OTLP_ENDPOINT=url),
    )
    report: dict[str, Any] = json.loads(done.stdout)
    with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310 - our sink
        report["arrived"] = json.load(answer)
    expected = (turns + WARM_UP_TURNS) * SPANS_OF_A_TURN
    if report["arrived"]["spans"] != expected:
        raise RuntimeError(f"{variant}: {report['arrived']}, expected {expected} spans")
    return report


def _rows(found: dict[str, list[dict[str, Any]]]) -> list[list[object]]:
    def middle(name: str, key: str) -> float:
        return median([each[key] for each in found[name]])

    rows: list[list[object]] = []
    plain = VARIANTS[0]
    for name, runs in found.items():
        arrived = runs[0]["arrived"]
        row: list[object] = [name]
        for key in ("caller_us_per_span", "process_us_per_span"):
            row += [middle(name, key), middle(name, key) / middle(plain, key)]
        row.append(arrived["bytes"] / arrived["spans"])
        row.append(arrived["logs"] / arrived["spans"])
        rows.append(row)
    return rows
