"""Every panel of the dashboards over many spans, beside the plain standard table.

A store of its own is filled as in the pages part (seven days, merged as beside a
collector), with what processors say of each agent besides, and every span once more in
the plain standard table with its attributes as the GenAI conventions have them. Then each
panel's query is asked over 24 hours and over all seven days, its macros expanded as
Grafana's plugin does, and the same questions of some panels of the plain table over 24
hours. What a panel of Claude Code or of a collector asks has no rows here: they are left
out, but for the one that reads spans.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fleetspan_dashboards.boards import BOARDS
from fleetspan_dashboards.macros import expand

from fleetspan_collector._opening import open_store
from fleetspan_collector.config import Settings
from fleetspan_collector.store._engine import Engine
from tests.benchmarks import _plain
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.benchmarks.pages import fill_all, settle
from tests.benchmarks.reads import DAYS

_AIM_MS: Final = 300
_POINTS: Final = 288
_QUIET: Final = "SETTINGS max_insert_threads = 1, max_block_size = 200000"
_SOURCES: Final = {
    # What an agent did stands on its own span, and on those of its calls by its name.
    "agents": (
        "AgentId, ifNull(ParentAgentId, ''), concat('invoke_agent ', Name)",
        (
            "'gen_ai.operation.name', 'invoke_agent', 'gen_ai.agent.name', Name,"
            " 'gen_ai.agent.id', AgentId"
        ),
        "10000",
        "0",
    ),
    "llm_calls": (
        "SpanId, AgentId, concat('chat ', Model)",
        (
            "'gen_ai.operation.name', 'chat', 'gen_ai.request.model', toString(Model),"
            " 'gen_ai.response.model', toString(Model), 'gen_ai.provider.name',"
            " toString(Provider), 'gen_ai.agent.name',"
            " concat('agent-', toString(cityHash64(AgentId) % 4)), 'gen_ai.agent.id', AgentId,"
            " 'gen_ai.response.id', ResponseId, 'gen_ai.usage.input_tokens',"
            " toString(InputTokens + CacheReadTokens + CacheWriteTokens),"
            " 'gen_ai.usage.cache_read.input_tokens', toString(CacheReadTokens),"
            " 'gen_ai.usage.output_tokens', toString(OutputTokens), 'gen_ai.usage.cost',"
            " toString(CostUsd)"
        ),
        "DurationMs",
        "Error != ''",
    ),
    "tool_calls": (
        "SpanId, AgentId, concat('execute_tool ', Tool)",
        (
            "'gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', toString(Tool),"
            " 'gen_ai.tool.call.id', ToolCallId, 'gen_ai.agent.name',"
            " concat('agent-', toString(cityHash64(AgentId) % 4)), 'gen_ai.agent.id', AgentId"
        ),
        "DurationMs",
        "Error != ''",
    ),
}


def measure(scale: Scale, folder: Path) -> Result:
    """Fill and ask one store, in a process of its own."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.panels"),
            *(str(folder), str(scale.pages_spans[-1]), str(scale.reads_repeats)),
            str(scale.reads_parts_of_a_day),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    rows = list(_rows(report["times_s"]))
    over = [row[0] for row in rows if row[5] == "no"]
    return Result(
        part="panels",
        title=f"panels of the dashboards, {report['spans']:,} spans over seven days",
        columns=(
            *("panel", "24 h p50 ms", "24 h p95 ms", "7 d p95 ms"),
            *("times faster than plain", f"24 h under {_AIM_MS} ms"),
        ),
        rows=rows,
        settings={"days": DAYS, "repeats": scale.reads_repeats},
        raw=report,
        notes=[f"{len(rows) - len(over)} of {len(rows)} panels meet the aim."],
    )


def _rows(times_s: dict[str, dict[str, list[float]]]) -> Iterator[list[object]]:
    for name, day in sorted(times_s["24 h"].items()):
        p50, p95 = (1000 * percentile(day, each) for each in (50, 95))
        week = 1000 * percentile(times_s["7 d"][name], 95)
        plain = times_s["plain"].get(name)
        ratio = None if plain is None else 1000 * percentile(plain, 50) / p50
        yield [name, p50, p95, week, ratio, "yes" if p95 < _AIM_MS else "no"]


def fill_more(engine: Engine) -> None:
    """Write what processors say of agents, and the spans into the plain table."""
    engine.command(
        "INSERT INTO otel.stored_agent_rollups (Tenant, RunId, AgentId, Name, Type, Status,"
        " StartTime, Depth, FanOut, LlmCalls, ToolCalls, Tokens, CostUsd, WallSeconds,"
        " ModelSeconds, ToolSeconds, PathSeconds, Bucket, Version)"
        " SELECT Tenant, RunId, AgentId, Name, Type, Status, StartTime, 1, 3, 5, 5,"
        " cityHash64(AgentId) % 90000, cityHash64(AgentId) % 1000 / 1e3, 80, 50, 30,"
        " cityHash64(AgentId) % 60, Bucket, 1 FROM otel.canonical_agents WHERE Version = 1"
        f" {_QUIET}"
    )
    _plain.make(engine)
    for table, (names, attributes, duration_ms, failed) in _SOURCES.items():
        engine.command(
            "INSERT INTO plain.otel_traces (SpanId, ParentSpanId, SpanName, Timestamp,"
            " TraceId, SpanKind, ServiceName, ResourceAttributes, SpanAttributes,"
            f" Duration, StatusCode) SELECT {names}, StartTime, TraceId, 'Internal',"
            " Service, map('service.name', Service, 'deployment.environment.name',"
            f" 'production', 'fleetspan.project', Project), map({attributes},"
            " 'gen_ai.conversation.id', SessionId, 'user.id', User),"
            f" toUInt64({duration_ms} * 1e6), if({failed}, 'Error', 'Unset')"
            f" FROM otel.canonical_{table} WHERE Version = 1 {_QUIET}"
        )


def panels() -> dict[str, str]:
    """Return queries by dashboard and panel, of what has rows here."""
    found = {}
    for board in BOARDS:
        for panel in board.panels:
            name = f"{board.name}: {panel.title}"
            empty = board.name == "claude-code" or "otel_metrics" in panel.sql
            if not empty:
                found[name] = panel.sql
                if panel.edges:
                    found[f"{name}, edges"] = panel.edges
    return found


def ask_all(
    engine: Engine, queries: dict[str, str], hours: int, repeats: int
) -> dict[str, list[float]]:
    """Ask each over so many hours; return seconds by name."""
    reader = engine.reader(seconds=120, memory_bytes=8 << 30)
    known = reader.arrow(
        "SELECT RunId, toUnixTimestamp(StartTime) AS at FROM otel.canonical_runs"
        f" WHERE StartTime > now() - INTERVAL {hours} HOUR"
        " ORDER BY cityHash64(RunId) LIMIT 64"
    ).to_pylist()
    times_s: dict[str, list[float]] = {}
    for name, sql in queries.items():
        times_s[name] = []
        for repeat in range(-1, repeats):
            now_s = int(time.time())
            query = expand(
                sql,
                from_s=now_s - hours * 3600,
                to_s=now_s,
                interval_s=hours * 3600 // _POINTS,
                variables={"run": [known[(repeat + 1) % len(known)]["RunId"]]},
            )
            began_s = time.perf_counter()
            reader.raw(query, "Native")
            if repeat >= 0:
                times_s[name].append(time.perf_counter() - began_s)
    reader.close()
    return times_s


def main(data: Path, spans: int, repeats: int, parts_of_a_day: int) -> None:
    """Fill a store, ask it, and print the times; a process of its own."""
    engine = open_store(Settings(data=data))
    fill_all(engine, spans, parts_of_a_day)
    fill_more(engine)
    parts = settle(engine)
    (counted,) = engine.arrow("SELECT count() AS n FROM plain.otel_traces").to_pylist()
    (kept,) = engine.arrow(
        "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active"
        " AND database = 'plain'"
    ).to_pylist()
    report: dict[str, Any] = {
        "spans": counted["n"],
        "parts": parts,
        "plain_bytes": kept["n"],
        "times_s": {
            "24 h": ask_all(engine, panels(), 24, repeats),
            "7 d": ask_all(engine, panels(), 24 * DAYS, max(repeats // 3, 1)),
            "plain": ask_all(engine, _plain.QUERIES, 24, max(repeats // 3, 1)),
        },
    }
    engine.close()
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(each) for each in sys.argv[2:]))
