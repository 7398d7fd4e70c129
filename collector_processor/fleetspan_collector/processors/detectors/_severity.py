"""How much a waste matters, by its share of what the run has cost."""

from __future__ import annotations

from typing import Final

from fleetspan_collector.processors.finding import Severity
from fleetspan_collector.processors.run import Run

_STEPS: Final = (
    (0.5, Severity.HIGH),
    (0.25, Severity.MEDIUM),
    (0.1, Severity.LOW),
)


def by_cost(run: Run, usd: float | None, share: float) -> Severity:
    """Return the severity of a waste of money.

    Args:
        run: The run.
        usd: US dollars wasted; None when that is not known.
        share: Which share (0 to 1) of what the agent's calls cost, or had as input, for
            when the cost of the run is not known.
    """
    if usd is not None and run.facts.cost_usd:
        share = usd / run.facts.cost_usd
    for least, severity in _STEPS:
        if share >= least:
            return severity
    return Severity.INFO
