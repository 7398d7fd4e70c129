"""What has been usual, worked out from healthy runs without the product's own store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.baselines import Baseline, Baselines, Kind, Measure
from fleetspan_collector.processors.run import UNKNOWN_NS, Run

_Key = tuple[Kind, str, Measure]
_QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)


def baselines_of(runs: Iterable[Run]) -> Baselines:
    """Return quantiles of runs, agents, tools and models over some runs."""
    values: dict[_Key, list[float]] = defaultdict(list)
    seen: dict[_Key, int] = defaultdict(int)
    for run in runs:
        of_run: dict[_Key, list[float]] = defaultdict(list)
        _collect(run, of_run)
        for key, numbers in of_run.items():
            values[key] += numbers
            seen[key] += 1
    return Baselines({key: _baseline(each, seen[key]) for key, each in values.items()})


def _baseline(numbers: list[float], runs: int) -> Baseline:
    p50, p90, p95, p99 = (float(each) for each in np.quantile(numbers, _QUANTILES))
    return Baseline(samples=len(numbers), runs=runs, p50=p50, p90=p90, p95=p95, p99=p99)


def _collect(run: Run, found: dict[_Key, list[float]]) -> None:
    facts, agents = run.facts, run.agents
    if facts.end_ns is not None:
        seconds = (facts.end_ns - facts.start_ns) / 1e9
        found["run", facts.name, "seconds"].append(seconds)
    if facts.cost_usd is not None:
        found["run", facts.name, "usd"].append(facts.cost_usd)
    ends = agents.nanoseconds("EndTime")
    took = (ends - agents.nanoseconds("StartTime")) / 1e9
    usd = _usd_by_agent(run)
    for row, name in enumerate(agents.strings("Name")):
        if ends[row] != UNKNOWN_NS:
            found["agent", name, "seconds"].append(float(took[row]))
        if usd[row] > 0:
            found["agent", name, "usd"].append(float(usd[row]))
    for kind, columns, name in (
        ("tool", run.tool_calls, "Tool"),
        ("model", run.llm_calls, "Model"),
    ):
        seconds_of = columns.floats("DurationMs") / 1e3
        for subject, seconds in zip(columns.strings(name), seconds_of, strict=True):
            if seconds >= 0:
                key: _Key = ("tool" if kind == "tool" else "model", subject, "seconds")
                found[key].append(float(seconds))


def _usd_by_agent(run: Run) -> NDArray[np.float64]:
    usd = np.nan_to_num(run.llm_calls.floats("CostUsd"))
    owners = run.tree.call_agent
    known = owners >= 0
    summed = np.bincount(owners[known], usd[known], minlength=run.agents.count)
    return summed.astype(np.float64)
