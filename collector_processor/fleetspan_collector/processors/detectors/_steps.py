"""Model calls and tool calls in one set of arrays: how long each worked, and on the path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path import (
    Category,
    Lasts,
    joins_of,
    path_of,
    timeline_of,
)
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

Seconds = NDArray[np.float64]

_ASKS_A_PERSON = frozenset(("AskUserQuestion", "ExitPlanMode"))
"""Tools whose time is a person's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Steps of a run: its model calls, then its tool calls.

    Attributes:
        calls: How many of them are model calls.
        work_s: Seconds that each worked: waiting for permission is no work, and a
            tool call that started agents or waits for some, asks a person, or has no
            known end, has none that can be told (NaN).
        wait_s: Seconds that each waited for permission before it worked.
        kind: A number for the model or the tool of each.
        kinds: ``("model", MODEL)`` or ``("tool", TOOL)`` by that number.
    """

    calls: int
    work_s: Seconds
    wait_s: Seconds
    kind: Indexes
    kinds: tuple[tuple[str, str], ...]

    def evidence(self, step: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Rows of calls and of tool calls: what a finding about a step names."""
        return ((step,), ()) if step < self.calls else ((), (step - self.calls,))

    def lasts(self, step: int, seconds: float) -> Lasts:
        """The change that has a step work for so long; its waits stay."""
        if step < self.calls:
            return Lasts(seconds, call=step)
        return Lasts(seconds + float(self.wait_s[step]), tool=step - self.calls)


@per_run
def steps_of(run: Run) -> Steps:
    """Return the run's steps."""
    calls, tools = run.llm_calls, run.tool_calls
    numbers: dict[tuple[str, str], int] = {}
    kind = [
        numbers.setdefault((sort, name), len(numbers))
        for sort, names in (
            ("model", calls.strings("Model").tolist()),
            ("tool", tools.strings("Tool").tolist()),
        )
        for name in names
    ]
    waits_s = np.nan_to_num(tools.floats("PermissionWaitMs")) / 1e3
    return Steps(
        calls=calls.count,
        work_s=np.concatenate((_call_work_s(run), _tool_work_s(run, waits_s))),
        wait_s=np.concatenate((np.zeros(calls.count), waits_s)),
        kind=np.array(kind, dtype=np.int64),
        kinds=tuple(numbers),
    )


def _call_work_s(run: Run) -> Seconds:
    timeline = timeline_of(run)
    took = (timeline.call_end - timeline.call_start) / 1e9
    return np.where(np.isnan(run.llm_calls.floats("DurationMs")), np.nan, took)


def _tool_work_s(run: Run, waits_s: Seconds) -> Seconds:
    timeline, tools = timeline_of(run), run.tool_calls
    took = (timeline.tool_end - timeline.tool_start) / 1e9 - waits_s
    names = tools.strings("Tool").tolist()
    unknown = np.isnan(tools.floats("DurationMs")) | (run.tree.spawned != NONE)
    # What such a call takes is the work of the agents that it waits for.
    unknown[list(joins_of(run).values())] = True
    if not _ASKS_A_PERSON.isdisjoint(names):
        unknown |= np.array([name in _ASKS_A_PERSON for name in names])
    return np.where(unknown, np.nan, np.maximum(took, 0))


@per_run
def path_seconds_of(run: Run) -> Seconds:
    """Seconds of each step's work that lie on the run's critical path."""
    path = path_of(run)
    took = (path.end_ns - path.start_ns) / 1e9
    parts = []
    for category, rows, count in (
        (Category.MODEL, path.call, run.llm_calls.count),
        (Category.TOOL, path.tool, run.tool_calls.count),
    ):
        counts = (path.category == category) & (rows != NONE)
        parts.append(np.bincount(rows[counts], took[counts], minlength=count))
    return np.concatenate(parts)
