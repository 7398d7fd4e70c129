"""Lives of one data directory, each in a forked process that a test may kill.

``python steps.py`` imports the collector once and forks for each line that it reads:
``live DATA OUT`` opens what is behind the receivers, waits for a line on ``OUT.go``,
then journals some requests and takes them to the store, and writes to ``OUT`` what was
acknowledged. ``judge DATA OUT`` opens the directory after a crash, writes which rows
are there, sends every request again, and writes all rows. When a child has ended, its
status is a line on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import prometheus_client

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from fleetspan_collector._signals import Signal, Submission
from fleetspan_collector.backstage import Backstage
from fleetspan_collector.config import Settings
from tests.collector_processor.fleet import (
    agent,
    call,
    gauge,
    logs,
    span,
    start_event,
    tool,
    traces,
)

CANONICAL = ("runs", "agents", "llm_calls", "tool_calls")
RAW = ("otel_traces", "otel_logs", "otel_metrics_gauge")


def requests() -> list[Submission]:
    """Return what a small fleet sends: sub-agents before their agent, all signals."""
    below = traces(
        [
            call(1, 13, 12, at_ms=20, gen_ai__response__id="r-13"),
            tool(1, 14, 12, at_ms=40, failed=True),
            agent(1, 12, 11, at_ms=10),
            span(1, 11, 10, name="hand-off"),
        ]
    )
    above = traces(
        [
            agent(1, 10, gen_ai__conversation__id="s-1"),
            call(1, 15, 10, gen_ai__request__model="no-such-model"),
            tool(1, 16, 15, at_ms=5),
        ]
    )
    other = traces(
        [
            agent(2, 20, fleetspan__run__id="run-2"),
            call(2, 21, 20),
            agent(3, 30, fleetspan__run__id="run-2"),
        ]
    )
    starts = logs(
        [
            start_event(1, 12, "agent", gen_ai__agent__name="agent-12"),
            start_event(4, 40, "agent", gen_ai__agent__name="crashed"),
        ]
    )
    return [
        _submission(Signal.TRACES, below, 4),
        _submission(Signal.LOGS, starts, 2),
        _submission(Signal.TRACES, above, 3),
        _submission(Signal.METRICS, gauge("queue", 1, 2), 2),
        _submission(Signal.TRACES, other, 3),
    ]


def _submission(signal: Signal, request: Any, rows: int) -> Submission:
    payload = request.SerializeToString()
    return Submission(signal=signal, tenant="", payload=payload, rows=rows)


def open_data(data: str) -> Backstage:
    """Open what is behind the receivers."""
    settings = Settings(
        data=Path(data),
        free_disk_floor_bytes=0,
        engine_threads=1,
        # A running agent stays so, however long ago it was seen.
        idle_timeout_s=1e9,
    )
    return Backstage(settings, prometheus_client.CollectorRegistry())


def live(data: str, out: str) -> None:
    """Journal, insert, derive, delete."""
    backstage = open_data(data)
    report = os.open(out, os.O_WRONLY | os.O_CREAT)
    with Path(f"{out}.go").open() as go:
        go.readline()
    for number, request in enumerate(requests()):
        backstage.journal.append(request)
        os.write(report, f"acked {number}\n".encode())
    backstage.pipeline.drain()
    os.write(report, b"end\n")


def judge(data: str, out: str) -> None:
    """Say what is there, send everything again, and say what is there then."""
    backstage = open_data(data)
    backstage.pipeline.drain()
    before = dump(backstage, RAW)
    for request in requests():
        backstage.journal.append(request)
    backstage.pipeline.drain()
    after = dump(backstage, (*RAW, *CANONICAL))
    Path(out).write_text(json.dumps({"before": before, "after": after}))


def dump(backstage: Backstage, tables: Iterable[str]) -> dict[str, list[str]]:
    """Return the rows of tables as sorted JSON lines, without what names a delivery."""
    found = {}
    for table in tables:
        dropped = (
            "" if table in CANONICAL else " EXCEPT (BatchId, BatchOrdinal, ReceivedAt)"
        )
        text = backstage.engine.raw(
            f"SELECT *{dropped} FROM otel.{table}", "JSONEachRow"
        )
        found[table] = sorted(text.decode().splitlines())
    return found


def main() -> None:
    """Fork a child for every line."""
    for line in sys.stdin:
        life, data, out = line.split()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                {"live": live, "judge": judge}[life](data, out)
                status = 0
            finally:
                # Without the engine's own way out, as after a kill.
                sys.stderr.flush()
                os._exit(status)
        os.write(1, f"{child}\n".encode())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(1, f"{status}\n".encode())


if __name__ == "__main__":
    main()
