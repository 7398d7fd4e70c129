"""One model or tool call that takes up a run, and is far out of line with its kind.

**Rule.** A call whose work (waits apart) holds at least ``detect_dominating_step_share``
of the critical path's time without permission waits and back-off; that takes at least
``detect_dominating_step_seconds`` longer than usual for its kind; and that is at least
``detect_dominating_step_factor`` times as long as the longest other call of its kind in
the run. Its kind is its model or its tool. With fewer than ``detect_dominating_step_peers``
others in the run, the history of the model or tool stands in for them (99th percentile for
the longest); without history nothing is said: the only step of a short run dominates it
of necessity. A model call that wrote much is usual for what it wrote (seconds per output
token, as the others took; 50 tokens a second without others), and a call of an agent that
is slow in everything is usual for that agent.

**Threshold.** 30 % is the original's share of wall time ("slow"). In 239 recorded runs
(`routing_data.md`, 3) the longest model or tool call holds more than that in six, each a
model call that wrote thousands of tokens at the usual rate; none of them passes the factor
of two.

**Evidence.** The call.

**Saving.** `what_if` it had lasted as long as the middle one of its kind. 0 USD.

**False alarms.** At most 5 % of healthy runs: the one long test run of a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import Category, path_of, what_if
from fleetspan_collector.processors.detectors._agent_time import step_agents
from fleetspan_collector.processors.detectors._history import enough_of, middle_of
from fleetspan_collector.processors.detectors._steps import (
    Steps,
    path_seconds_of,
    steps_of,
)
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Indexes, Run

_TOKEN_S: Final = 0.02
_LEAST_S: Final = 0.01
_STEPS: Final = 4
"""Other steps of an agent that tell whether it is slow in everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usual:
    """What is usual for a step.

    Attributes:
        middle_s: Seconds that the middle one of its kind takes.
        longest_s: Seconds of the longest.
        of: Where that comes from: ``this run`` or ``its history``.
    """

    middle_s: float
    longest_s: float
    of: str


class DominatingStep:
    """Finds single calls that take up a run."""

    name = "dominating_step"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._settings = settings
        self._share = settings.detect_dominating_step_share
        self._seconds = settings.detect_dominating_step_seconds
        self._factor = settings.detect_dominating_step_factor
        self._peers = settings.detect_dominating_step_peers

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        least_ms = 1000 * self._seconds
        if not any(
            (columns.floats("DurationMs") >= least_ms).any()
            for columns in (run.llm_calls, run.tool_calls)
        ):
            return
        path, steps = path_of(run), steps_of(run)
        waits_s = path.seconds.get(Category.PERMISSION, 0.0)
        waits_s += path.seconds.get(Category.BACKOFF, 0.0)
        at_work_s = path.wall_s - waits_s
        least_s = max(self._share * at_work_s, self._seconds)
        for step in np.flatnonzero(path_seconds_of(run) >= least_s).tolist():
            usual = self._usual(run, steps, step)
            if usual is not None and self._dominates(float(steps.work_s[step]), usual):
                yield from self._judged(run, steps, step, usual, at_work_s)

    def _usual(self, run: Run, steps: Steps, step: int) -> _Usual | None:
        same = steps.kind == steps.kind[step]
        same[step] = False
        others = np.flatnonzero(same & ~np.isnan(steps.work_s))
        if len(others) >= self._peers:
            middle_s = middle_of(steps.work_s[others])
            longest_s = float(steps.work_s[others].max())
            told_s = _for_what_it_wrote_s(run, steps, step, others)
            pace = _pace(run, steps, step)
            return _Usual(
                middle_s=max(middle_s, told_s) * pace,
                longest_s=max(longest_s, told_s * pace),
                of="this run",
            )
        history = enough_of(run, *steps.kinds[steps.kind[step]])
        if history is None:
            return None
        told_s = _for_what_it_wrote_s(run, steps, step, np.empty(0, dtype=np.int64))
        return _Usual(
            middle_s=max(history.p50, told_s),
            longest_s=max(history.p99, told_s),
            of="its history",
        )

    def _dominates(self, took_s: float, usual: _Usual) -> bool:
        return (
            took_s >= self._factor * usual.longest_s
            and took_s - usual.middle_s >= self._seconds
        )

    def _judged(
        self, run: Run, steps: Steps, step: int, usual: _Usual, at_work_s: float
    ) -> Iterator[Finding]:
        saved = what_if(run, steps.lasts(step, usual.middle_s))
        if saved.saved_s < self._seconds / 2:
            return
        sort, name = steps.kinds[steps.kind[step]]
        took_s = float(steps.work_s[step])
        share = float(path_seconds_of(run)[step]) / at_work_s
        calls, tools = steps.evidence(step)
        yield Finding(
            location=_location(run, steps, step),
            severity=Severity.HIGH if share >= 0.5 else Severity.MEDIUM,
            what=f"One {sort} call ({name}) took {took_s:.0f} s, {share:.0%} of the "
            f"run's critical path; by {usual.of} {usual.middle_s:.1f} s is usual.",
            advice="Split it, run it in the background, narrow what it works on, or "
            "give it a time limit."
            if sort == "tool"
            else "Ask for less at once, or see whether the provider was slow.",
            calls=calls,
            tools=tools,
            seconds=saved.saved_s,
            usd=0.0,
            details={
                "took_s": round(took_s, 3),
                "usual_s": round(usual.middle_s, 3),
                "share": round(share, 4),
                "usual_by": usual.of,
            },
        )


def _for_what_it_wrote_s(run: Run, steps: Steps, step: int, others: Indexes) -> float:
    """Seconds that the others would have taken to write as much; 0 when unknown."""
    if step >= steps.calls:
        return 0.0
    written = run.llm_calls.floats("OutputTokens")
    if np.isnan(written[step]):
        return 0.0
    rates = steps.work_s[others] / np.maximum(written[others], 1)
    rates = rates[~np.isnan(rates)]
    return float(written[step]) * (float(np.median(rates)) if len(rates) else _TOKEN_S)


def _pace(run: Run, steps: Steps, step: int) -> float:
    """How many times as long as their kinds the agent's other steps take; at least 1."""
    owner = step_agents(run)
    mine = (owner == owner[step]) & ~np.isnan(steps.work_s)
    mine[step] = False
    paces = []
    for kind in np.unique(steps.kind[mine]).tolist():
        same = (steps.kind == kind) & ~np.isnan(steps.work_s)
        beside = same & (owner != owner[step])
        if beside.any():
            usual_s = max(float(np.median(steps.work_s[beside])), _LEAST_S)
            paces.append(steps.work_s[mine & same] / usual_s)
    if not paces:
        return 1.0
    all_paces = np.concatenate(paces)
    if len(all_paces) < _STEPS:
        return 1.0
    return max(float(np.median(all_paces)), 1.0)


def _location(run: Run, steps: Steps, step: int) -> str:
    if step < steps.calls:
        return f"call:{run.llm_calls.strings('CallId')[step]}"
    return f"tool:{run.tool_calls.strings('ToolCallId')[step - steps.calls]}"
