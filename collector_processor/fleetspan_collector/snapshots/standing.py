"""How a run stood at a moment: counters, and who was at work on what.

From canonical rows that had started by then. Something is *running* at a moment when it
had started and had not ended: what is known now of its end counts, so that late reports
make an old snapshot better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.processors.run import NONE, UNKNOWN_NS, Indexes, Run
from fleetspan_collector.snapshots.amounts import end_ns, summed

MOST_AGENTS: Final = 1000
MOST_TOOLS: Final = 500
MOST_FAILURES: Final = 20
"""What a snapshot lists at most; its counters count everything."""

LONGEST_TEXT: Final = 4000
_TOKENS: Final = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens")
_NOW: Final = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How much there had been of everything by a moment; None is unknown.

    Attributes:
        agents: Agents that had started.
        agents_running: Of these, how many had not ended.
        agents_failed: Of these, how many had ended in an error.
        llm_calls: Calls that had started.
        tool_calls: Tool calls that had started.
        tools_running: Of these, how many had not ended.
        errors: Calls and tool calls that had failed.
        tokens: Input without cache, cache reads, cache writes, output.
        cost_usd: What the calls cost.
    """

    agents: int
    agents_running: int
    agents_failed: int
    llm_calls: int
    tool_calls: int
    tools_running: int
    errors: int
    tokens: tuple[int | None, int | None, int | None, int | None]
    cost_usd: float | None


class Standings:
    """How one run stood, at any moment.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        agents, calls, tools = run.agents, run.llm_calls, run.tool_calls
        self._agent_start = agents.nanoseconds("StartTime")
        ended = agents.nanoseconds("EndTime")
        self._agent_end = np.where(ended == UNKNOWN_NS, _NOW, ended)
        self._call_start = calls.nanoseconds("StartTime")
        # A call that nobody saw end is not known to run: calls are told of at their end.
        ended = end_ns(calls)
        self._call_end = np.where(ended == UNKNOWN_NS, self._call_start, ended)
        self._tool_start = tools.nanoseconds("StartTime")
        self._tool_end = self._ends_of_tools(tools)

    def _ends_of_tools(self, tools: Columns) -> Indexes:
        """When tool calls ended; those that failed, or gave a result, are not running."""
        ended = end_ns(tools)
        over = np.isfinite(tools.floats("Success")) | (tools.strings("Error") != "")
        return np.where(
            ended != UNKNOWN_NS, ended, np.where(over, self._tool_start, _NOW)
        )

    @cached_property
    def _sorted(self) -> tuple[Indexes, ...]:
        return tuple(
            np.sort(times)
            for times in (
                *(self._agent_start, self._agent_end, self._call_start),
                *(self._call_end, self._tool_start, self._tool_end),
            )
        )

    @cached_property
    def _used(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Tokens and cost up to each end of a call, in order of the ends."""
        calls, order = self._run.llm_calls, np.argsort(self._call_end, kind="stable")
        cost = np.nan_to_num(calls.floats("CostUsd"))
        return np.cumsum(summed(calls, _TOKENS)[order]), np.cumsum(cost[order])

    @cached_property
    def _told(self) -> int:
        """How much is told of agents in words: it comes late, and changes no time."""
        agents = self._run.agents
        return sum(
            len(text)
            for name in ("Name", "Task", "Error")
            for text in agents.strings(name).tolist()
        )

    def mark(self, at_ns: int) -> tuple[float, ...]:
        """What a snapshot of a moment says, in few numbers: another one says otherwise."""
        counts = [
            int(np.searchsorted(times, at_ns, side="right")) for times in self._sorted
        ]
        ended = counts[3]
        tokens, cost = (
            float(total[ended - 1]) if ended else 0.0 for total in self._used
        )
        return (*counts, tokens, cost, self._told)

    def counters(self, at_ns: int) -> Counters:
        """Count what there had been by a moment."""
        run = self._run
        began = self._agent_start <= at_ns
        ended = began & (self._agent_end <= at_ns)
        called = self._call_start <= at_ns
        answered = called & (self._call_end <= at_ns)
        used = self._tool_start <= at_ns
        returned = used & (self._tool_end <= at_ns)
        failed_calls = answered & (run.llm_calls.strings("Error") != "")
        failed_tools = returned & self._tool_failed
        cost = run.llm_calls.floats("CostUsd")[answered]
        return Counters(
            agents=int(began.sum()),
            agents_running=int((began & ~ended).sum()),
            agents_failed=int(
                (ended & (run.agents.strings("Status") == "error")).sum()
            ),
            llm_calls=int(called.sum()),
            tool_calls=int(used.sum()),
            tools_running=int((used & ~returned).sum()),
            errors=int(failed_calls.sum() + failed_tools.sum()),
            tokens=tuple(  # type: ignore[arg-type]
                _total(run.llm_calls.floats(name)[answered]) for name in _TOKENS
            ),
            cost_usd=float(np.nansum(cost)) if np.isfinite(cost).any() else None,
        )

    @cached_property
    def _tool_failed(self) -> NDArray[np.bool_]:
        tools = self._run.tool_calls
        failed: NDArray[np.bool_] = (tools.floats("Success") == 0) | (
            tools.strings("Error") != ""
        )
        return failed

    def tree(self, at_ns: int) -> dict[str, Any]:
        """Return agents, running tools and the latest failures, as JSON holds them.

        Of more than can be listed: agents that run, then those that ended last; tool
        calls that began last.
        """
        began = np.flatnonzero(self._agent_start <= at_ns)
        ended = self._agent_end[began] <= at_ns
        order = np.lexsort((-self._agent_end[began], ended))
        listed = np.sort(began[order[:MOST_AGENTS]])
        used = self._tool_start <= at_ns
        running = np.flatnonzero(used & (self._tool_end > at_ns))
        failed = np.flatnonzero(used & (self._tool_end <= at_ns) & self._tool_failed)
        latest = failed[np.argsort(self._tool_end[failed], kind="stable")]
        return {
            "agents": self._agents(listed, at_ns),
            "agents_left_out": len(began) - len(listed),
            "running_tools": [
                self._tool(row) for row in running[-MOST_TOOLS:].tolist()
            ],
            "running_tools_left_out": max(len(running) - MOST_TOOLS, 0),
            "failures": [
                {**self._tool(row), "error": _cut(self._tools("Error")[row])}
                for row in latest[-MOST_FAILURES:].tolist()
            ],
        }

    def _tools(self, name: str) -> NDArray[np.object_]:
        return self._run.tool_calls.strings(name)

    def _tool(self, row: int) -> dict[str, Any]:
        return {
            "tool_call_id": self._tools("ToolCallId")[row],
            "agent_id": self._tools("AgentId")[row],
            "tool": self._tools("Tool")[row],
            "started_at_ns": int(self._tool_start[row]),
        }

    def _agents(self, rows: Indexes, at_ns: int) -> list[dict[str, Any]]:
        run, tree = self._run, self._run.tree
        answered = (self._call_start <= at_ns) & (self._call_end <= at_ns)
        used = self._tool_start <= at_ns
        calls = _per_agent(tree.call_agent, answered, run.agents.count)
        tools = _per_agent(tree.tool_agent, used, run.agents.count)
        context = self._contexts(answered)
        returned = self._returned(at_ns)
        text = {
            name: run.agents.strings(name)
            for name in ("AgentId", "ParentAgentId", "Name", "Type", "Model", "Task")
        }
        status, error = run.agents.strings("Status"), run.agents.strings("Error")
        found = []
        for row in rows.tolist():
            over = bool(self._agent_end[row] <= at_ns)
            failed = over and status[row] == "error"
            found.append(
                {
                    "agent_id": text["AgentId"][row],
                    "parent_agent_id": text["ParentAgentId"][row] or None,
                    "name": text["Name"][row],
                    "type": text["Type"][row],
                    "model": text["Model"][row],
                    "task": _cut(text["Task"][row]),
                    "status": "failed" if failed else "done" if over else "running",
                    # How it stands as far as is known now.
                    "status_now": status[row],
                    "error": _cut(error[row]) if failed else "",
                    "started_at_ns": int(self._agent_start[row]),
                    "ended_at_ns": int(self._agent_end[row]) if over else None,
                    "llm_calls": int(calls[row]),
                    "tool_calls": int(tools[row]),
                    "returned": returned.get(row, {}),
                    "context_tokens": context.get(row),
                }
            )
        return found

    @cached_property
    def _tool_names(self) -> tuple[list[str], Indexes]:
        names, code = np.unique(self._tools("Tool").astype(str), return_inverse=True)
        return names.tolist(), code

    def _returned(self, at_ns: int) -> Mapping[int, Mapping[str, int]]:
        """For each agent how many calls of each tool had given a result, most first."""
        names, code = self._tool_names
        owner = self._run.tree.tool_agent
        over = (self._tool_start <= at_ns) & (self._tool_end <= at_ns)
        chosen = over & ~self._tool_failed & (owner != NONE)
        pairs, counts = np.unique(
            owner[chosen] * max(len(names), 1) + code[chosen], return_counts=True
        )
        found: dict[int, dict[str, int]] = {}
        for place in np.argsort(-counts, kind="stable").tolist():
            agent, name = divmod(int(pairs[place]), len(names))
            found.setdefault(agent, {})[names[name]] = int(counts[place])
        return found

    def _contexts(self, answered: NDArray[np.bool_]) -> Mapping[int, int]:
        """Input tokens of the latest request of each agent, cache included."""
        calls = self._run.llm_calls
        size = summed(calls, _TOKENS[:3])
        owner = self._run.tree.call_agent
        rows = np.flatnonzero(answered & (owner != NONE) & (size > 0))
        return dict(
            zip(owner[rows].tolist(), size[rows].astype(int).tolist(), strict=True)
        )


def _per_agent(owner: Indexes, chosen: NDArray[np.bool_], count: int) -> Indexes:
    return np.bincount(owner[chosen & (owner != NONE)], minlength=count)


def _total(values: NDArray[np.float64]) -> int | None:
    return int(np.nansum(values)) if np.isfinite(values).any() else None


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " …"
