"""Canonical reads over many calls with many unmerged parts.

A store of its own is filled by SQL: model calls over seven days (20 to a run, with as
many tool calls and a fifth as many agents), merges stopped, in 11 parts per day and
table whose keys overlap entirely, and a tenth of all rows written a second time as a
newer version: 84 parts per table. Then each question is asked 30 times, as `up` asks
it, on one connection:

- ``last 50 runs``: what ``fleetspan ls`` reads.
- ``one run``: what ``fleetspan show`` reads: the run, its agents and what they did;
  another run every time.
- ``one session``: a session's model calls by model, its time bounds taken from `runs`.
- ``cost by model, 24 h`` and ``7 d``: a dashboard's panel over `llm_calls`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fleetspan_collector._opening import open_store
from fleetspan_collector.config import Settings
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.reader import StoreReader
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale

DAYS: Final = 7
CALLS_OF_A_RUN: Final = 20
_AIM_MS: Final = 300
_TABLES: Final = ("runs", "agents", "llm_calls", "tool_calls")

_TOKENS: Final = """
    toInt64(200 + h % 3000) AS InputTokens, toInt64(h % 40000) AS CacheReadTokens,
    toInt64(h % 900) AS CacheWriteTokens, CacheWriteTokens AS CacheWrite5mTokens,
    toInt64(0) AS CacheWrite1hTokens, toInt64(h % 1200) AS OutputTokens,
    toInt64(h % 300) AS ReasoningTokens, (h % 10000) / 1e5 AS CostUsd,
    CAST(NULL AS Nullable(Float64)) AS ReportedCostUsd"""
_COMMON: Final = """
    '' AS Tenant, lower(hex(sipHash128(run))) AS TraceId,
    concat('run-', TraceId) AS RunId,
    concat('session-', toString(intDiv(run, 2))) AS SessionId,
    'production' AS Environment, concat('project-', toString(run % 5)) AS Project,
    concat('user-', toString(run % 200)) AS User,
    concat('service-', toString(run % 8)) AS Service, toUInt16(1) AS RulesVersion,
    toUInt64({version}) AS Version, toUInt8(0) AS IsDeleted,
    fromUnixTimestamp64Nano(toInt64({start} + (run - {first}) * {step})) AS Begin,
    toStartOfHour(toDateTime(Begin)) AS Bucket"""
_ROWS: Final = {
    "runs": """
    run, sipHash64(run) AS h, 'nightly-review' AS Name, 'ok' AS Status,
    Begin AS StartTime, Begin + INTERVAL 90 SECOND AS EndTime,
    Begin + INTERVAL 90 SECOND AS LastActivity, toUInt32(4) AS Agents,
    toUInt32(20) AS LlmCalls, toUInt32(20) AS ToolCalls, toUInt32(h % 3) AS Errors,
    toUInt16(2) AS Depth, toUInt32(3) AS FanOut, toUInt32(0) AS UnpricedCalls,
    toUInt32(0) AS OrphanSpans""",
    "agents": """
    run, sipHash64(number) AS h, leftPad(lower(hex(number)), 16, '0') AS AgentId,
    if(number % 4 = 0, NULL, leftPad(lower(hex(number - number % 4)), 16, '0'))
        AS ParentAgentId,
    CAST(NULL AS Nullable(String)) AS SpawnToolCallId,
    concat('agent-', toString(number % 4)) AS Name, 'worker' AS Type,
    'claude-sonnet-4-5' AS Model, '' AS Task, AgentId AS SpanId,
    Begin + toIntervalSecond(number % 4) AS StartTime,
    Begin + INTERVAL 80 SECOND AS EndTime, Begin + INTERVAL 80 SECOND AS LastActivity,
    'ok' AS Status, '' AS Error, toUInt32(1) AS Activations, ['otel'] AS Sources""",
    "llm_calls": """
    run, sipHash64(number) AS h, concat('msg_', hex(h)) AS CallId,
    leftPad(lower(hex(run * 4 + number % 4)), 16, '0') AS AgentId,
    ['claude-sonnet-4-5', 'claude-haiku-4-5', 'gpt-5', 'gpt-5-mini'][h % 4 + 1]
        AS Model,
    if(h % 4 < 2, 'anthropic', 'openai') AS Provider, '2026-11' AS PriceVersion,
    leftPad(lower(hex(number)), 16, '0') AS SpanId, CallId AS ResponseId,
    Begin + toIntervalSecond(number % 20) AS StartTime, h % 9000 / 1. AS DurationMs,
    h % 900 / 1. AS TimeToFirstTokenMs, toUInt32(1) AS Attempts,
    'tool_use' AS FinishReason, if(h % 100 = 0, 'timeout', '') AS Error,
    ['otel'] AS Sources""",
    "tool_calls": """
    run, sipHash64(number) AS h, concat('toolu_', hex(h)) AS ToolCallId,
    leftPad(lower(hex(run * 4 + number % 4)), 16, '0') AS AgentId,
    ['Read', 'Bash', 'Grep', 'Edit', 'WebFetch'][h % 5 + 1] AS Tool,
    hex(h) AS ArgumentsHash, hex(h + 1) AS ResultHash,
    toInt64(h % 50000) AS ResultBytes,
    leftPad(lower(hex(number)), 16, '0') AS SpanId,
    Begin + toIntervalSecond(number % 20) AS StartTime, h % 900 / 1. AS DurationMs,
    0. AS PermissionWaitMs, toUInt8(h % 30 != 0) AS Success,
    if(h % 30 = 0, 'exit 1', '') AS Error, ['otel'] AS Sources""",
}
_OF_A_RUN: Final = {"runs": 1, "agents": 4, "llm_calls": 20, "tool_calls": 20}


def measure(scale: Scale, folder: Path) -> Result:
    """Fill and read one store per number of calls, each in a process of its own."""
    rows: list[list[object]] = []
    raw: dict[str, Any] = {}
    for calls in scale.reads_calls:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.benchmarks.reads"),
                *(str(folder / str(calls)), str(calls), str(scale.reads_repeats)),
                str(scale.reads_parts_of_a_day),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        report = raw[str(calls)] = json.loads(done.stdout)
        for name, times_s in report["times_s"].items():
            p50, p95 = (1000 * percentile(times_s, each) for each in (50, 95))
            met = "yes" if p95 < _AIM_MS else "no"
            parts = report["parts"]["llm_calls"]
            cpu_ms = 1000 * percentile(report["cpu_s"][name], 50)
            rows.append([name, calls, parts, p50, p95, cpu_ms, met])
    return Result(
        part="reads",
        title="canonical tables over seven days, merges stopped",
        columns=(
            *("question", "llm calls", "parts", "p50 ms", "p95 ms", "CPU p50 ms"),
            f"under {_AIM_MS} ms",
        ),
        rows=rows,
        settings={
            "days": DAYS,
            "parts_of_a_day": scale.reads_parts_of_a_day,
            "calls_of_a_run": CALLS_OF_A_RUN,
            "written_twice": 0.1,
            "repeats": scale.reads_repeats,
        },
        raw=raw,
    )


def fill(engine: Engine, calls: int, parts_of_a_day: int, end_ns: int) -> None:
    """Write canonical rows of seven days, many parts, a tenth of them twice."""
    runs_of_a_day = max(1, calls // CALLS_OF_A_RUN // DAYS)
    # Whole days: a part of one insert never falls into two.
    last_midnight = end_ns // 86_400_000_000_000 * 86_400_000_000_000
    for table in _TABLES:
        engine.command(f"SYSTEM STOP MERGES otel.canonical_{table}")
        # Rows for reading only: nothing is lost that could not be made again.
        engine.command(
            f"ALTER TABLE otel.canonical_{table}"
            " MODIFY SETTING fsync_after_insert = 0, fsync_part_directory = 0"
        )
        for day in range(DAYS):
            times = {
                "start": last_midnight - (DAYS - 1 - day) * 86_400_000_000_000,
                "first": day * runs_of_a_day,
                "step": _step(day, runs_of_a_day, end_ns - last_midnight),
            }
            for part in range(parts_of_a_day):
                condition = f"run % {parts_of_a_day} = {part}"
                _insert(engine, table, condition, runs_of_a_day, times | {"version": 1})
            again = times | {"version": 2}
            _insert(engine, table, "run % 10 = 0", runs_of_a_day, again)


def _step(day: int, runs: int, today_ns: int) -> int:
    """Nanoseconds between two runs; the last day is as long as it is old."""
    length = 86_400_000_000_000 if day < DAYS - 1 else max(today_ns, 60_000_000_000)
    return length // runs


def _insert(
    engine: Engine, table: str, condition: str, runs: int, tokens: dict[str, int]
) -> None:
    per_run, first = _OF_A_RUN[table], tokens["first"]
    columns = _ROWS[table] + ("," + _TOKENS if table in ("runs", "llm_calls") else "")
    given = set(re.findall(r" AS (\w+)", f"{_COMMON} {columns} "))
    names = engine.arrow(
        "SELECT name FROM system.columns WHERE database = 'otel'"
        f" AND table = 'canonical_{table}' ORDER BY position"
    )["name"].to_pylist()
    listed = ", ".join(name for name in names if name in given)
    engine.command(
        f"INSERT INTO otel.canonical_{table} ({listed})"
        f" SELECT {listed} FROM (SELECT {_COMMON.format(**tokens)}, {columns}"
        f" FROM (SELECT number, intDiv(number, {per_run}) AS run"
        f" FROM numbers({first * per_run}, {runs * per_run})) WHERE {condition})"
        " SETTINGS max_insert_threads = 1, min_insert_block_size_rows = 10000000,"
        " min_insert_block_size_bytes = 10000000000, max_block_size = 1000000"
    )


def questions(reader: StoreReader, runs: int) -> dict[str, Callable[[int], object]]:
    """Return what is asked, by name; each takes the number of the repeat."""

    def some(repeat: int) -> int:
        return (repeat * 7919 + 13) % runs

    def ids(run: int) -> str:
        query = f"SELECT lower(hex(sipHash128(toUInt64({run}))))"
        return "run-" + reader.sql(query, "TSVRaw").decode().strip()

    known = [ids(some(repeat)) for repeat in range(64)]

    def session(repeat: int) -> object:
        name = f"session-{some(repeat) // 2}"
        return reader.sql(
            "WITH (SELECT (min(Bucket), max(LastActivity)) FROM otel.runs"
            f" WHERE SessionId = '{name}') AS bounds"
            " SELECT Model, count(), sum(InputTokens), sum(CostUsd)"
            f" FROM otel.llm_calls WHERE SessionId = '{name}'"
            " AND Bucket BETWEEN bounds.1 AND bounds.2 GROUP BY Model",
            "JSON",
        )

    def panel(hours: int) -> Callable[[int], object]:
        query = (
            "SELECT Model, sum(CostUsd) AS cost, count() AS calls FROM otel.llm_calls"
            f" WHERE StartTime >= now() - INTERVAL {hours} HOUR"
            f" AND Bucket >= toStartOfHour(now() - INTERVAL {hours + 1} HOUR)"
            " GROUP BY Model ORDER BY cost DESC"
        )
        return lambda repeat: reader.sql(query, "JSON")

    return {
        "last 50 runs": lambda repeat: reader.runs(since=None, limit=50),
        "one run": lambda repeat: _known(reader.run(known[repeat % len(known)])),
        "one session": session,
        "cost by model, 24 h": panel(24),
        "cost by model, 7 d": panel(24 * DAYS),
    }


def _known(run: object) -> object:
    if run is None:
        raise RuntimeError("a run that was written is not found")
    return run


def main(data: Path, calls: int, repeats: int, parts_of_a_day: int) -> None:
    """Fill a store, ask it, and print the times; a process of its own."""
    engine = open_store(Settings(data=data))
    began_s = time.monotonic()
    fill(engine, calls, parts_of_a_day, time.time_ns())
    filled_s = time.monotonic() - began_s
    parts = engine.arrow(
        "SELECT table, count() AS parts, sum(rows) AS rows FROM system.parts"
        " WHERE active AND database = 'otel' AND startsWith(table, 'canonical_')"
        " GROUP BY table"
    ).to_pylist()
    reader = StoreReader(engine)
    times_s: dict[str, list[float]] = {}
    cpu_s: dict[str, list[float]] = {}
    runs = calls // CALLS_OF_A_RUN // DAYS * DAYS
    for name, ask in questions(reader, runs).items():
        ask(0)
        times_s[name], cpu_s[name] = [], []
        for repeat in range(repeats):
            began_s, before_s = time.perf_counter(), time.process_time()
            ask(repeat)
            times_s[name].append(time.perf_counter() - began_s)
            cpu_s[name].append(time.process_time() - before_s)
    report = {
        "filled_s": filled_s,
        "times_s": times_s,
        "cpu_s": cpu_s,
        "parts": {e["table"].removeprefix("canonical_"): e["parts"] for e in parts},
        "rows": {e["table"].removeprefix("canonical_"): e["rows"] for e in parts},
    }
    reader.close()
    engine.close()
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(each) for each in sys.argv[2:]))
