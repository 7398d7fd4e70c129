"""Times for a plan, and a run from it: the only place where rows get their times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.derive.call_costs import price_calls
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors import schema
from fleetspan_collector.processors.baselines import Baselines
from fleetspan_collector.processors.run import Context, Run, RunFacts, make_run
from tests.collector_processor.processors.building import table
from tests.faults.plan import (
    Agent,
    Block,
    Call,
    Child,
    Join,
    Pause,
    Plan,
    Row,
    Spawn,
    Together,
    Tool,
)

PRICES: Final = PriceBook()
_SPAWN_OVER_S: Final = 0.02
_BACKGROUND_S: Final = 0.15
_NEVER_ENDED: Final = ("running", "abandoned")


@dataclass(slots=True)
class Rows:
    """Rows of a run with their times, in Unix nanoseconds.

    Attributes:
        agents: Rows in the layout of `schema.AGENTS`.
        calls: Rows in the layout of `schema.LLM_CALLS`.
        tools: Rows in the layout of `schema.TOOL_CALLS`.
    """

    agents: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)
    tools: list[Row] = field(default_factory=list)


def rows_of(plan: Plan) -> Rows:
    """Lay a plan out in time."""
    laid = _Layout()
    laid.agent(plan.root, plan.start_ns, parent="", spawned_by="")
    return laid.rows


def run_of(plan: Plan, baselines: Baselines | None = None) -> Run:
    """Lay a plan out and return the run, ended, a second later."""
    return make(plan, rows_of(plan), baselines=baselines)


def make(
    plan: Plan,
    rows: Rows,
    *,
    now_ns: int | None = None,
    baselines: Baselines | None = None,
) -> Run:
    """Make a run of rows, and price its calls.

    Args:
        plan: Which run it is.
        rows: Its rows.
        now_ns: The present; None for a second after the last end.
        baselines: What has been usual.
    """
    start_ns, last_ns = span_ns(rows)
    said = str(rows.agents[0]["Status"])
    calls = _priced(table(rows.calls, schema.LLM_CALLS, "CallId"))
    costs = [usd for usd in calls["CostUsd"].to_pylist() if usd is not None]
    return make_run(
        RunFacts(
            run_id=plan.run_id,
            name=plan.name,
            status=said,
            start_ns=start_ns,
            end_ns=None if said in _NEVER_ENDED else last_ns,
            last_activity_ns=last_ns,
            cost_usd=sum(costs) if costs else None,
            version=1,
        ),
        agents=table(rows.agents, schema.AGENTS, "AgentId"),
        llm_calls=calls,
        tool_calls=table(rows.tools, schema.TOOL_CALLS, "ToolCallId"),
        files=table([], schema.FILES, "Path"),
        context=Context(
            prices=PRICES,
            now_ns=last_ns + 1_000_000_000 if now_ns is None else now_ns,
            baselines=baselines or Baselines(),
        ),
    )


def span_ns(rows: Rows) -> tuple[int, int]:
    """Return the first start and the last sign of life of rows."""
    starts = [row["StartTime"] for row in (*rows.agents, *rows.calls, *rows.tools)]
    ends = [row["EndTime"] or row["LastActivity"] for row in rows.agents]
    ends += [end_ns(row) for row in (*rows.calls, *rows.tools)]
    return min(starts), max(ends)


def wall_s(rows: Rows) -> float:
    """Return the seconds from the first start to the last end."""
    start_ns, last_ns = span_ns(rows)
    return (last_ns - start_ns) / 1e9


def end_ns(row: Row) -> int:
    """Return when a call or tool call ended; its start when nobody saw it end."""
    return int(row["StartTime"] + round((row["DurationMs"] or 0) * 1e6))


def as_seen(rows: Rows, now_ns: int) -> Rows:
    """Return what a collector knows of a run at a moment while it goes on.

    Tool calls are known from their start on, model calls only once they have ended.
    """
    calls = [row for row in rows.calls if end_ns(row) <= now_ns]
    tools = [
        row if end_ns(row) <= now_ns else _unfinished(row)
        for row in rows.tools
        if row["StartTime"] <= now_ns
    ]
    signs: dict[str, int] = {}
    for row in (*calls, *tools):
        owner = row["AgentId"]
        signs[owner] = max(signs.get(owner, 0), end_ns(row))
    agents = [
        row if row["EndTime"] and row["EndTime"] <= now_ns else _running(row, signs)
        for row in rows.agents
        if row["StartTime"] <= now_ns
    ]
    return Rows(agents, calls, tools)


def _unfinished(row: Row) -> Row:
    gone = {"DurationMs": None, "Success": None, "Error": "", "PermissionWaitMs": None}
    return row | gone | {"ResultHash": "", "ResultBytes": None}


def _running(row: Row, signs: dict[str, int]) -> Row:
    last = max(row["StartTime"], signs.get(row["AgentId"], 0))
    return row | {"EndTime": None, "LastActivity": last, "Status": "running"}


def _priced(calls: pa.Table) -> pa.Table:
    at = calls.schema.get_field_index("CostUsd")
    costs = price_calls(PRICES, calls).cost_column
    return calls.set_column(at, "CostUsd", costs)


class _Layout:
    def __init__(self) -> None:
        self.rows = Rows()

    def agent(self, agent: Agent, start: int, parent: str, spawned_by: str) -> int:
        """Lay out an agent and everybody below it; return when it ends."""
        row = {
            "Activations": 1,
            "Status": "ok",
            "TimeSource": "event",
            **agent.row,
            "ParentAgentId": parent,
            "SpawnToolCallId": spawned_by,
            "StartTime": start,
        }
        self.rows.agents.append(row)
        here, background = start, start
        for step in agent.steps:
            if isinstance(step, Join):
                end = max(here + ns(0.05), background + ns(_SPAWN_OVER_S))
                self._tool(agent.id, step.row, here, end - here)
                here = end
            elif isinstance(step, Spawn):
                here, last = self._spawn(agent.id, step, here)
                background = max(background, last)
            else:
                here = self._step(agent.id, step, here)
        row["EndTime"] = row["LastActivity"] = here
        return here

    def _step(
        self, owner: str, step: Call | Tool | Together | Pause | Block, here: int
    ) -> int:
        if isinstance(step, Call):
            self.rows.calls.append(
                {
                    "Attempts": 1,
                    **step.row,
                    "AgentId": owner,
                    "StartTime": here,
                    "DurationMs": ns(step.seconds) / 1e6,
                }
            )
            return here + ns(step.seconds)
        if isinstance(step, Tool):
            return self._planned(owner, step, here)
        if isinstance(step, Together):
            return max(self._planned(owner, tool, here) for tool in step.tools)
        if isinstance(step, Block):
            self._block(step, here)
        return here + ns(step.seconds)

    def _planned(self, owner: str, tool: Tool, here: int) -> int:
        wait = ns(tool.permission_s)
        row = tool.row | ({"PermissionWaitMs": wait / 1e6} if wait else {})
        took = wait + ns(tool.seconds)
        self._tool(owner, row, here, took)
        return here + took

    def _tool(self, owner: str, row: Row, start: int, took: int) -> None:
        given = {"AgentId": owner, "StartTime": start, "DurationMs": took / 1e6}
        self.rows.tools.append(
            {"Success": 1, "TimeSource": "event", "PermissionWaitMs": 0.0, **row}
            | given
        )

    def _spawn(self, owner: str, spawn: Spawn, here: int) -> tuple[int, int]:
        """Return when the parent goes on, and when the last child has ended."""
        ends: list[int] = []
        start = here
        for number, child in enumerate(spawn.children):
            if number:
                start += ns(spawn.apart_s)
            at_work = sorted(end for end in ends if end > start)
            if spawn.at_once and len(at_work) >= spawn.at_once:
                start = at_work[len(at_work) - spawn.at_once] + ns(spawn.apart_s)
            ends.append(self._child(owner, child, start, spawn.background))
        last = max(ends)
        return (start + ns(_BACKGROUND_S) if spawn.background else last), last

    def _child(self, owner: str, child: Child, start: int, background: bool) -> int:
        spawned_by = str(child.spawn["ToolCallId"]) if child.spawn else ""
        end = self.agent(child.agent, start + ns(child.queue_s), owner, spawned_by)
        if child.spawn is None:
            return end
        over = start + ns(_BACKGROUND_S) if background else end + ns(_SPAWN_OVER_S)
        self._tool(owner, child.spawn, start, over - start)
        return max(end, over)

    def _block(self, block: Block, here: int) -> None:
        times = ("StartTime", "EndTime", "LastActivity")
        for given, rows in (
            (block.agents, self.rows.agents),
            (block.calls, self.rows.calls),
            (block.tools, self.rows.tools),
        ):
            for row in given:
                moved = {
                    name: row[name] + here
                    for name in times
                    if row.get(name) is not None
                }
                rows.append(row | moved)


def ns(seconds: float) -> int:
    """Return seconds as nanoseconds."""
    return round(seconds * 1e9)


def usd(run: Run) -> float:
    """Return what all priced calls of a run cost together."""
    costs: list[Any] = run.llm_calls.table["CostUsd"].to_pylist()
    return float(sum(each for each in costs if each is not None))
