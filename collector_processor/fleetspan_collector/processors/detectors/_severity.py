"""How much a waste matters, by its share of what the run or the agent has cost."""

from __future__ import annotations

from typing import Final

from fleetspan_collector.processors.finding import Severity

_STEPS: Final = (
    (0.5, Severity.HIGH),
    (0.25, Severity.MEDIUM),
    (0.1, Severity.LOW),
)


def by_share(share: float) -> Severity:
    """The severity of a waste that is this share (0 to 1) of the whole."""
    for least, severity in _STEPS:
        if share >= least:
            return severity
    return Severity.INFO
