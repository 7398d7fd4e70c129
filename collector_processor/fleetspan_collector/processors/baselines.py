"""How long, and how dear, runs, agents, tools and model calls have been before.

The store keeps t-digest states by hour (`baseline_store`); a run is held against what
was recorded before the hour in which it began, never against itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["run", "agent", "tool", "model"]
Measure = Literal["seconds", "usd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What has been usual.

    Attributes:
        samples: How many there were.
        runs: In how many runs.
        p50: The middle, in the unit of the measure.
        p90: Nine of ten were at most this.
        p95: 95 of 100 were at most this.
        p99: 99 of 100 were at most this.
    """

    samples: int
    runs: int
    p50: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Baselines:
    """Baselines by what they are of.

    Attributes:
        known: By kind, subject (name of the run, agent, tool or model) and measure.
    """

    known: Mapping[tuple[Kind, str, Measure], Baseline] = field(default_factory=dict)

    def of(
        self, kind: Kind, subject: str, measure: Measure = "seconds"
    ) -> Baseline | None:
        """What has been usual; None when there is no history."""
        return self.known.get((kind, subject, measure))
