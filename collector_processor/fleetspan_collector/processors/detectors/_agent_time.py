"""What of an agent's time can be called slow: the rest is explained by something else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import codes
from fleetspan_collector.processors.critical_path import Category, ledgers_of
from fleetspan_collector.processors.detectors._failures import failed_calls
from fleetspan_collector.processors.detectors._history import beyond_chance, enough_of
from fleetspan_collector.processors.detectors._steps import Seconds, steps_of
from fleetspan_collector.processors.run import Indexes, Run, per_run
from fleetspan_collector.processors.sums import sum_by_row

_MORE = 1.2
"""So many times the usual time of an agent, at the usual time of each step, is more work."""


def waits_s(run: Run) -> Seconds:
    """By agent: seconds of back-off, of waiting for permission, and of failed calls."""
    ledgers = ledgers_of(run)
    waits: Seconds = (
        ledgers.seconds[Category.BACKOFF] + ledgers.seconds[Category.PERMISSION]
    )
    failed = np.flatnonzero(failed_calls(run))
    if len(failed):
        took_s = np.nan_to_num(steps_of(run).work_s[failed])
        waits = waits + by_agent(run, run.tree.call_agent[failed], took_s)
    return waits


@per_run
def lost_seconds(run: Run) -> Seconds:
    """By agent: seconds in waits, and in turns whose tool call was in vain.

    In vain is what failed, and the same call with the same result once more.
    """
    lost = waits_s(run)
    vain = _in_vain(run)
    if not vain.any():
        return lost
    owner = run.tree.tool_agent
    turns = by_agent(run, owner, np.ones(len(owner)))
    wasted = by_agent(run, owner[vain], np.ones(int(vain.sum())))
    rest_s = np.maximum(ledgers_of(run).wall_s - lost, 0)
    lost_too: Seconds = lost + rest_s * wasted / np.maximum(turns, 1)
    return lost_too


def _in_vain(run: Run) -> NDArray[np.bool_]:
    tools = run.tool_calls
    vain: NDArray[np.bool_] = tools.floats("Success") == 0
    if tools.count < 2:
        return vain
    result = tools.strings("ResultHash")
    same, _ = codes(
        tools.strings("AgentId"),
        tools.strings("Tool"),
        tools.strings("ArgumentsHash"),
        result,
    )
    _, first = np.unique(same, return_index=True)
    again = np.ones(tools.count, dtype=bool)
    again[first] = False
    repeated: NDArray[np.bool_] = again & (result != "")
    return vain | repeated


def own_seconds(run: Run) -> Seconds:
    """By agent: seconds that are its own, not its sub-agents'."""
    ledgers = ledgers_of(run)
    own: Seconds = ledgers.wall_s - ledgers.seconds[Category.SUBAGENT]
    return own


def own_pace_s(run: Run) -> Seconds:
    """By agent: its time without waits, sub-agents, and single steps beyond chance."""
    far, excess_s = far_steps(run)
    outliers_s = by_agent(run, step_agents(run)[far], excess_s)
    pace: Seconds = np.maximum(own_seconds(run) - waits_s(run) - outliers_s, 0)
    return pace


@per_run
def far_steps(run: Run) -> tuple[Indexes, Seconds]:
    """Steps that took longer than chance explains, and by how much more than usual."""
    steps = steps_of(run)
    far: list[Indexes] = []
    excess_s: list[Seconds] = []
    for kind, (sort, subject) in enumerate(steps.kinds):
        history = enough_of(run, sort, subject)
        if history is None:
            continue
        mine = np.flatnonzero(steps.kind == kind)
        limit_s = beyond_chance(history, looked_at=len(mine))
        mine = mine[np.nan_to_num(steps.work_s[mine]) > limit_s]
        far.append(mine)
        excess_s.append(steps.work_s[mine] - history.p50)
    if not far:
        return np.empty(0, dtype=np.int64), np.empty(0)
    return np.concatenate(far), np.concatenate(excess_s)


@per_run
def step_agents(run: Run) -> Indexes:
    """The agent of each step, -1 for none."""
    return np.concatenate((run.tree.call_agent, run.tree.tool_agent))


def usual_steps_s(run: Run) -> Seconds:
    """By agent: seconds that its steps would take if each took what is usual."""
    steps = steps_of(run)
    usual = np.zeros(len(steps.kinds))
    for kind, (sort, subject) in enumerate(steps.kinds):
        history = enough_of(run, sort, subject)
        usual[kind] = history.p50 if history else 0.0
    took_s = np.where(np.isnan(steps.work_s), 0.0, usual[steps.kind])
    return by_agent(run, step_agents(run), took_s)


def did_more(usual_steps_s: float, usual_s: float) -> bool:
    """Whether an agent took longer because it took more steps, not slower ones."""
    return usual_steps_s >= _MORE * usual_s


def by_agent(run: Run, owner: Indexes, seconds: Seconds) -> Seconds:
    """Add up seconds by agent."""
    return sum_by_row(owner, seconds, run.agents.count)
