"""What took longer, or cost more, than it usually does: a tool, a model, an agent, a run.

**Rule.** Held against its own history (`run.context.baselines`, at least
``detect_slower_than_usual_samples`` samples from ``detect_slower_than_usual_runs`` runs). Of
the calls of a tool or a model, and of the agents of one name, the middle one counts: a
single one that is out of line is a dominating step or a straggler. It is slower than usual
when it passes ``detect_slower_than_usual_factor`` times the middle of its history and what
chance explains (`_history.beyond_chance`), and all together lost
``detect_slower_than_usual_seconds``; and it must be slow for most of its agents, and most of
the commands that it is called with.

An agent's time is without its waits, its sub-agents and single steps beyond chance, and an
agent that took more steps did more, not slower. Only the deepest cause is named: an agent is
not where its tools or its model explain half of its excess, nor is the run. Where the middle
one of all model calls and that of all tool calls pass the factor, each call against its own
history, and the run does too, it is slow as a whole, and that is one finding.

Agents and runs are dearer than usual likewise (``detect_slower_than_usual_usd``; the detail
``measure`` says which it is).

**Threshold.** The original compares with a baseline that a user records by hand, from 20 %
on, which two runs of one task differ by (in 239 recorded runs the 95th percentile of the
wall time is 2.5 times the middle). Twice the middle and beyond chance is not; none of those
runs passes it with its middle model call, its middle tool call and its wall time.

**Evidence.** The calls, or the agents; for the run the agents.

**Saving.** `what_if` each were as much shorter as brings the middle one to what is usual.
Of dollars, what is beyond the middle of the history.

**False alarms.** At most 5 % of healthy runs: a first task of a larger size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.baselines import Baseline
from fleetspan_collector.processors.critical_path import (
    Category,
    Change,
    Lasts,
    path_of,
    timeline_of,
    what_if,
)
from fleetspan_collector.processors.detectors._agent_time import (
    by_agent,
    did_more,
    far_steps,
    own_pace_s,
    step_agents,
    usual_steps_s,
)
from fleetspan_collector.processors.detectors._bounds import largest
from fleetspan_collector.processors.detectors._failures import failed_calls
from fleetspan_collector.processors.detectors._history import (
    Group,
    enough_of,
    groups_of,
    middle_of,
    middles_by,
)
from fleetspan_collector.processors.detectors._slower_findings import (
    agents_finding,
    run_finding,
    steps_finding,
)
from fleetspan_collector.processors.detectors._steps import (
    Seconds,
    path_seconds_of,
    steps_of,
)
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

_STEPS = 8
"""Steps from which on a run shows whether it is slow in everything."""


class SlowerThanUsual:
    """Finds what took longer, or cost more, than it usually does."""

    name = "slower_than_usual"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._factor = settings.detect_slower_than_usual_factor
        self._seconds = settings.detect_slower_than_usual_seconds
        self._usd = settings.detect_slower_than_usual_usd

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        if not run.context.baselines.known or run.facts.open or not run.agents.count:
            return
        yield from self._slower(run)
        yield from self._dearer(run)

    def _slower(self, run: Run) -> Iterator[Finding]:
        groups = _step_groups(run)
        if _all_slow(groups, self._factor) and self._is_long(run):
            yield from self._whole_run(run, groups)
            return
        slow = [
            each
            for each in groups
            if each.is_beyond(self._factor, len(groups))
            and each.excess >= self._seconds
            and _widely(run, each, self._factor, len(groups))
        ]
        explained_s = np.zeros(run.agents.count)
        saved_s = 0.0
        for group in largest(slow, key=lambda each: each.excess):
            finding = steps_finding(run, group, what_if(run, *_as_usual(run, [group])))
            saved_s += finding.seconds or 0.0
            explained_s += _excess_by_agent(run, group)
            yield finding
        for finding in self._slower_agents(run, explained_s):
            saved_s += finding.seconds or 0.0
            yield finding
        yield from self._slower_run(run, saved_s)

    def _is_long(self, run: Run) -> bool:
        """Whether a run took longer than such runs do, as far as that is known."""
        history = enough_of(run, "run", run.facts.name)
        return history is None or path_of(run).wall_s >= self._factor * history.p50

    def _whole_run(self, run: Run, groups: list[Group]) -> Iterator[Finding]:
        saved = what_if(run, *_as_usual(run, groups))
        if saved.saved_s >= self._seconds:
            rows = np.arange(run.agents.count)
            yield run_finding(
                run,
                "seconds",
                took=path_of(run).wall_s,
                usual=saved.wall_s,
                saved=saved.saved_s,
                agents=rows,
            )

    def _slower_agents(self, run: Run, explained_s: Seconds) -> Iterator[Finding]:
        names = _agents_by_name(run)
        # What is not slow with its waits is not without them.
        if not any(
            each.middle >= self._factor * each.history.p50
            for each in groups_of(run, "agent", names, _wall_s(run))
        ):
            return
        usual_s = usual_steps_s(run)
        groups = groups_of(run, "agent", names, own_pace_s(run))
        for group in largest(groups, key=lambda each: each.excess):
            usual = group.history.p50
            if (
                not group.is_beyond(self._factor, len(groups))
                or group.excess < self._seconds
                or float(explained_s[group.rows].sum()) >= group.excess / 2
                or did_more(float(np.median(usual_s[group.rows])), usual)
            ):
                continue
            yield agents_finding(run, group, "seconds", _agents_saved_s(run, group))

    def _slower_run(self, run: Run, explained_s: float) -> Iterator[Finding]:
        path, name = path_of(run), run.facts.name
        history = enough_of(run, "run", name)
        if history is None or path.wall_s < self._factor * history.p50:
            return
        waits_s = path.seconds[Category.BACKOFF] + path.seconds[Category.PERMISSION]
        took_s = path.wall_s - waits_s - _outliers_s(run)
        group = _single("run", name, took_s, history)
        if (
            group.excess >= self._seconds
            and group.is_beyond(self._factor, 1)
            and explained_s < group.excess / 2
            and not did_more(float(usual_steps_s(run).sum()), history.p50)
        ):
            yield run_finding(
                run,
                "seconds",
                took=path.wall_s,
                usual=history.p50,
                saved=group.excess,
                agents=_topmost(run),
            )

    def _dearer(self, run: Run) -> Iterator[Finding]:
        usd = _own_usd(run)
        groups = groups_of(run, "agent", _agents_by_name(run), usd, "usd")
        explained = 0.0
        for group in groups:
            if group.is_beyond(self._factor, len(groups)) and group.excess >= self._usd:
                explained += group.excess
                yield agents_finding(run, group, "usd", group.excess)
        history = enough_of(run, "run", run.facts.name, "usd")
        if history is None or run.facts.cost_usd is None:
            return
        group = _single("run", run.facts.name, float(run.facts.cost_usd), history)
        if (
            group.excess >= self._usd
            and group.is_beyond(self._factor, 1)
            and explained < group.excess / 2
        ):
            yield run_finding(
                run,
                "usd",
                took=group.middle,
                usual=history.p50,
                saved=group.excess,
                agents=_topmost(run),
            )


def _step_groups(run: Run) -> list[Group]:
    steps, tools = steps_of(run), run.tool_calls
    failed = np.concatenate(
        (
            failed_calls(run),
            (tools.floats("Success") == 0) | (tools.strings("Error") != ""),
        )
    )
    # What failed is over sooner, or after a time-out: the history has none of it.
    rows = np.flatnonzero(~np.isnan(steps.work_s) & ~failed)
    rows = rows[np.argsort(steps.kind[rows], kind="stable")]
    bounds = np.searchsorted(steps.kind[rows], np.arange(len(steps.kinds) + 1)).tolist()
    groups: list[Group] = []
    for kind, (sort, subject) in enumerate(steps.kinds):
        mine = rows[bounds[kind] : bounds[kind + 1]]
        groups += groups_of(run, sort, [(subject, mine)], steps.work_s)
    return groups


def _all_slow(groups: list[Group], factor: float) -> bool:
    """Whether models and tools alike are slow, the middle one of each passes a factor."""
    for kind in ("model", "tool"):
        times = [each.times_usual for each in groups if each.kind == kind]
        if not times or middle_of(np.concatenate(times)) < factor:
            return False
    return sum(len(each.rows) for each in groups) >= _STEPS


def _widely(run: Run, group: Group, factor: float, looked_at: int) -> bool:
    """Whether a tool or a model is slow for most agents, and for most of what it does.

    Else one agent that is slow in everything, or one command that is run again and
    again, would speak for all.
    """
    by_agent = middles_by(step_agents(run)[group.rows], group.values)
    if middle_of(by_agent) < factor * group.history.p50:
        return False
    if group.kind == "model":
        return True
    hashes = run.tool_calls.strings("ArgumentsHash")
    commands = hashes[group.rows - run.llm_calls.count].tolist()
    if "" in commands:
        return True
    numbers: dict[str, int] = {}
    keys = np.array([numbers.setdefault(each, len(numbers)) for each in commands])
    by_command = replace(group, values=middles_by(keys, group.values))
    return by_command.is_beyond(factor, looked_at)


def _as_usual(run: Run, groups: list[Group]) -> list[Change]:
    """The steps of groups, each as much shorter as makes the middle one usual."""
    steps = steps_of(run)
    changes: list[Change] = []
    ratio = 1.0
    if len(groups) > 1:
        # One cause slows all: many steps tell better by how much than few.
        every = np.concatenate([each.times_usual for each in groups])
        ratio = 1 / max(middle_of(every), 1.0)
    for group in groups:
        by = ratio if len(groups) > 1 else group.ratio
        for step, took_s in zip(
            group.rows.tolist(), (group.values * by).tolist(), strict=True
        ):
            changes.append(steps.lasts(step, took_s))
    return changes


def _excess_by_agent(run: Run, group: Group) -> Seconds:
    excess_s = np.maximum(group.values - group.history.p50, 0)
    return by_agent(run, step_agents(run)[group.rows], excess_s)


def _agents_saved_s(run: Run, group: Group) -> float:
    wall_s = _wall_s(run)
    changes: list[Change] = []
    for agent, pace_s in zip(group.rows.tolist(), group.values.tolist(), strict=True):
        shorter_s = pace_s * (1 - group.ratio)
        changes.append(Lasts(float(wall_s[agent]) - shorter_s, agent=agent))
    return what_if(run, *changes).saved_s


def _outliers_s(run: Run) -> float:
    """Seconds of the critical path that single steps take beyond chance."""
    far, excess_s = far_steps(run)
    return float(np.minimum(path_seconds_of(run)[far], excess_s).sum())


def _single(kind: str, subject: str, value: float, history: Baseline) -> Group:
    return Group(
        kind=kind,
        subject=subject,
        rows=np.zeros(1, dtype=np.int64),
        values=np.array([value]),
        history=history,
    )


@per_run
def _agents_by_name(run: Run) -> list[tuple[str, Indexes]]:
    """The names under which the history of agents is kept, and who has them."""
    names, types = run.agents.strings("Name"), run.agents.strings("Type")
    rows: dict[str, list[int]] = {}
    for agent, (name, kind) in enumerate(zip(names, types, strict=True)):
        rows.setdefault(name or kind, []).append(agent)
    return [(name, np.array(each, dtype=np.int64)) for name, each in rows.items()]


def _own_usd(run: Run) -> Seconds:
    usd = np.nan_to_num(run.llm_calls.floats("CostUsd"))
    return by_agent(run, run.tree.call_agent, usd)


def _wall_s(run: Run) -> Seconds:
    timeline = timeline_of(run)
    took: Seconds = (timeline.agent_end - timeline.agent_start) / 1e9
    return took


def _topmost(run: Run) -> Indexes:
    return np.flatnonzero(run.tree.parent == NONE)[:1]
