"""Faults of the telemetry itself: rows that cannot be as they are told."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Final

from tests.faults.drawing import Draw
from tests.faults.injectors.planted import Planted, Seen
from tests.faults.layout import Rows, rows_of
from tests.faults.plan import Plan, Row

_DAY_NS: Final = 86_400_000_000_000
_YEAR_2100_NS: Final = 4_102_444_800_000_000_000
_SKEW_S: Final = (120.0, 1_800.0)

Places = tuple[list[str], list[str], list[str]]


def broken_trace(draw: Draw, plan: Plan) -> Planted | None:
    """Rows of a run are damaged in one of six ways."""
    rows = copy.deepcopy(rows_of(plan))
    able = [name for name, kind in _KINDS.items() if kind[0](rows)]
    variant = draw.random.choice(able)
    agents, calls, tools = _KINDS[variant][1](draw, rows)
    return Planted(
        variant=variant,
        healthy=plan,
        faulty=plan,
        agents=agents,
        calls=calls,
        tools=tools,
        judged=(),
        seen=Seen(rows=rows),
    )


def _cycle(draw: Draw, rows: Rows) -> Places:
    """Two sub-agents, parent and child or siblings, name each other as their parent."""
    first, second = draw.random.sample(rows.agents[1:], 2)
    first["ParentAgentId"] = second["AgentId"]
    second["ParentAgentId"] = first["AgentId"]
    return [first["AgentId"], second["AgentId"]], [], []


def _orphan(draw: Draw, rows: Rows) -> Places:
    """An agent's parent never came."""
    child = draw.random.choice(rows.agents[1:])
    child["ParentAgentId"] = draw.id("agent")
    return [child["AgentId"]], [], []


def _backwards(draw: Draw, rows: Rows) -> Places:
    """Calls, tool calls or an agent end before they start."""
    chosen = draw.random.sample(rows.calls, min(2, len(rows.calls)))
    for row in chosen:
        row["DurationMs"] = -draw.between(50.0, 60_000.0)
    agent = draw.random.choice(rows.agents)
    if len(rows.agents) > 1 and draw.chance(0.5):
        agent = draw.random.choice(rows.agents[1:])
        agent["EndTime"] = agent["StartTime"] - round(draw.between(1, 60) * 1e9)
        return [agent["AgentId"]], _ids(chosen, "CallId"), []
    return [], _ids(chosen, "CallId"), []


def _outside(draw: Draw, rows: Rows) -> Places:
    """Some rows say 1970 or 2100."""
    share = max(1, len(rows.tools) // 20)
    chosen = draw.random.sample(rows.tools, share)
    for row in chosen:
        far = draw.random.choice((0, _YEAR_2100_NS))
        row["StartTime"] = far + draw.whole(0, _DAY_NS)
    return [], [], _ids(chosen, "ToolCallId")


def _unended(draw: Draw, rows: Rows) -> Places:
    """Nobody saw some tool calls, or a sub-agent, end, though the run is over."""
    chosen = draw.random.sample(rows.tools, min(len(rows.tools), draw.whole(1, 3)))
    for row in chosen:
        row |= {"DurationMs": None, "Success": None, "ResultHash": ""}
        row["ResultBytes"] = None
    return [], [], _ids(chosen, "ToolCallId")


def _skewed(draw: Draw, rows: Rows) -> Places:
    """A sub-agent's clock is minutes away from that of the others."""
    child = draw.random.choice(_spawned_leaves(rows))
    by_ns = round(draw.between(*_SKEW_S) * 1e9) * draw.random.choice((-1, 1))
    own = [row for row in (*rows.calls, *rows.tools) if _of(row, child)]
    for row in (child, *own):
        for name in ("StartTime", "EndTime", "LastActivity"):
            if row.get(name) is not None:
                row[name] += by_ns
    return [child["AgentId"]], [], [child["SpawnToolCallId"]]


def _spawned_leaves(rows: Rows) -> list[Row]:
    parents = {row["ParentAgentId"] for row in rows.agents}
    waiting = {
        row["ToolCallId"] for row in rows.tools if (row["DurationMs"] or 0) > 1e3
    }
    return [
        row
        for row in rows.agents
        if row.get("SpawnToolCallId") in waiting and row["AgentId"] not in parents
    ]


def _of(row: Row, agent: Row) -> bool:
    return bool(row["AgentId"] == agent["AgentId"])


def _ids(rows: list[Row], name: str) -> list[str]:
    return [str(row[name]) for row in rows]


_Kind = tuple[Callable[[Rows], object], Callable[[Draw, Rows], Places]]
_KINDS: Final[Mapping[str, _Kind]] = {
    "cycle of parents": (lambda rows: len(rows.agents) > 2, _cycle),
    "parent that never came": (lambda rows: len(rows.agents) > 1, _orphan),
    "end before start": (lambda rows: len(rows.calls) > 1, _backwards),
    "1970 or 2100": (lambda rows: len(rows.tools) > 10, _outside),
    "never ended": (lambda rows: rows.tools, _unended),
    "clock skew": (_spawned_leaves, _skewed),
}
