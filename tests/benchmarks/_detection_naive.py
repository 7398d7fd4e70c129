"""What one gets without detecting anything, and what the original system's rules find.

The original's rules are held against runs alone: whether they alarm in a run with the
fault, wherever. They say neither a place that could be wrong nor a saving that is more
than a constant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleetspan_collector._columns import Columns
from fleetspan_collector.processors.run import UNKNOWN_NS, Indexes, Run

_SLOW_SHARE: Final = 0.3
_SEQUENTIAL_AGENTS: Final = 3
_OVERLAP: Final = 0.3
_SAMPLES: Final = 3
_AVERAGE_S: Final = 5.0
_P95_S: Final = 10.0
_FAILURES: Final = 3
_FAILURE_SHARE: Final = 0.5


@dataclass(slots=True, kw_only=True)
class Alarms:
    """Runs in which something alarms.

    Attributes:
        planted: Runs with the fault.
        right: Of these, how many alarmed.
        others: Runs without it.
        wrong: Of these, how many alarmed.
        real: Healthy real runs.
        real_wrong: Of these, how many alarmed.
    """

    planted: int = 0
    right: int = 0
    others: int = 0
    wrong: int = 0
    real: int = 0
    real_wrong: int = 0

    @property
    def precision(self) -> float | None:
        """Of the runs in which it alarmed, the share with the fault."""
        said = self.right + self.wrong
        return self.right / said if said else None

    @property
    def recall(self) -> float | None:
        """Of the runs with the fault, the share in which it alarmed."""
        return self.right / self.planted if self.planted else None

    @property
    def always(self) -> float | None:
        """Precision of always saying yes, and of saying it by chance at any rate."""
        runs = self.planted + self.others
        return self.planted / runs if runs else None


def slow_agent(run: Run) -> bool:
    """A sub-agent, or the only agent, takes 30 % of the wall time or more."""
    below = _below(run)
    wall_ns = run.facts.last_activity_ns - run.facts.start_ns
    return any(end - start >= _SLOW_SHARE * wall_ns for start, end in below)


def sequential(run: Run) -> bool:
    """Three sub-agents or more, and 1 - wall / sum of their durations is below 0.3."""
    below = _below(run)
    busy = sum(end - start for start, end in below)
    if len(below) < _SEQUENTIAL_AGENTS or busy <= 0:
        return False
    wall = max(end for _, end in below) - min(start for start, _ in below)
    return 1 - wall / busy < _OVERLAP


def bottleneck(run: Run) -> bool:
    """A tool with three samples averages more than 5 s, or has a p95 above 10 s."""
    seconds = run.tool_calls.floats("DurationMs") / 1e3
    for rows in _by(run.tool_calls, "Tool").values():
        known = seconds[rows][~np.isnan(seconds[rows])]
        if len(known) >= _SAMPLES and (
            known.mean() > _AVERAGE_S or np.quantile(known, 0.95) > _P95_S
        ):
            return True
    return False


def repeated_command(run: Run) -> bool:
    """The same tool is called with the same arguments twice."""
    tools = run.tool_calls
    pairs = zip(tools.strings("Tool"), tools.strings("ArgumentsHash"), strict=True)
    counts = Counter(pair for pair in pairs if pair[1])
    return any(count > 1 for count in counts.values())


def failures(run: Run) -> bool:
    """A tool fails three times or more, in half of its calls or more."""
    success = run.tool_calls.floats("Success")
    for rows in _by(run.tool_calls, "Tool").values():
        failed = int((success[rows] == 0).sum())
        if failed >= _FAILURES and failed >= _FAILURE_SHARE * len(rows):
            return True
    return False


ORIGINAL: Final[Mapping[str, Callable[[Run], bool]]] = {
    "dominating_step": slow_agent,
    "serialised_subagents": sequential,
    "slower_than_usual": bottleneck,
    "no_progress_loop": repeated_command,
    "failing_tool": failures,
}
"""The original system's rule for a fault, where it had one."""


def _below(run: Run) -> list[tuple[int, int]]:
    """Return start and end of all ended agents but the topmost, unless it is alone."""
    times = zip(
        run.agents.nanoseconds("StartTime").tolist(),
        run.agents.nanoseconds("EndTime").tolist(),
        run.tree.parent.tolist(),
        strict=True,
    )
    alone = run.agents.count == 1
    return [
        (start, end)
        for start, end, parent in times
        if end != UNKNOWN_NS and (alone or parent >= 0)
    ]


def _by(columns: Columns, name: str) -> Mapping[str, Indexes]:
    names = columns.strings(name)
    return {each: np.flatnonzero(names == each) for each in set(names.tolist())}
