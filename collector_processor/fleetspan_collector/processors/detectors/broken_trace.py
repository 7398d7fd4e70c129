"""Broken trace: the telemetry of a run is not as it should be.

Other figures of such a run may be wrong; this says where, and how often.

**Rule.** Any of these, one finding for each kind: agents whose parents go round in a circle;
agents whose parent never came; things that end before they start; times far outside the run
(1970, 2100); things of a run that has ended which nobody saw end; clocks that differ. The
last four are what the critical path had to repair (`timeline_of`), and clocks also where a
sub-agent ends later than the call that waited for it: it has nearly the length of that call
(`_FITS`), which no call has that starts an agent and goes on. In a run that still goes
on a missing end or parent is normal and is not told, and nor is a missing end of a run or an
agent that was abandoned: that is what the word says. Some feeds never tell how long model
calls take, or anything: where no model call has an end, that is not told either, and where
no tool call has one, too.

**Source.** OpenTelemetry: a span has one parent, in its own trace, and ends after it starts.

**Evidence.** The agents, calls and tool calls, `_SHOWN` of each at most; `details` has all
counts.

**Saving.** None.

**False alarms.** At most 5 % of healthy runs; sound telemetry raises none at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import timeline_of
from fleetspan_collector.processors.detectors._conversation import Floats
from fleetspan_collector.processors.detectors._wording import count_of
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, UNKNOWN_NS, Indexes, Run

_SHOWN: Final = 20
_NAMED: Final = 3
_MISSING_END: Final = "missing_end"
_SKEW: Final = "clock_skew"
_FITS: Final = 0.7
_LATE_NS: Final = 1_000_000_000
_FAR_NS: Final = 86_400_000_000_000
_ENDED: Final = ("ok", "error")

_TEXTS: Final = {
    "cyclic_parents": (Severity.LOW, "with parents that go round in a circle"),
    "missing_parent": (Severity.LOW, "with a parent that never came"),
    "end_before_start": (Severity.LOW, "with an end before the start"),
    "outside_time": (Severity.LOW, "with times far outside the run"),
    _MISSING_END: (
        Severity.INFO,
        "without an end, though the run has ended",
    ),
    _SKEW: (
        Severity.INFO,
        "with a clock that differs from the parent's",
    ),
}
"""By kind: how much it matters, and what is the case."""

_ADVICE: Final = {
    "cyclic_parents": "Find out who sets parent ids: two agents share one id, or a child "
    "is named as its own ancestor.",
    "missing_parent": "Look for spans that are sampled away, dropped when a process exits, "
    "or sent elsewhere; `fleetspan doctor` shows what was refused.",
    "end_before_start": "Take durations from a monotonic clock, and both times from one.",
    "outside_time": "Look for times that are not set (1970), or are in another unit than "
    "nanoseconds.",
    _MISSING_END: "End spans in a `finally` or `with`, and flush before the process exits.",
    _SKEW: "Synchronise the clocks of the machines (NTP).",
}

Rows = Sequence[int]


class BrokenTrace:
    """Finds telemetry that cannot be right; see the module.

    Args:
        settings: Thresholds; it has none.
    """

    name = "broken_trace"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        del settings

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        tree = run.tree
        if len(tree.cyclic):
            yield _finding(run, "cyclic_parents", tree.cyclic.tolist(), (), ())
        if len(tree.orphans) and not run.facts.open:
            yield _finding(run, "missing_parent", tree.orphans.tolist(), (), ())
        repairs = _repairs(run)
        late = _later_than_awaited(run)
        if late:
            early = repairs.get(_SKEW, ((), (), ()))
            repairs[_SKEW] = (_union(early[0], late), early[1], early[2])
        for kind, (agents, calls, tools) in repairs.items():
            if kind == _MISSING_END:
                if run.facts.status not in _ENDED:
                    continue
                agents = _of_ended(run, agents, agents)
                calls, tools = _told_of(run, calls, tools)
            if len(agents) or len(calls) or len(tools):
                yield _finding(run, kind, agents, calls, tools)


def _repairs(run: Run) -> dict[str, tuple[Rows, Rows, Rows]]:
    """What was repaired, by kind: rows of agents, calls and tool calls."""
    found: dict[str, tuple[Rows, Rows, Rows]] = {}
    for repair in timeline_of(run).repairs:
        agents, calls, tools = found.get(repair.kind, ((), (), ()))
        found[repair.kind] = (
            _union(agents, repair.agents),
            _union(calls, repair.calls),
            _union(tools, repair.tools),
        )
    return found


def _later_than_awaited(run: Run) -> Rows:
    """Sub-agents that end after the call that waited for them, as told."""
    spawn = run.tree.spawn
    rows = np.flatnonzero(spawn != NONE)
    if not len(rows):
        return ()
    agents, tools = run.agents, run.tool_calls
    calls = spawn[rows]
    starts, ends = agents.nanoseconds("StartTime")[rows], _ends(run, rows)
    call_starts = tools.nanoseconds("StartTime")[calls]
    room = tools.floats("DurationMs")[calls] * 1e6
    length = ends - starts
    late = ends - call_starts - room
    fits = (length <= room) & (length >= _FITS * room)
    once = agents.integers("Activations")[rows] <= 1
    # What is further away than that is a time that was not set, not a clock.
    apart = (late > _LATE_NS) & (late < _FAR_NS)
    skewed = fits & once & (starts >= call_starts) & apart
    found: list[int] = rows[skewed].tolist()
    return found


def _ends(run: Run, rows: Indexes) -> Floats:
    """When agents ended, Unix nanoseconds; NaN for those that have not."""
    ends = run.agents.nanoseconds("EndTime")[rows]
    return np.where(ends == UNKNOWN_NS, np.nan, ends.astype(np.float64))


def _union(some: Rows, others: Rows) -> Rows:
    joined: list[int] = np.union1d(
        np.asarray(some, np.int64), np.asarray(others, np.int64)
    ).tolist()
    return joined


def _of_ended(run: Run, rows: Rows, owners: Sequence[int]) -> Rows:
    """Of some rows those whose agent has ended, as far as its status is known."""
    status = run.agents.strings("Status")
    return [
        row
        for row, owner in zip(rows, owners, strict=True)
        if owner == NONE or status[owner] in _ENDED
    ]


def _told_of(run: Run, calls: Rows, tools: Rows) -> tuple[Rows, Rows]:
    """Calls and tool calls without an end, as far as their feed tells ends at all."""
    no_call_ends = len(calls) == run.llm_calls.count
    if no_call_ends and len(tools) == run.tool_calls.count:
        return (), ()
    tools = _of_ended(run, tools, run.tree.tool_agent[list(tools)].tolist())
    if no_call_ends:
        return (), tools
    return _of_ended(run, calls, run.tree.call_agent[list(calls)].tolist()), tools


def _finding(run: Run, kind: str, agents: Rows, calls: Rows, tools: Rows) -> Finding:
    severity, case = _TEXTS.get(
        kind, (Severity.INFO, f"that had to be repaired ({kind})")
    )
    counts = {
        "agent": len(agents),
        "llm call": len(calls),
        "tool call": len(tools),
    }
    subject = ", ".join(
        count_of(count, noun) for noun, count in counts.items() if count
    )
    examples = [
        *(run.agents.strings("AgentId")[row] for row in agents[:_NAMED]),
        *(run.llm_calls.strings("CallId")[row] for row in calls[:_NAMED]),
        *(run.tool_calls.strings("ToolCallId")[row] for row in tools[:_NAMED]),
    ][:_NAMED]
    return Finding(
        location=kind,
        severity=severity,
        what=f"{subject} {case}, for example {', '.join(examples)}.",
        advice=_ADVICE.get(kind, "Look at their times."),
        agents=tuple(agents[:_SHOWN]),
        calls=tuple(calls[:_SHOWN]),
        tools=tuple(tools[:_SHOWN]),
        seconds=0.0,
        usd=0.0,
        details={"kind": kind}
        | {f"{noun.replace(' ', '_')}s": count for noun, count in counts.items()},
    )
