"""Failing tool: one tool fails in a large share of its calls.

**Rule.** At least ``detect_failing_tool_failures`` calls of one tool failed, and at least
``detect_failing_tool_share`` of those that ended: in the whole run, or, where the run as a
whole is well, in one agent. The same call that failed in the same way again counts once, in
both numbers: that is a retry or a loop, and has detectors of its own.

**Source.** The original system: at least 3 failures and at least 50 %. On 239 public runs
the shell commands of no run failed that often; nine of ten failed in under 15 %.

**Evidence.** The failed calls and the model calls that asked for nothing else.

**Saving.** The run without these (`what_if`), and what later calls would have cost less
without carrying them along (`_carried`).

**False alarms.** At most 5 % of healthy runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import Removed, what_if
from fleetspan_collector.processors.detectors._carried import carried_usd
from fleetspan_collector.processors.detectors._conversation import (
    askers_of,
    numbered,
)
from fleetspan_collector.processors.detectors._wording import agent_name, count_of
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, Indexes, Run

_SURE: Final = 0.8
_MOST: Final = 10


class FailingTool:
    """Finds tools that mostly fail; see the module.

    Args:
        settings: Thresholds.
    """

    name = "failing_tool"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._failures = settings.detect_failing_tool_failures
        self._share = settings.detect_failing_tool_share

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        success = run.tool_calls.floats("Success")
        failed = np.flatnonzero(success == 0)
        if len(failed) < self._failures:
            return
        names = Counter(run.tool_calls.strings("Tool")[failed].tolist())
        if max(names.values()) < self._failures:
            return
        ended = np.flatnonzero(~np.isnan(success))
        tool = numbered(run.tool_calls.strings("Tool"))
        # Where the run as a whole is well, an agent may still fail.
        place = numbered(
            run.tool_calls.strings("Tool"), run.tool_calls.strings("AgentId")
        )
        # To leave out repeats never makes a share larger: most runs end here.
        fails = success[ended] == 0
        if not len(self._bad(tool[ended], fails)) + len(
            self._bad(place[ended], fails, more=1)
        ):
            return
        counted = _without_repeats(run, ended, failed)
        bad = self._bad(tool[counted], success[counted] == 0)
        left = counted[~np.isin(tool[counted], bad)]
        worse = self._bad(place[left], success[left] == 0, more=1)
        for numbers, groups in ((tool, bad), (place, worse)):
            failures = np.bincount(numbers[failed], minlength=int(numbers.max()) + 1)
            most = np.argsort(-failures[groups], kind="stable")[:_MOST]
            for each in groups[most].tolist():
                rows = failed[numbers[failed] == each]
                calls = int(np.count_nonzero(numbers[ended] == each))
                yield _finding(run, rows, calls, everywhere=numbers is tool)

    def _bad(
        self, groups: Indexes, failed: NDArray[np.bool_], more: int = 0
    ) -> Indexes:
        """The groups that fail too often."""
        size = int(groups.max(initial=-1)) + 1
        calls = np.bincount(groups, minlength=size)
        failures = np.bincount(groups[failed], minlength=size)
        return np.flatnonzero(
            (failures >= self._failures + more) & (failures >= self._share * calls)
        )


def _without_repeats(run: Run, ended: Indexes, failed: Indexes) -> Indexes:
    """Calls that ended, but of those that failed alike only the first."""
    tools = run.tool_calls
    arguments = tools.strings("ArgumentsHash")
    alike = numbered(
        tools.strings("Tool")[failed],
        tools.strings("AgentId")[failed],
        arguments[failed],
        tools.strings("Error")[failed],
    )
    _, first = np.unique(alike, return_index=True)
    again = np.ones(len(failed), dtype=bool)
    again[first] = False
    again[arguments[failed] == ""] = False
    return np.setdiff1d(ended, failed[again])


def _finding(run: Run, rows: Indexes, calls: int, *, everywhere: bool) -> Finding:
    tools = run.tool_calls
    tool = tools.strings("Tool")[rows[0]]
    agents = np.unique(run.tree.tool_agent[rows])
    agents = agents[agents != NONE]
    wasted = _wasted_calls(run, rows)
    saved = what_if(
        run, Removed(tools=tuple(rows.tolist()), calls=tuple(wasted.tolist()))
    )
    errors = Counter(text for text in tools.strings("Error")[rows].tolist() if text)
    error = errors.most_common(1)[0][0][:200] if errors else ""
    where, location = "", tool
    if not everywhere:
        location = f"{tool}/{tools.strings('AgentId')[rows[0]]}"
        where = f" by {agent_name(run, int(agents[0]))}" if len(agents) else ""
    share = len(rows) / calls
    return Finding(
        location=location,
        severity=Severity.HIGH if share >= _SURE else Severity.MEDIUM,
        what=f"{len(rows)} of {count_of(calls, 'call')} of {tool or 'a tool'}{where} "
        "failed" + (f', mostly with "{error}".' if error else "."),
        advice=f"Repair {tool or 'the tool'}, say in its description what it needs, or "
        "take it from the agent.",
        agents=tuple(agents.tolist()),
        calls=tuple(wasted.tolist()),
        tools=tuple(rows.tolist()),
        seconds=saved.saved_s,
        usd=None
        if saved.saved_usd is None
        else saved.saved_usd + carried_usd(run, wasted),
        details={
            "failures": len(rows),
            "calls": calls,
            "share": round(share, 4),
            "error": error,
        },
    )


def _wasted_calls(run: Run, failed: Indexes) -> Indexes:
    """The model calls that asked for failed tool calls and for nothing else."""
    askers = askers_of(run)
    asked = np.unique(askers[failed])
    well = np.ones(len(askers), dtype=bool)
    well[failed] = False
    return np.setdiff1d(asked[asked != NONE], askers[well])
