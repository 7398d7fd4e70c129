"""What makes up a phase: its run names, agents, tools and models, and what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fleetspan_collector.insights._by_run import (
    ByRun,
    of_agents,
    of_models,
    of_runs,
    of_tools,
)
from fleetspan_collector.insights.figures import cache_share, known, total
from fleetspan_collector.insights.measures import Dimension
from fleetspan_collector.insights.noise import Floats
from fleetspan_collector.insights.phase import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One run name, agent, tool or model of a phase.

    Attributes:
        subject: Its name.
        runs: In how many runs it was.
        times: How many runs, agents or calls there were.
        p50_s: The middle of its length in seconds, of runs that have it.
        p95_s: 95 of 100 runs had at most this.
        seconds: All of its time; for agents with the time of those they wait for.
        usd: What it cost; None when not known, and for tools.
        failures: How many failed.
        failed_share: The same as a share, 0 to 1.
        path_s: Of an agent: seconds of the critical paths of its runs that are its own.
        cache_share: Of a model: the part of what it read that came from a cache.
    """

    subject: str
    runs: int
    times: int
    p50_s: float | None
    p95_s: float | None
    seconds: float | None
    usd: float | None
    failures: int
    failed_share: float | None
    path_s: float | None
    cache_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One kind of failure.

    Attributes:
        kind: ``tool``, ``model`` or ``agent``.
        name: Which.
        error: The class of the error.
        times: How often.
        before: How often in the earlier phase; None without one.
        runs: In how many runs.
        run_ids: Some of these, the latest first.
        span_ids: Some spans, likewise.
    """

    kind: str
    name: str
    error: str
    times: int
    before: int | None
    runs: int
    run_ids: list[str]
    span_ids: list[str]


def parts_of(phase: Phase) -> dict[Dimension, list[Part]]:
    """Return the parts of a phase: the dearest run names, agents and models first.

    Tools have no cost and stand by the time that they take.
    """
    return {
        "run": _parts(of_runs(phase), ""),
        "agent": _parts(of_agents(phase), "agents"),
        "tool": _parts(of_tools(phase), "calls"),
        "model": _parts(of_models(phase), "calls"),
    }


def failures_of(phase: Phase, before: Phase | None) -> list[Failure]:
    """Return what failed, most often first."""
    earlier = {
        (row["kind"], row["name"], row["error"]): int(row["times"])
        for row in (before.errors.to_pylist() if before else ())
    }
    return [
        Failure(
            **row,
            before=earlier.get((row["kind"], row["name"], row["error"]), 0)
            if before
            else None,
        )
        for row in phase.errors.to_pylist()
    ]


def _parts(rows: ByRun, count: str) -> list[Part]:
    subjects, _, columns = rows
    if not len(subjects):
        return []
    names, place = np.unique(subjects.astype(str), return_inverse=True)
    order = np.argsort(place, kind="stable")
    cuts = np.cumsum(np.bincount(place, minlength=len(names)))[:-1]
    found = [
        _part(name, {key: column[inside] for key, column in columns.items()}, count)
        for name, inside in zip(names.tolist(), np.split(order, cuts), strict=True)
    ]
    return sorted(
        found, key=lambda each: (-(each.usd or 0), -(each.seconds or 0), each.subject)
    )


def _part(name: str, columns: Mapping[str, Floats], count: str) -> Part:
    ones = np.ones(len(columns["seconds"]))
    times = int((columns[count] if count else ones).sum())
    answered = int(columns["answered"].sum()) if "answered" in columns else times
    shared = columns.get("timed", ones)
    timed = np.isfinite(columns["seconds"]) & (shared > 0)
    lengths = columns["seconds"][timed] / shared[timed]
    failures = int(columns["failures"].sum())
    return Part(
        subject=name,
        runs=len(ones),
        times=times,
        p50_s=float(np.median(lengths)) if len(lengths) else None,
        p95_s=float(np.quantile(lengths, 0.95)) if len(lengths) else None,
        seconds=total(columns["seconds"][timed]),
        usd=total(known(columns["usd"])) if "usd" in columns else None,
        failures=failures,
        failed_share=failures / answered if answered else None,
        path_s=total(known(columns["path_s"])) if "path_s" in columns else None,
        cache_share=_cached(columns) if "cache_read" in columns else None,
    )


def _cached(columns: Mapping[str, Floats]) -> float | None:
    names = ("input", "cache_read", "cache_write")
    return cache_share(*(total(known(columns[name])) for name in names))
