"""The time ledger: where the wall time of runs went, along their critical paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleetspan_collector._columns import Columns

CATEGORIES: Final[Mapping[str, str]] = {
    "model": "models",
    "tool": "tools",
    "subagent": "waiting for sub-agents",
    "permission": "waiting for permission",
    "queue": "queueing",
    "backoff": "back-off before retries",
    "gap": "untracked",
}
"""What each part of the ledger is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where time went, in seconds; every second of wall time is in exactly one part.

    Attributes:
        runs: How many runs it is of: those that are analysed and have ended.
        wall_s: Their wall time.
        seconds: By category.
        busy_s: Work of all agents, whatever ran side by side.
    """

    runs: int
    wall_s: float
    seconds: dict[str, float]
    busy_s: float

    def share(self, category: str) -> float | None:
        """The part of a category, 0 to 1; None when there is no time at all."""
        return self.seconds[category] / self.wall_s if self.wall_s else None


def ledger_of(runs: Columns) -> Ledger | None:
    """Add up the ledgers of runs; None when none of them is known."""
    known = np.isfinite(runs.floats("path_s"))
    if not known.any():
        return None

    def total(name: str) -> float:
        return float(np.nansum(runs.floats(name)[known]))

    return Ledger(
        runs=int(known.sum()),
        wall_s=total("path_s"),
        seconds={name: total(f"{name}_s") for name in CATEGORIES},
        busy_s=total("busy_s"),
    )
