"""An agent that shows no sign of life although nothing of its is known to be at work.

**Rule.** An agent that still goes on (or that was ``abandoned``) is stuck when nothing
was seen of it, its calls, tool calls and sub-agents for longer than
``detect_stuck_agent_after_s``, or than twice the longest model call of its model if that
is more: a model call is often only told of when it ends. An open tool call counts as work
for twice as long as is usual for that tool (its history, else the run's other calls of
it, three at least), and for ``detect_stuck_agent_tool_s`` where neither is known. An
agent with a sub-agent that goes on waits for it and is not stuck, so of a chain of
waiting agents only the last is named. A tool call that still waits for permission is
said to, and is a person's to answer.

**Threshold.** The original documented "stuck" and had no rule for it. In 239 recorded runs
(`routing_data.md`, 3; 9,427 pauses between messages) 99.9 % of the pauses are shorter than
90 s, and one, of 204 s, is longer than three minutes. A run is left after 15 minutes.

**Evidence.** The agent, and the call or tool call that is open.

**Saving.** The seconds for which nothing else of the run was seen either; 0 USD.

**False alarms.** At most 5 % of healthy runs: a tool that takes long for the first time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, UNKNOWN_NS, Indexes, Run

_HOUR_NS = 3_600_000_000_000
_MOST = 200
"""Agents of a run that are told of, the longest silent first."""
_WAITS = "waits for permission"
_IN_TOOL = "in a tool call"
_SILENT = "silent"
_LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """How an agent went silent.

    Attributes:
        how: One of the words above.
        allowed_s: Seconds of silence that would have been usual.
        tools: The open tool call, if there is one.
        calls: The open model call, if there is one.
    """

    how: str
    allowed_s: float
    tools: tuple[int, ...] = ()
    calls: tuple[int, ...] = ()


class StuckAgent:
    """Finds agents that show no sign of life."""

    name = "stuck_agent"
    live = True

    def __init__(self, settings: ProcessorSettings) -> None:
        self._after_s = settings.detect_stuck_agent_after_s
        self._tool_s = settings.detect_stuck_agent_tool_s

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        status = run.agents.strings("Status")
        going = (status == "running") | (status == "abandoned")
        if not going.any():
            return
        parent = run.tree.parent
        awaited = parent[going & (parent != NONE)]
        alone = going.copy()
        alone[awaited] = False
        last = _last_signs(run)
        run_last_ns = int(last.max())
        longest_first = np.flatnonzero(alone)
        longest_first = longest_first[np.argsort(last[longest_first], kind="stable")]
        for agent in longest_first[:_MOST].tolist():
            left = status[agent] == "abandoned" or run.facts.status == "abandoned"
            until = run.facts.last_activity_ns if left else run.context.now_ns
            silence = self._silence(run, agent, left=left)
            silent_s = (until - int(last[agent])) / 1e9
            if left or silent_s > silence.allowed_s:
                held_ns = until - run_last_ns
                yield _finding(
                    run, agent, silence, int(last[agent]), silent_s, held_ns / 1e9
                )

    def _silence(self, run: Run, agent: int, *, left: bool) -> _Silence:
        calls = run.llm_calls
        mine = np.flatnonzero(run.tree.call_agent == agent)
        open_calls = mine[
            np.isnan(calls.floats("DurationMs")[mine])
            & (calls.strings("Error")[mine] == "")
        ]
        allowed_s = max(self._after_s, 2 * _longest_call_s(run, mine))
        tools = run.tool_calls
        mine = np.flatnonzero(run.tree.tool_agent == agent)
        open_tools = mine[
            np.isnan(tools.floats("DurationMs")[mine])
            & np.isnan(tools.floats("Success")[mine])
        ]
        evidence_calls = tuple(open_calls[-1:].tolist())
        if not len(open_tools):
            how = _LEFT if left else _SILENT
            return _Silence(how=how, allowed_s=allowed_s, calls=evidence_calls)
        waiting = open_tools[~np.isnan(tools.floats("PermissionWaitMs")[open_tools])]
        chosen = waiting if len(waiting) else open_tools
        usual_s = max(_usual_tool_s(run, row, self._tool_s) for row in open_tools)
        return _Silence(
            how=_LEFT if left else _WAITS if len(waiting) else _IN_TOOL,
            allowed_s=allowed_s if len(waiting) else max(allowed_s, usual_s),
            tools=tuple(chosen[-1:].tolist()),
            calls=evidence_calls,
        )


def _last_signs(run: Run) -> Indexes:
    """When each agent, or what it began, was last seen, Unix ns; none from the future."""
    agents, tree = run.agents, run.tree
    latest = (run.context.now_ns or run.facts.last_activity_ns) + _HOUR_NS
    last = np.maximum(
        agents.nanoseconds("StartTime"), agents.nanoseconds("LastActivity")
    )
    last = np.where(last > latest, run.facts.start_ns, last)
    for columns, owner in (
        (run.llm_calls, tree.call_agent),
        (run.tool_calls, tree.tool_agent),
    ):
        seen = _seen_ns(columns)
        counts = (owner != NONE) & (seen <= latest)
        np.maximum.at(last, owner[counts], seen[counts])
    of_parent = tree.parent != NONE
    np.maximum.at(last, tree.parent[of_parent], last[of_parent])
    return last


def _seen_ns(columns: Columns) -> Indexes:
    start = columns.nanoseconds("StartTime")
    took_ms = np.nan_to_num(columns.floats("DurationMs"))
    # An end that lies beyond what 64 bits hold is as good as none.
    took_ns = np.clip(took_ms * 1e6, 0, 1e18).astype(np.int64)
    return np.where(start == UNKNOWN_NS, start, start + took_ns)


def _longest(durations_ms: NDArray[np.float64]) -> float:
    known = durations_ms[~np.isnan(durations_ms)]
    return float(known.max()) / 1000 if len(known) else 0.0


def _longest_call_s(run: Run, mine: Indexes) -> float:
    durations = run.llm_calls.floats("DurationMs")
    if not len(mine):
        return _longest(durations)
    model = run.llm_calls.strings("Model")[mine[-1]]
    history = run.context.baselines.of("model", model)
    return max(_longest(durations), history.p99 if history else 0.0)


def _usual_tool_s(run: Run, row: int, unknown_s: float) -> float:
    tool = run.tool_calls.strings("Tool")[row]
    history = run.context.baselines.of("tool", tool)
    same = run.tool_calls.strings("Tool") == tool
    durations = run.tool_calls.floats("DurationMs")[same]
    seen = int(np.count_nonzero(~np.isnan(durations)))
    if history is None and seen < 3:
        return unknown_s
    return 2 * max(_longest(durations), history.p99 if history else 0.0)


_ADVICE = {
    _WAITS: "Answer the permission request, or allow this tool for this agent "
    "beforehand.",
    _IN_TOOL: "See what the tool call waits for; give the tool a timeout.",
    _SILENT: "See whether the agent's process is alive; end it and start it again, or "
    "give its calls a timeout.",
    _LEFT: "See why its process ended before it was done; start it again from where it "
    "was.",
}


def _finding(
    run: Run,
    agent: int,
    silence: _Silence,
    last_ns: int,
    silent_s: float,
    held_s: float,
) -> Finding:
    agents = run.agents
    name = agents.strings("Name")[agent] or agents.strings("AgentId")[agent]
    tool = run.tool_calls.strings("Tool")[silence.tools[0]] if silence.tools else ""
    in_tool = f" in {tool}" if tool else ""
    if silence.how == _LEFT:
        what = f"Agent {name} was left{in_tool} before it had ended."
    else:
        verb = "waits for permission" if silence.how == _WAITS else "is silent"
        what = (
            f"Agent {name} {verb}{in_tool}: nothing was seen of it for "
            f"{silent_s:.0f} s, where {silence.allowed_s:.0f} s would be usual."
        )
    return Finding(
        location=f"agent:{agents.strings('AgentId')[agent]}",
        severity=Severity.MEDIUM if silence.how == _WAITS else Severity.HIGH,
        what=what,
        advice=_ADVICE[silence.how],
        agents=(agent,),
        calls=silence.calls,
        tools=silence.tools,
        seconds=max(held_s, 0.0),
        usd=0.0,
        at_ns=last_ns,
        details={
            "how": silence.how,
            "silent_s": round(max(silent_s, 0.0), 3),
            "allowed_s": silence.allowed_s,
            "tool": tool,
        },
    )
