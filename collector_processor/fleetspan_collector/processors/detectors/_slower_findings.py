"""The words of what is slower, or dearer, than usual."""

from __future__ import annotations

from typing import Final

import numpy as np

from fleetspan_collector.processors.critical_path import WhatIf
from fleetspan_collector.processors.detectors._history import Group
from fleetspan_collector.processors.detectors._steps import steps_of
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Indexes, Run

_SHOWN: Final = 200
_ADVICE: Final = {
    "tool": "See what changed in what the tool talks to, or in what it is asked for.",
    "model": "See whether the provider was slow, or was asked for more than before.",
    "agent": "Compare with an earlier run of this agent: its time ledger tells which "
    "part grew.",
    "run": "Compare with an earlier run: the time ledgers tell which part grew.",
}


def steps_finding(run: Run, group: Group, saved: WhatIf) -> Finding:
    """Say that the calls of a tool or a model are slow."""
    steps, shown = steps_of(run), group.rows[:_SHOWN]
    count = len(group.rows)
    return Finding(
        location=f"{group.kind}:{group.subject}",
        severity=_severity(1 / max(group.ratio, 1e-9)),
        what=f"{group.subject} ({group.kind}) took {group.middle:.1f} s"
        f"{f' in the middle of {count} calls' if count > 1 else ''}, where "
        f"{group.history.p50:.1f} s is usual; the run is {saved.saved_s:.0f} s longer "
        "for it.",
        advice=_ADVICE[group.kind],
        calls=tuple(shown[shown < steps.calls].tolist()),
        tools=tuple((shown[shown >= steps.calls] - steps.calls).tolist()),
        seconds=saved.saved_s,
        usd=0.0,
        details=_details(group, "seconds"),
    )


def agents_finding(run: Run, group: Group, measure: str, saved: float) -> Finding:
    """Say that agents of one name are slow, or dear."""
    slower = measure == "seconds"
    keys, count = run.agents.strings("AgentId"), len(group.rows)
    who = f"Agent {group.subject}"
    if count > 1:
        who = f"The middle one of {count} agents {group.subject}"
    return Finding(
        location=f"agent:{keys[group.rows[0]]}:{measure}",
        severity=_severity(1 / max(group.ratio, 1e-9)),
        what=f"{who} {_said(measure, group.middle, group.history.p50)}.",
        advice=_ADVICE["agent"],
        agents=tuple(group.rows[:_SHOWN].tolist()),
        seconds=saved if slower else 0.0,
        usd=0.0 if slower else saved,
        details=_details(group, measure),
    )


def run_finding(
    run: Run, measure: str, *, took: float, usual: float, saved: float, agents: Indexes
) -> Finding:
    """Say that a run is slow, or dear, as a whole.

    Args:
        run: The run.
        measure: ``seconds`` or ``usd``.
        took: What it took.
        usual: What it usually takes.
        saved: What it would save to be usual.
        agents: Rows of the agents that prove it.
    """
    slower = measure == "seconds"
    return Finding(
        location=f"run:{measure}",
        severity=_severity(took / max(usual, 1e-9)),
        what=f"The run {_said(measure, took, usual)}.",
        advice=_ADVICE["run"],
        agents=tuple(np.asarray(agents)[:_SHOWN].tolist()),
        seconds=saved if slower else 0.0,
        usd=0.0 if slower else saved,
        details={
            "measure": measure,
            "took": round(took, 6),
            "usual": round(usual, 6),
        },
    )


def _said(measure: str, value: float, usual: float) -> str:
    if measure == "seconds":
        return f"took {value:.0f} s, where {usual:.0f} s is usual"
    return f"cost {value:.2f} USD, where {usual:.2f} USD is usual"


def _details(group: Group, measure: str) -> dict[str, str | int | float]:
    return {
        "measure": measure,
        "took": round(group.middle, 6),
        "usual": round(group.history.p50, 6),
        "p99": round(group.history.p99, 6),
        "samples": group.history.samples,
    }


def _severity(ratio: float) -> Severity:
    if ratio >= 10:
        return Severity.HIGH
    return Severity.MEDIUM if ratio >= 3 else Severity.LOW
