"""Limits on how many sub-agents are at work at a time, as far as times can tell.

Jobs are sub-agents that are waited for (or the spawn calls that wait for them), with one
parent, in the order of their start, until nobody is at work for `_LATE_NS`, or until
their parent does something else. The most that were ever at work at once is the bound.
Were it a limit, then once it was reached, the first end would let the next job begin, the
second end the one after that, and so on. A job that began later than its turn came, and
later than the job before it, by at most `_LATE_NS` and `_LATE_SHARE` of the time of the
middle job, is *explained*, if what had ended last when it began was a job, too. It
*shows* the limit if, besides, it came as late after its turn at most, and more than
`_PACE` times as long after the job before it as the first jobs followed each other, so
that it was no steady pace that began it.

There was a limit where the bound is two or more, at least `_SEVERAL` jobs and half of
those that came after the first show it, and four of five are explained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleetspan_collector.derive import tree as forest
from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._timeline import timeline_of
from fleetspan_collector.processors.critical_path._waiting import WAITED, Role
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

_SEVERAL: Final = 3
_SHOWN_SHARE: Final = 0.5
_EXPLAINED_SHARE: Final = 0.8
_LATE_NS: Final = 10**9
_LATE_SHARE: Final = 0.1
_PACE: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Jobs that waited for a place; jobs are things of the run's graph.

    Attributes:
        series: For each job under a limit the number of its limit.
        at_once: By limit how many jobs may be at work.
        free_ns: For each job that waited for a place and for nothing else, when it had
            one and the job before it had begun.
        prior: For each such job the job before it.
        moments: The moments of the graph, with everything in a job right after its start,
            and with its end twice: when its time is known, and when it was.
    """

    series: dict[int, int]
    at_once: list[int]
    free_ns: dict[int, int]
    prior: dict[int, int]
    moments: list[int]


@per_run
def limits_of(run: Run) -> Limits:
    """Return the limits that a run's times show."""
    graph = graph_of(run)
    limits = Limits(series={}, at_once=[], free_ns={}, prior={}, moments=graph.moments)
    for family in _families(run, graph):
        for jobs in _until_all_ended(graph, family):
            _add(graph, limits, jobs)
    if not limits.series:
        return limits
    return Limits(
        series=limits.series,
        at_once=limits.at_once,
        free_ns=limits.free_ns,
        prior=limits.prior,
        moments=_jobs_first(graph, limits.series),
    )


def _families(run: Run, graph: Graph) -> Iterator[list[int]]:
    """Yield jobs with one parent by their start, where there are enough of them."""
    # Two at work at a time, and several that waited.
    least = 2 + _SEVERAL
    if graph.agents < least:
        return
    times = timeline_of(run)
    waited = np.flatnonzero(np.isin(times.role, WAITED))
    if len(waited) < least:
        return
    unwaited = times.spawn[times.role >= Role.FIRST_WAITED]
    calls = np.unique(times.spawn[waited])
    # A call that also began what outlives it is no job: it does not end with it.
    calls = calls[(calls != NONE) & ~np.isin(calls, unwaited)]
    things = np.concatenate([waited, graph.first_tool + calls])
    place = np.array(graph.within)[things]
    start, end = np.array(graph.start)[things], np.array(graph.end)[things]
    fit = (place != graph.root) & (start < end)
    things, place, start = things[fit], place[fit], start[fit]
    order = np.lexsort((things, start, place))
    things, place = things[order], place[order]
    for family in np.split(things, np.flatnonzero(np.diff(place)) + 1):
        if len(family) >= least:
            yield family.tolist()


def _until_all_ended(graph: Graph, family: list[int]) -> Iterator[list[int]]:
    """Cut a family where all had ended, and their parent did something or nothing long."""
    jobs: list[int] = []
    own = set(family)
    until = 0
    for job in family:
        idle_ns = graph.start[job] - until
        if jobs and idle_ns >= (0 if graph.before[job] not in own else _LATE_NS):
            yield jobs
            jobs = []
        until = max(until, graph.end[job]) if jobs else graph.end[job]
        jobs.append(job)
    yield jobs


def _add(graph: Graph, limits: Limits, jobs: list[int]) -> None:
    start = np.array([graph.start[job] for job in jobs])
    end = np.array([graph.end[job] for job in jobs])
    ends = np.sort(end)
    at_work = np.arange(1, len(jobs) + 1) - np.searchsorted(ends, start, side="right")
    bound = int(at_work.max())
    if bound < 2 or len(jobs) - bound < _SEVERAL:
        return
    turn, began = ends[: len(jobs) - bound], start[bound:]
    free = np.maximum(turn, start[bound - 1 : -1])
    late = min(_LATE_NS, int(np.median(end - start) * _LATE_SHARE))
    own = set(jobs)
    after_job = np.array([graph.before[job] in own for job in jobs[bound:]])
    explained = after_job & (began - free <= late)
    pace = _PACE * np.median(np.diff(start[:bound]))
    shows = explained & (began - turn <= late) & (np.diff(start)[bound - 1 :] > pace)
    if (
        shows.sum() < max(_SEVERAL, _SHOWN_SHARE * len(shows))
        or explained.mean() < _EXPLAINED_SHARE
    ):
        return
    limits.series.update(dict.fromkeys(jobs, len(limits.at_once)))
    limits.at_once.append(bound)
    for place in np.flatnonzero(explained).tolist():
        limits.free_ns[jobs[bound + place]] = int(free[place])
        limits.prior[jobs[bound + place]] = jobs[bound + place - 1]


def _jobs_first(graph: Graph, series: dict[int, int]) -> list[int]:
    """Put everything that is in a job right after its start.

    Nothing in a job depends on anything beside it, so how long it takes is known before
    the next one begins, though that began before the job had ended.
    """
    root = graph.root
    parents: Indexes = np.array(graph.within)
    is_job = np.zeros(root, dtype=bool)
    is_job[list(series)] = True
    around = forest.nearest(np.where(parents == root, NONE, parents), is_job).tolist()
    inside: dict[int, list[int]] = {job: [] for job in (NONE, *series)}
    for moment in graph.moments:
        thing = moment if moment < root else moment - root - 1
        inside[around[thing]].append(moment)
        if moment > root and thing in series:
            inside[thing].append(moment)
    ordered: list[int] = []
    todo = [iter(inside[NONE])]
    while todo:
        for moment in todo[-1]:
            ordered.append(moment)
            if moment in series:
                todo.append(iter(inside[moment]))
                break
        else:
            todo.pop()
    return ordered
