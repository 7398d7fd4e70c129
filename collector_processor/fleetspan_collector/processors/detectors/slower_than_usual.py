"""A run, agent, tool or model call that took longer, or cost more, than it usually does.

**Rule.** Against its own history (`run.context.baselines`, at least
``detect_slower_than_usual_samples`` samples from ``detect_slower_than_usual_runs`` runs),
something is slower than usual when it took ``detect_slower_than_usual_factor`` times its
middle and ``detect_slower_than_usual_seconds`` more than it, and more than chance explains:
above the 99th percentile for one value, and further out the more values of the kind the run
has (`_history.beyond_chance`). A tool or a model is also slower when the middle one of at
least five of its calls passes the factor and the 90th percentile, and they lost so many
seconds together. Runs and agents are dearer likewise (``detect_slower_than_usual_usd``).

Only the deepest cause is named: an agent is not when slow calls of its sub-tree explain
half of its excess, nor is the run.

**Threshold.** The original compares with a baseline that a user records by hand, from 20 %
on, which is within the noise of two runs of one task (wall times of 239 recorded runs have
their 95th percentile at 2.5 times the middle). Twice the middle and beyond the 99th
percentile is not.

**Evidence.** The calls, or the agent; for the run its topmost agent.

**Saving.** `what_if` each had lasted as usual; of dollars what is beyond the middle.

**False alarms.** At most 5 % of healthy runs: a first task of a larger size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.baselines import Baseline
from fleetspan_collector.processors.critical_path import (
    path_of,
    timeline_of,
    what_if,
)
from fleetspan_collector.processors.detectors._failures import failed_calls
from fleetspan_collector.processors.detectors._history import beyond_chance, enough_of
from fleetspan_collector.processors.detectors._lasting import agent_lasts
from fleetspan_collector.processors.detectors._steps import Seconds, steps_of
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, Indexes, Run

_SHOWN = 200
_TOGETHER = 5
_ADVICE = {
    "tool": "See what changed in what the tool talks to, or in what it is asked for.",
    "model": "See whether the provider was slow, or was asked for more than before.",
    "agent": "Compare with an earlier run of this agent: its time ledger tells which "
    "part grew.",
    "run": "Compare with an earlier run: the time ledgers tell which part grew.",
}


class SlowerThanUsual:
    """Finds what took longer, or cost more, than it usually does."""

    name = "slower_than_usual"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._factor = settings.detect_slower_than_usual_factor
        self._least = {
            "seconds": settings.detect_slower_than_usual_seconds,
            "usd": settings.detect_slower_than_usual_usd,
        }

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        if not run.context.baselines.known or run.facts.open:
            return
        explained_s = np.zeros(run.agents.count + 1)
        yield from self._steps(run, explained_s)
        _hand_up(run, explained_s)
        dearer_usd = np.zeros(run.agents.count + 1)
        yield from self._agents(run, "seconds", _agent_seconds(run), explained_s)
        yield from self._agents(run, "usd", _agent_usd(run), dearer_usd)
        wall_s = path_of(run).wall_s
        yield from self._run(run, "seconds", wall_s, float(explained_s.max()))
        if run.facts.cost_usd is not None:
            cost_usd = float(run.facts.cost_usd)
            yield from self._run(run, "usd", cost_usd, float(dearer_usd.sum()))

    def _beyond(
        self, value: float, history: Baseline, looked_at: int, measure: str
    ) -> bool:
        return (
            value - history.p50 >= self._least[measure]
            and value >= self._factor * history.p50
            and value > beyond_chance(history, looked_at)
        )

    def _steps(self, run: Run, explained_s: Seconds) -> Iterator[Finding]:
        steps = steps_of(run)
        counted = ~np.isnan(steps.work_s)
        counted[: steps.calls] &= ~failed_calls(run)
        for kind, (sort, subject) in enumerate(steps.kinds):
            history = enough_of(run, sort, subject)
            if history is None:
                continue
            mine = np.flatnonzero(counted & (steps.kind == kind))
            took_s = steps.work_s[mine]
            slow = mine[self._slow(took_s, history)]
            if len(slow):
                explained_s += _excess_by_agent(run, slow, history.p50)
                yield self._step_finding(run, sort, subject, slow, history)

    def _slow(self, took_s: Seconds, history: Baseline) -> NDArray[np.bool_]:
        excess_s = took_s - history.p50
        least_s = self._least["seconds"]
        if len(took_s) >= _TOGETHER:
            middle_s = float(np.median(took_s))
            longer = middle_s >= self._factor * history.p50 and middle_s > history.p90
            if longer and excess_s.sum() >= least_s:
                return np.ones(len(took_s), dtype=bool)
        slow: NDArray[np.bool_] = (
            (excess_s >= least_s)
            & (took_s >= self._factor * history.p50)
            & (took_s > beyond_chance(history, len(took_s)))
        )
        return slow

    def _step_finding(
        self, run: Run, sort: str, subject: str, slow: Indexes, history: Baseline
    ) -> Finding:
        steps = steps_of(run)
        took_s = steps.work_s[slow]
        middle_s = float(np.median(took_s))
        # Each as much shorter as brings the middle one to what is usual.
        ratio = min(history.p50 / max(middle_s, 1e-9), 1.0)
        saved = what_if(
            run,
            *(
                steps.lasts(step, seconds)
                for step, seconds in zip(
                    slow.tolist(), (took_s * ratio).tolist(), strict=True
                )
            ),
        )
        shown = slow[:_SHOWN]
        calls = shown[shown < steps.calls]
        tools = shown[shown >= steps.calls] - steps.calls
        return Finding(
            location=f"{sort}:{subject}",
            severity=_severity(middle_s / max(history.p50, 1e-9)),
            what=f"{len(slow)} {sort} call{'s' if len(slow) > 1 else ''} ({subject}) took "
            f"{middle_s:.1f} s in the middle, where {history.p50:.1f} s is usual; the "
            f"run is {saved.saved_s:.0f} s longer for it.",
            advice=_ADVICE[sort],
            calls=tuple(calls.tolist()),
            tools=tuple(tools.tolist()),
            seconds=saved.saved_s,
            usd=0.0,
            details={
                "measure": "seconds",
                "took": round(middle_s, 3),
                **_usual(history),
            },
        )

    def _agents(
        self, run: Run, measure: str, values: Seconds, explained: Seconds
    ) -> Iterator[Finding]:
        names = _subjects(run)
        numbers: dict[str, list[int]] = {}
        for agent, name in enumerate(names):
            numbers.setdefault(name, []).append(agent)
        for name, rows in numbers.items():
            history = enough_of(run, "agent", name, measure)
            if history is None:
                continue
            for agent in rows:
                value = float(values[agent])
                if not self._beyond(value, history, len(rows), measure):
                    continue
                excess = value - history.p50
                if explained[agent] >= excess / 2:
                    continue
                explained[agent] = max(explained[agent], excess)
                yield _agent_finding(run, agent, measure, value, history)

    def _run(
        self, run: Run, measure: str, value: float, explained: float
    ) -> Iterator[Finding]:
        history = enough_of(run, "run", run.facts.name, measure)
        if history is None or not self._beyond(value, history, 1, measure):
            return
        excess = value - history.p50
        if explained >= excess / 2:
            return
        slower = measure == "seconds"
        yield Finding(
            location=f"run:{measure}",
            severity=_severity(value / max(history.p50, 1e-9)),
            what=f"The run {_said(measure, value, history)}.",
            advice=_ADVICE["run"],
            agents=tuple(np.flatnonzero(run.tree.parent == NONE)[:1].tolist()),
            seconds=excess if slower else 0.0,
            usd=0.0 if slower else excess,
            details={"measure": measure, "took": round(value, 6), **_usual(history)},
        )


def _agent_finding(
    run: Run, agent: int, measure: str, value: float, history: Baseline
) -> Finding:
    slower = measure == "seconds"
    saved = what_if(run, *agent_lasts(run, agent, history.p50)) if slower else None
    name, key = _subjects(run)[agent], run.agents.strings("AgentId")[agent]
    return Finding(
        location=f"agent:{key}:{measure}",
        severity=_severity(value / max(history.p50, 1e-9)),
        what=f"Agent {name} {_said(measure, value, history)}.",
        advice=_ADVICE["agent"],
        agents=(agent,),
        seconds=saved.saved_s if saved else 0.0,
        usd=0.0 if slower else value - history.p50,
        details={"measure": measure, "took": round(value, 6), **_usual(history)},
    )


def _said(measure: str, value: float, history: Baseline) -> str:
    if measure == "seconds":
        return f"took {value:.0f} s, where {history.p50:.0f} s is usual"
    return f"cost {value:.2f} USD, where {history.p50:.2f} USD is usual"


def _usual(history: Baseline) -> dict[str, str | int | float]:
    return {
        "usual": round(history.p50, 6),
        "p99": round(history.p99, 6),
        "samples": history.samples,
    }


def _severity(ratio: float) -> Severity:
    if ratio >= 10:
        return Severity.HIGH
    return Severity.MEDIUM if ratio >= 3 else Severity.LOW


def _subjects(run: Run) -> list[str]:
    """The names under which the history of agents is kept."""
    names, types = run.agents.strings("Name"), run.agents.strings("Type")
    return [name or kind for name, kind in zip(names, types, strict=True)]


def _agent_seconds(run: Run) -> Seconds:
    timeline = timeline_of(run)
    took: Seconds = (timeline.agent_end - timeline.agent_start) / 1e9
    return took


def _agent_usd(run: Run) -> Seconds:
    """What each agent's own calls cost."""
    owner = run.tree.call_agent
    usd = run.llm_calls.floats("CostUsd")
    counts = (owner != NONE) & ~np.isnan(usd)
    return np.bincount(owner[counts], usd[counts], minlength=run.agents.count)


def _excess_by_agent(run: Run, slow: Indexes, usual_s: float) -> Seconds:
    """Seconds beyond the usual by agent; nobody's in one more place at the end."""
    steps = steps_of(run)
    owner = np.concatenate((run.tree.call_agent, run.tree.tool_agent))[slow]
    excess_s = np.maximum(steps.work_s[slow] - usual_s, 0)
    return np.bincount(
        np.where(owner == NONE, run.agents.count, owner),
        excess_s,
        minlength=run.agents.count + 1,
    )


def _hand_up(run: Run, explained_s: Seconds) -> None:
    """Add what explains a sub-agent to all above it, in place."""
    if not explained_s.any():
        return
    parent, depth = run.tree.parent.tolist(), run.tree.depth
    for agent in np.argsort(-depth, kind="stable").tolist():
        if parent[agent] != NONE:
            explained_s[parent[agent]] += explained_s[agent]
