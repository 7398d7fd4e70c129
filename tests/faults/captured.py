"""Claude Code's captures as plans: what their real feeds come to in a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.processors import schema
from tests.collector_processor.claude_code import captures
from tests.collector_processor.embedded import Embedded, embedded
from tests.faults.plan import Agent, Block, Call, Pause, Plan, Row, Step, Tool

HEALTHY: Final = ("tree", "default", "sdk", "five", "background", "message")
"""Captures in which nothing went wrong on purpose."""

_TIMES: Final = ("StartTime", "EndTime", "LastActivity")
_LAID_OUT: Final = ("StartTime", "DurationMs", "AgentId")


def load(folder: Path) -> list[Plan]:
    """Take the healthy captures with all feeds into a store, and return their runs.

    Args:
        folder: Where the store is made; only one can be open in a process.
    """
    with embedded(folder) as store:
        for name in HEALTHY:
            captures.take(store, captures.deliveries(name), tenant=name)
        return [plan for name in HEALTHY for plan in _plans(store, name)]


def _plans(store: Embedded, tenant: str) -> Iterator[Plan]:
    for run in store.rows("runs", f"Tenant = '{tenant}' AND Agents > 0", "RunId"):
        of_run = f"Tenant = '{tenant}' AND RunId = '{run['RunId']}'"
        rows = {
            table: _rows(store, table, of_run, layout)
            for table, layout in (
                ("agents", schema.AGENTS),
                ("llm_calls", schema.LLM_CALLS),
                ("tool_calls", schema.TOOL_CALLS),
            )
        }
        if rows["llm_calls"]:
            yield _plan(tenant, str(run["RunId"]), rows)


def _rows(
    store: Embedded, table: str, condition: str, layout: pa.Schema
) -> list[dict[str, Any]]:
    columns = ", ".join(
        f"toUnixTimestamp64Nano({name}) AS {name}"
        if pa.types.is_timestamp(kind)
        else f"ifNull({name}, '') AS {name}"
        if pa.types.is_string(kind)
        else f"toFloat64({name}) AS {name}"
        if pa.types.is_floating(kind)
        else name
        for name, kind in zip(layout.names, layout.types, strict=True)
    )
    text = store.engine.raw(
        f"SELECT {columns} FROM otel.{table} WHERE {condition}", "Arrow"
    )
    found = pa.ipc.open_file(text).read_all()
    return list(found.to_pylist())


def _plan(name: str, run_id: str, rows: dict[str, list[Row]]) -> Plan:
    main = next(row for row in rows["agents"] if row["ParentAgentId"] == "")
    others = [row for row in rows["agents"] if row is not main]
    spans = [("agents", row, _end(row)) for row in others]
    spans += [("calls", row, _end(row)) for row in rows["llm_calls"]]
    spans += [("tools", row, _end(row)) for row in rows["tool_calls"]]
    spans.sort(key=lambda each: int(each[1]["StartTime"]))
    start = min(int(main["StartTime"]), int(spans[0][1]["StartTime"]))
    own = {key: value for key, value in main.items() if key not in _TIMES}
    own.pop("ParentAgentId")
    root = Agent(row=own | {"Status": "ok"})
    here = start
    for group in _overlapping(spans):
        first = int(group[0][1]["StartTime"])
        last = max(end for _, _, end in group)
        if first > here:
            root.steps.append(Pause(seconds=(first - here) / 1e9))
        root.steps.append(_step(root.id, group, first, last))
        here = last
    if _end(main) > here:
        root.steps.append(Pause(seconds=(_end(main) - here) / 1e9))
    return Plan(
        run_id=f"{name}/{run_id}",
        name=f"claude-code {name}",
        origin="capture",
        start_ns=start,
        root=root,
    )


_Span = tuple[str, Row, int]


def _overlapping(spans: list[_Span]) -> Iterator[list[_Span]]:
    """Yield rows in groups that no moment divides."""
    group: list[_Span] = []
    until = 0
    for span in spans:
        if group and int(span[1]["StartTime"]) >= until:
            yield group
            group = []
        group.append(span)
        until = max(until, span[2]) if len(group) > 1 else span[2]
    if group:
        yield group


def _step(owner: str, group: list[_Span], first: int, last: int) -> Step:
    seconds = (last - first) / 1e9
    if len(group) == 1 and group[0][1]["AgentId"] == owner:
        kind, row, _ = group[0]
        kept = {key: value for key, value in row.items() if key not in _LAID_OUT}
        if kind == "calls":
            return Call(seconds=seconds, row=kept)
        wait_s = (kept.pop("PermissionWaitMs") or 0.0) / 1e3
        return Tool(seconds=max(seconds - wait_s, 0.0), permission_s=wait_s, row=kept)
    block = Block(seconds=seconds)
    lists = {"agents": block.agents, "calls": block.calls, "tools": block.tools}
    for kind, row, _ in group:
        moved = {
            name: row[name] - first for name in _TIMES if row.get(name) is not None
        }
        lists[kind].append(row | moved)
    return block


def _end(row: Row) -> int:
    if "LastActivity" in row:
        return int(row["EndTime"] or row["LastActivity"])
    return int(row["StartTime"] + round((row["DurationMs"] or 0) * 1e6))
