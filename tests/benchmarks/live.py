"""Loops found while they go on: from the export of the third repeat until somebody knows.

An agent that still runs repeats a tool call with one result; its start and its spans are
exported over HTTP in one go, every few seconds another run. In turns it is awaited by a
reader that asks ``POST /api/v1/sql`` for the finding again and again (as the command
does), beside one that asks for the raw spans, and, on a collector of its own at which
nobody looks, by a webhook. The first of each finds a collector whose worker process has
not started.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.collector_processor.fleet import MS, START_NS, logs, start_event, traces
from tests.collector_processor.processors.looping import S, looping
from tests.collector_processor.running import Collector

_AIM_S: Final = 2.0
_REPEATS: Final = 3
_PAUSE_S: Final = 1.0
_LATEST_S: Final = 60.0


def measure(scale: Scale, folder: Path) -> Result:
    """Export loops that go on, and see when they are known."""
    found = {
        "raw spans, a reader": _asked(
            folder / "raw", scale, "SELECT TraceId AS id FROM otel.otel_traces"
        ),
        "finding, a reader": _asked(
            folder / "read", scale, "SELECT TraceId AS id FROM findings"
        ),
        "finding, a webhook": _told(folder / "told", scale),
    }
    return Result(
        part="live",
        title="a loop of an open run: from its third repeat until it is known",
        columns=(
            "what, to whom",
            "runs",
            "first s",
            "p50 s",
            "p99 s",
            f"under {_AIM_S:g} s",
        ),
        rows=[
            [
                name,
                len(times),
                times[0],
                percentile(times[1:], 50),
                percentile(times[1:], 99),
                "yes" if percentile(times[1:], 99) < _AIM_S else "no",
            ]
            for name, times in found.items()
        ],
        settings={"repeats": _REPEATS},
        raw=dict(found),
        notes=["p50 and p99 without the first, which starts the worker process"],
    )


def _asked(folder: Path, scale: Scale, query: str) -> list[float]:
    with Collector(folder) as collector:
        return [
            _seconds(
                collector,
                number,
                lambda trace: any(row["id"] == trace for row in collector.sql(query)),
            )
            for number in range(scale.live_runs)
        ]


def _told(folder: Path, scale: Scale) -> list[float]:
    with _webhook() as (url, heard):
        hooks = json.dumps({"bench": {"url": url, "detectors": ["no_progress_loop"]}})
        with Collector(
            folder, variables={"FLEETSPAN_NOTIFY_HOOKS": hooks}
        ) as collector:
            return [
                _seconds(collector, number, lambda trace: trace in heard)
                for number in range(scale.live_runs)
            ]


def _seconds(collector: Collector, number: int, known: Any) -> float:
    """Export a loop and wait until it is known; then pause."""
    trace = 0x1000 + number
    shift_ms = (time.time_ns() - START_NS) // MS - 60 * S
    spans = looping(trace, _REPEATS)[1:]
    for span in spans:
        span.start_time_unix_nano += shift_ms * MS
        span.end_time_unix_nano += shift_ms * MS
    begun = logs([start_event(trace, 1, "agent", at_ms=shift_ms)])
    began = time.monotonic()
    collector.post("logs", begun.SerializeToString())
    collector.post("traces", traces(spans).SerializeToString())
    while not known(f"{trace:032x}"):
        if time.monotonic() - began > _LATEST_S:
            raise AssertionError(f"run {number} is not known after {_LATEST_S:g} s")
        time.sleep(0.005)
    took = time.monotonic() - began
    time.sleep(_PAUSE_S)
    return took


@contextmanager
def _webhook() -> Generator[tuple[str, Mapping[str, bool]]]:
    """A server that hears of findings, by trace."""
    heard: dict[str, bool] = {}

    class Hears(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard[json.loads(body)["trace_id"]] = True
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hears)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
