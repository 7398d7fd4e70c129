"""What the page asks, over many spans.

A store of its own is filled as in the reads part (seven days, 84 parts per table, a tenth
of the rows twice), with a raw span for every agent, model call and tool call, an analysis
of every run, and a finding for each fifth; then the engine merges as it does beside a
collector, until it rests. Then the API is asked over HTTP what each view of the page asks
it, another run, session or filter every time. The reads part asks a store that never
merged.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import prometheus_client

from fleetspan_collector._opening import open_store
from fleetspan_collector.config import Settings
from fleetspan_collector.receivers.http_server import HttpServer
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.web.api.rows import Rows
from fleetspan_collector.web.app import Sources, create_app
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.benchmarks.reads import DAYS, fill

_AIM_MS: Final = 300
_SPANS_PER_CALL: Final = 2.2  # itself, a tool call, and a fifth of an agent
_RESTS_S: Final = 3.0
_MOST_SETTLING_S: Final = 300.0
_QUIET: Final = "SETTINGS max_insert_threads = 1, max_block_size = 1000000"
_RAW: Final = {
    "agents": ("AgentId", "ParentAgentId", "concat('invoke_agent ', Name)", "10000"),
    "llm_calls": ("SpanId", "AgentId", "concat('chat ', Model)", "DurationMs"),
    "tool_calls": ("SpanId", "AgentId", "concat('execute_tool ', Tool)", "DurationMs"),
}


def measure(scale: Scale, folder: Path) -> Result:
    """Fill and ask one store per size, each in a process of its own."""
    rows: list[list[object]] = []
    raw: dict[str, Any] = {}
    first: dict[str, float] = {}
    for spans in scale.pages_spans:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.benchmarks.pages"),
                *(str(folder / str(spans)), str(spans), str(scale.reads_repeats)),
                str(scale.reads_parts_of_a_day),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        report = raw[str(spans)] = json.loads(done.stdout)
        for name, times_s in report["times_s"].items():
            p50, p95 = (1000 * percentile(times_s, each) for each in (50, 95))
            growth = p95 / first.setdefault(name, p95)
            met = "yes" if p95 < _AIM_MS else "no"
            rows.append([name, report["spans"], p50, p95, growth, met])
    return Result(
        part="pages",
        title="questions of the page over HTTP, over seven days",
        columns=(
            *("question", "spans", "p50 ms", "p95 ms", "times the smallest"),
            f"under {_AIM_MS} ms",
        ),
        rows=rows,
        settings={
            "days": DAYS,
            "parts_of_a_day": scale.reads_parts_of_a_day,
            "repeats": scale.reads_repeats,
        },
        raw=raw,
    )


def fill_all(engine: Engine, spans: int, parts_of_a_day: int) -> None:
    """Write canonical rows, raw spans, analyses and findings."""
    fill(engine, int(spans / _SPANS_PER_CALL), parts_of_a_day, time.time_ns())
    for table in ("otel_traces", "stored_analyses", "stored_findings"):
        engine.command(
            f"ALTER TABLE otel.{table}"
            " MODIFY SETTING fsync_after_insert = 0, fsync_part_directory = 0"
        )
    for table, (span, parent, name, duration_ms) in _RAW.items():
        failed = "0" if table == "agents" else "Error != ''"
        engine.command(
            "INSERT INTO otel.otel_traces (Timestamp, TraceId, SpanId, ParentSpanId,"
            " SpanName, SpanKind, ServiceName, ResourceAttributes, SpanAttributes,"
            " Duration, StatusCode) SELECT StartTime, TraceId,"
            f" {span}, ifNull({parent}, ''), {name}, 'Internal', Service,"
            " map('service.name', Service, 'fleetspan.project', Project),"
            " map('gen_ai.conversation.id', SessionId, 'user.id', User,"
            " 'gen_ai.agent.id', AgentId),"
            f" toUInt64({duration_ms} * 1e6), if({failed}, 'Error', 'Unset')"
            f" FROM otel.canonical_{table} WHERE Version = 1 {_QUIET}"
        )
    engine.command(
        "INSERT INTO otel.stored_analyses (Tenant, RunId, SessionId, RunName, Service,"
        " StartTime, WallSeconds, ModelSeconds, ToolSeconds, Complexity, Effort,"
        " SavedSeconds, SavedUsd, RunVersion, Bucket, Version)"
        " SELECT Tenant, RunId, SessionId, Name, Service, StartTime, 90, 60, 30,"
        " 4.5, 3.5, 5, 0.01, Version, Bucket, 1 FROM otel.canonical_runs"
        f" WHERE Version = 1 {_QUIET}"
    )
    engine.command(
        "INSERT INTO otel.stored_findings (Tenant, RunId, FindingId, SessionId, Detector,"
        " Severity, At, What, Advice, Seconds, Usd, FoundAt, Bucket, Version)"
        " SELECT Tenant, RunId, concat('f', RunId), SessionId,"
        " ['retry_storm', 'broken_cache', 'slow_tool'][cityHash64(RunId) % 3 + 1],"
        " toInt8(cityHash64(RunId) % 5), StartTime, 'something stood out', 'change it',"
        " 5, 0.01, StartTime, Bucket, 1 FROM otel.canonical_runs"
        f" WHERE Version = 1 AND cityHash64(RunId) % 5 = 0 {_QUIET}"
    )


def settle(engine: Engine) -> dict[str, int]:
    """Let the engine merge until it rests; return parts by table."""
    engine.command("SYSTEM START MERGES")
    for table in ("runs", "agents", "llm_calls", "tool_calls"):
        engine.command(f"SYSTEM START MERGES otel.canonical_{table}")
    rests_since_s = time.monotonic()
    until_s = rests_since_s + _MOST_SETTLING_S
    while time.monotonic() < min(rests_since_s + _RESTS_S, until_s):
        if engine.arrow("SELECT 1 FROM system.merges").num_rows:
            rests_since_s = time.monotonic()
        time.sleep(0.2)
    parts = engine.arrow(
        "SELECT table, toUInt32(count()) AS parts FROM system.parts"
        " WHERE active AND database = 'otel' GROUP BY table"
    ).to_pylist()
    return {each["table"]: each["parts"] for each in parts}


def questions(engine: Engine) -> dict[str, Callable[[int], str]]:
    """Return paths by what they are asked for; each takes the number of the repeat."""
    known = engine.arrow(
        "SELECT RunId, SessionId FROM otel.canonical_runs"
        " ORDER BY cityHash64(RunId) LIMIT 64"
    ).to_pylist()
    day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86_400))
    week = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7 * 86_400))

    def run(repeat: int) -> str:
        return str(known[repeat % len(known)]["RunId"])

    def session(repeat: int) -> str:
        return str(known[repeat % len(known)]["SessionId"])

    return {
        "fleet": lambda _: "fleet?limit=500",
        "attention": lambda _: "attention",
        "runs, 24 h": lambda _: f"runs?since={day}&limit=60",
        "runs, 7 d": lambda _: f"runs?since={week}&limit=60",
        "runs by cost, 7 d": lambda _: f"runs?since={week}&sort=cost&limit=60",
        "runs of a user, 7 d": lambda n: f"runs?since={week}&user=user-{n}&limit=60",
        "runs with a finding, 7 d": lambda _: (
            f"runs?since={week}&severity=high&limit=60"
        ),
        "search, 7 d": lambda n: f"runs?since={week}&q={run(n)[:14]}&limit=60",
        "waterfall": lambda n: f"runs/{run(n)}/timeline?limit=100000",
        "findings of a run": lambda n: f"runs/{run(n)}/findings",
        "findings, 7 d": lambda _: f"findings?since={week}&severity=medium&limit=60",
        "sessions, 24 h": lambda _: f"sessions?since={day}&limit=60",
        "one session": lambda n: f"runs?session={session(n)}&limit=60",
        "cost by model, 24 h": lambda _: f"cost?by=model&since={day}",
        "cost by agent, 24 h": lambda _: f"cost?by=agent&since={day}",
        "cost by project, 7 d": lambda _: f"cost?by=project&since={week}",
        "coverage": lambda _: f"coverage?since={day}",
        "filters": lambda _: "facets?field=model",
    }


async def ask_all(
    engine: Engine, paths: dict[str, Callable[[int], str]], repeats: int
) -> dict[str, list[float]]:
    """Serve the store and ask it; return seconds by question."""

    async def caught_up(
        timeout_s: float, *, derived: bool = True, analysed: bool = False
    ) -> bool:
        return True

    async def unready() -> dict[str, str]:
        return {}

    rows = Rows(engine)
    sources = Sources(
        rows=rows,
        registry=prometheus_client.CollectorRegistry(),
        caught_up=caught_up,
        unready=unready,
    )
    app = create_app(sources)
    server = HttpServer(app, "127.0.0.1", 0, purpose="the web port", flag="--web")
    await server.start()
    try:
        return await asyncio.to_thread(_ask_all, server.port, paths, repeats)
    finally:
        await server.stop()
        rows.close()


def _ask_all(
    port: int, paths: dict[str, Callable[[int], str]], repeats: int
) -> dict[str, list[float]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    times_s: dict[str, list[float]] = {}
    for name, path in paths.items():
        times_s[name] = []
        for repeat in range(-1, repeats):
            began_s = time.perf_counter()
            connection.request("GET", f"/api/v1/{path(repeat + 1)}")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{name}: {answer.status} {body[:300]!r}")
            if repeat >= 0:
                times_s[name].append(time.perf_counter() - began_s)
    connection.close()
    return times_s


def main(data: Path, spans: int, repeats: int, parts_of_a_day: int) -> None:
    """Fill a store, ask it, and print the times; a process of its own."""
    engine = open_store(Settings(data=data))
    began_s = time.monotonic()
    fill_all(engine, spans, parts_of_a_day)
    filled_s = time.monotonic() - began_s
    parts = settle(engine)
    (counted,) = engine.arrow("SELECT count() AS n FROM otel.otel_traces").to_pylist()
    paths = questions(engine)
    times_s = asyncio.run(ask_all(engine, paths, repeats))
    engine.close()
    report = {"filled_s": filled_s, "spans": counted["n"], "parts": parts}
    print(json.dumps(report | {"times_s": times_s}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(each) for each in sys.argv[2:]))
