"""What all findings of a run would save together: no second and no dollar twice.

Two findings may be about the same time or the same calls: a loop that also waits for rate
limits. The larger saving counts first; of the others only what their evidence has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from fleetspan_collector.processors.critical_path import path_of
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.run import Run


def saved_together(run: Run, findings: Sequence[Finding]) -> tuple[float, float]:
    """Seconds and US dollars that the findings of a run save together.

    Seconds never exceed the wall time, dollars never the cost of the run's calls.
    """
    usd = run.llm_calls.floats("CostUsd")
    seconds = _together(
        [(finding.seconds or 0.0, finding) for finding in findings],
        path_of(run).wall_s,
    )
    return seconds, _together(
        [(finding.usd or 0.0, finding) for finding in findings],
        float(np.nansum(usd)) if len(usd) else 0.0,
    )


def _together(savings: Iterable[tuple[float, Finding]], most: float) -> float:
    """Sum of savings; of those that share a piece of evidence the largest counts."""
    total = 0.0
    claimed: set[tuple[str, int]] = set()
    for saving, finding in sorted(savings, key=lambda each: -each[0]):
        if saving <= 0:
            continue
        evidence = {
            *(("call", row) for row in finding.calls),
            *(("tool", row) for row in finding.tools),
        } or {("agent", row) for row in finding.agents}
        free = evidence - claimed
        if evidence:
            # Evidence that others have claimed takes its share of the saving with it.
            saving *= len(free) / len(evidence)
        claimed |= evidence
        total += saving
    return min(total, most)
