"""The rows of a phase added up: at most one per run and run name, agent, tool or model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns, codes
from fleetspan_collector.insights.figures import TOKENS
from fleetspan_collector.insights.noise import Floats
from fleetspan_collector.insights.phase import Phase

ByRun = tuple[NDArray[np.object_], NDArray[np.int64], dict[str, Floats]]
"""Of each row: what it is of, the row of its run, and amounts (NaN: not known)."""

Reads = Callable[[Phase], ByRun]


def of_runs(phase: Phase) -> ByRun:
    """Runs, by their names."""
    runs = phase.runs
    kinds = [runs.floats(f"{name}_tokens") for name in TOKENS]
    unknown = np.all([np.isnan(kind) for kind in kinds], axis=0)
    tokens = np.where(unknown, np.nan, np.sum([*map(np.nan_to_num, kinds)], axis=0))
    wall = runs.floats("wall_s")
    failed = (runs.integers("errors") > 0) | (runs.strings("status") == "error")
    columns = {
        "seconds": np.where(wall >= 0, wall, np.nan),
        "usd": runs.floats("cost_usd"),
        "tokens": tokens,
        "failures": failed.astype(np.float64),
    }
    return runs.strings("name"), np.arange(runs.count), columns


def of_agents(phase: Phase) -> ByRun:
    """Agents, by their names; what they cost is what their own calls cost."""
    names = ("agents", "timed", "failures", "seconds", "path_s")
    subject, run, columns = _added(
        phase, phase.agents, "name", *names, unknown=("path_s",)
    )
    callers, call_run, costs = _added(
        phase, phase.calls, "agent", "usd", unknown=("usd",)
    )
    cost = dict(
        zip(
            zip(call_run.tolist(), callers.tolist(), strict=True),
            costs["usd"].tolist(),
            strict=True,
        )
    )
    keys = zip(run.tolist(), subject.tolist(), strict=True)
    columns["usd"] = np.array([cost.get(key, np.nan) for key in keys], dtype=np.float64)
    return subject, run, columns


def of_tools(phase: Phase) -> ByRun:
    """Tools, by their names."""
    names = ("calls", "timed", "failures", "answered", "seconds")
    return _added(phase, phase.tools, "tool", *names)


def of_models(phase: Phase) -> ByRun:
    """Models, by their names."""
    names = ("calls", "timed", "failures", "seconds", "priced")
    tokens = ("input", "cache_read", "cache_write")
    subject, run, columns = _added(
        phase,
        phase.calls,
        "model",
        *names,
        *tokens,
        "usd",
        unknown=(*tokens, "usd"),
    )
    parts = [np.nan_to_num(columns[name]) for name in tokens]
    columns["read"] = np.sum(parts, axis=0)
    return subject, run, columns


def _added(
    phase: Phase,
    table: Columns,
    subject: str,
    *names: str,
    unknown: tuple[str, ...] = (),
) -> ByRun:
    """Add columns up by run and subject; a sum of nothing known is not known."""
    run, subjects = phase.run_rows(table), table.strings(subject)
    if not table.count:
        return subjects, run, {name: np.zeros(0) for name in names}
    code, _ = codes(subjects)
    key = run * (int(code.max()) + 1) + code
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    columns: dict[str, Floats] = {}
    for name in names:
        values = table.floats(name)
        known = np.isfinite(values)
        sums = np.bincount(place, np.where(known, values, 0.0), len(first))
        added = sums.astype(np.float64)
        if name in unknown:
            added[np.bincount(place, known, len(first)) == 0] = np.nan
        columns[name] = added
    return subjects[first], run[first], columns
