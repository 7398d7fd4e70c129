"""What all findings of a run would save together: no second and no dollar twice.

Two findings may be about the same time or the same calls: a straggler, and the step that
made it one. What a finding is about are the calls and tool calls that prove it; where it
names none, all that its agents and their sub-agents did. The largest saving counts
first; of every other one only the share that nobody before was about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path import path_of
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.run import NONE, Run
from fleetspan_collector.processors.sums import sum_by_row

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Weights:
    """What each piece of a run weighs: its seconds on the critical path, or its dollars."""

    agents: Floats
    calls: Floats
    tools: Floats

    def of(self, about: _About) -> float:
        return float(
            self.agents[about.agents].sum()
            + self.calls[about.calls].sum()
            + self.tools[about.tools].sum()
        )


@dataclass(frozen=True, slots=True)
class _About:
    """Pieces of a run that findings are about."""

    agents: Mask
    calls: Mask
    tools: Mask

    def without(self, other: _About) -> _About:
        return _About(
            self.agents & ~other.agents,
            self.calls & ~other.calls,
            self.tools & ~other.tools,
        )

    def add(self, other: _About) -> None:
        self.agents[other.agents] = True
        self.calls[other.calls] = True
        self.tools[other.tools] = True


def saved_together(run: Run, findings: Sequence[Finding]) -> tuple[float, float]:
    """Seconds and US dollars that the findings of a run save together.

    Seconds never exceed the wall time, dollars never the cost of the run's calls.
    """
    if not findings:
        return 0.0, 0.0
    seconds, usd = _seconds(run), _usd(run)
    subtree = _Subtrees(run)
    return (
        _together(findings, lambda each: each.seconds, seconds, subtree),
        _together(findings, lambda each: each.usd, usd, subtree),
    )


def _together(
    findings: Sequence[Finding],
    saving_of: Callable[[Finding], float | None],
    weights: _Weights,
    subtrees: _Subtrees,
) -> float:
    total, claimed = 0.0, subtrees.nothing()
    ordered = sorted(findings, key=lambda each: -(saving_of(each) or 0.0))
    for finding in ordered:
        saving = saving_of(finding) or 0.0
        if saving <= 0:
            break
        about = subtrees.about(finding)
        whole = weights.of(about)
        # What weighs nothing, such as a wait that no call is named for, is its own.
        share = weights.of(about.without(claimed)) / whole if whole > 0 else 1.0
        total += saving * share
        claimed.add(about)
    most = weights.agents.sum() + weights.calls.sum() + weights.tools.sum()
    return float(min(total, most))


def _seconds(run: Run) -> _Weights:
    path = path_of(run)
    took = (path.end_ns - path.start_ns) / 1e9
    rest = (path.call == NONE) & (path.tool == NONE)
    return _Weights(
        agents=sum_by_row(np.where(rest, path.agent, NONE), took, run.agents.count),
        calls=sum_by_row(path.call, took, run.llm_calls.count),
        tools=sum_by_row(path.tool, took, run.tool_calls.count),
    )


def _usd(run: Run) -> _Weights:
    return _Weights(
        agents=np.zeros(run.agents.count),
        calls=np.nan_to_num(run.llm_calls.floats("CostUsd"), posinf=0.0, neginf=0.0),
        tools=np.zeros(run.tool_calls.count),
    )


class _Subtrees:
    """Who and what is below an agent: agents by a walk through the tree, parents first."""

    def __init__(self, run: Run) -> None:
        self._run = run
        parent = run.tree.parent
        count = len(parent)
        sizes = np.ones(count, dtype=np.int64)
        deepest_first = np.argsort(-run.tree.depth, kind="stable").tolist()
        for agent in deepest_first:
            if parent[agent] != NONE:
                sizes[parent[agent]] += sizes[agent]
        first = np.zeros(count, dtype=np.int64)
        free, top = first.copy(), 0
        for agent in deepest_first[::-1]:
            above = parent[agent]
            if above == NONE:
                first[agent], top = top, top + sizes[agent]
            else:
                first[agent] = free[above]
                free[above] += sizes[agent]
            free[agent] = first[agent] + 1
        self._first, self._sizes = first, sizes

    def nothing(self) -> _About:
        run = self._run
        return _About(
            np.zeros(run.agents.count, dtype=bool),
            np.zeros(run.llm_calls.count, dtype=bool),
            np.zeros(run.tool_calls.count, dtype=bool),
        )

    def about(self, finding: Finding) -> _About:
        about = self.nothing()
        if finding.calls or finding.tools:
            about.calls[list(finding.calls)] = True
            about.tools[list(finding.tools)] = True
            return about
        agents = list(finding.agents)
        edges = np.zeros(len(self._first) + 1, dtype=np.int64)
        np.add.at(edges, self._first[agents], 1)
        np.add.at(edges, self._first[agents] + self._sizes[agents], -1)
        below = np.cumsum(edges)[self._first] > 0
        about.agents[below] = True
        for mask, owner in (
            (about.calls, self._run.tree.call_agent),
            (about.tools, self._run.tree.tool_agent),
        ):
            owned = owner != NONE
            mask[owned] = below[owner[owned]]
        return about
