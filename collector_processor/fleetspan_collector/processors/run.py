"""A run as processors see it: Arrow tables, a tree, and what is known from outside it.

::

    facts ── the run's own row
    agents, llm_calls, tool_calls, files ── its rows, by start, as `Columns` over Arrow
    tree ── which agent is whose, which call and tool call is whose
    context ── settings, prices, baselines, outcomes, and the present
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.derive import tree as forest
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.baselines import Baselines
from fleetspan_collector.processors.outcomes import PastOutcomes

Indexes = NDArray[np.int64]
NONE: Final = forest.NONE
UNKNOWN_NS: Final = int(np.iinfo(np.int64).min)
"""What `Columns.nanoseconds` says of a time that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The run's own row of ``runs``.

    Attributes:
        tenant: Whose it is.
        run_id: Its id.
        session_id: The conversation; ``""`` when unknown, as everywhere here.
        trace_id: An OpenTelemetry trace of it.
        name: What it is called.
        status: ``running``, ``ok``, ``error`` or ``abandoned``.
        environment: ``deployment.environment.name``.
        project: The project.
        user: For whom.
        service: ``service.name``.
        start_ns: First thing seen of it, Unix nanoseconds.
        end_ns: Its end; None while it goes on.
        last_activity_ns: Last thing seen of it.
        cost_usd: What it has cost; None when no call is priced.
        sources: The feeds that told of it.
        bucket_s: The hour that its rows are stored under, Unix seconds.
        version: Version of the row; higher whenever anything of the run changed.
    """

    tenant: str = ""
    run_id: str
    session_id: str = ""
    trace_id: str = ""
    name: str = ""
    status: str = "ok"
    environment: str = ""
    project: str = ""
    user: str = ""
    service: str = ""
    start_ns: int
    end_ns: int | None = None
    last_activity_ns: int
    cost_usd: float | None = None
    sources: tuple[str, ...] = ()
    bucket_s: int = 0
    version: int = 0

    @property
    def open(self) -> bool:
        """Whether it still goes on."""
        return self.status == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known beside the run; shared by the runs of a batch.

    Attributes:
        settings: Thresholds.
        prices: What tokens cost.
        now_ns: The present, Unix nanoseconds.
        baselines: How long, and how dear, such things have been before.
        outcomes: What became of such tasks before, by model.
    """

    settings: ProcessorSettings = field(default_factory=ProcessorSettings)
    prices: PriceBook = field(default_factory=PriceBook)
    now_ns: int = 0
    baselines: Baselines = field(default_factory=Baselines)
    outcomes: PastOutcomes = field(default_factory=PastOutcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Who belongs to whom, as row numbers; -1 (`NONE`) where there is nobody.

    Attributes:
        parent: For each agent its parent. Cycles are cut: the agent of a circle that
            started first has no parent.
        depth: For each agent how many agents are above it.
        call_agent: For each llm call its agent.
        tool_agent: For each tool call its agent.
        spawn: For each agent the tool call that started it.
        spawned: For each tool call the first agent that it started.
        cyclic: Agents whose parents went round in a circle.
        orphans: Agents that name a parent which has not come.
    """

    parent: Indexes
    depth: Indexes
    call_agent: Indexes
    tool_agent: Indexes
    spawn: Indexes
    spawned: Indexes
    cyclic: Indexes
    orphans: Indexes

    def children(self, agent: int) -> Indexes:
        """The agents that an agent has started."""
        return np.flatnonzero(self.parent == agent)


@dataclass(frozen=True, eq=False)
class Run:
    """One run.

    Attributes:
        facts: Its own row.
        agents: Columns of `schema.AGENTS`, by start, then id.
        llm_calls: Columns of `schema.LLM_CALLS`, by start, then id.
        tool_calls: Columns of `schema.TOOL_CALLS`, by start, then id.
        files: Columns of `schema.FILES`: what was done to files, as far as told.
        context: What is known beside it.
    """

    facts: RunFacts
    agents: Columns
    llm_calls: Columns
    tool_calls: Columns
    files: Columns
    context: Context
    # What `per_run` functions have found, by function.
    _found: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    @property
    def settings(self) -> ProcessorSettings:
        """Thresholds."""
        return self.context.settings

    @cached_property
    def tree(self) -> Tree:
        """Who belongs to whom."""
        return _tree(self)


P = ParamSpec("P")
T = TypeVar("T")


def per_run(function: Callable[[Run], T]) -> Callable[[Run], T]:
    """Make a function of a run compute once for each run; processors share its result."""

    @functools.wraps(function)
    def once(run: Run) -> T:
        if function not in run._found:
            try:
                run._found[function] = function(run)
            except Exception as error:
                # Whoever asks next learns at once what a long computation came to.
                run._found[function] = _Failure(error)
                raise
        found: T | _Failure = run._found[function]
        if isinstance(found, _Failure):
            raise NotComputedError(function.__name__, found.reason)
        return found

    return once


def give_up(run: Run, function: Callable[[Run], Any], reason: str) -> None:
    """Have a `per_run` function fail at once for this run, as it has never ended before."""
    run._found[function.__wrapped__] = _Failure(reason)  # type: ignore[attr-defined]


class NotComputedError(Exception):
    """What a processor needs of a run could not be computed, and is not tried again.

    Args:
        name: The function.
        reason: What it came to.
    """

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"{name} failed before: {reason}")


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: object


def _tree(run: Run) -> Tree:
    agents, tools = run.agents, run.tool_calls
    ids = agents.strings("AgentId")
    row_of = _rows_by_id(ids)
    stated = agents.strings("ParentAgentId")
    parent = _looked_up(row_of, stated)
    parent[parent == np.arange(agents.count)] = NONE
    orphans = np.flatnonzero((stated != "") & (stated != ids) & (parent == NONE))
    parent, cyclic = _without_circles(parent)
    spawn_of = _rows_by_id(tools.strings("ToolCallId"))
    spawn = _looked_up(spawn_of, agents.strings("SpawnToolCallId"))
    spawned = np.full(tools.count, NONE)
    known = np.flatnonzero(spawn != NONE)[::-1]
    spawned[spawn[known]] = known
    return Tree(
        parent=parent,
        depth=forest.depths(parent),
        call_agent=_looked_up(row_of, run.llm_calls.strings("AgentId")),
        tool_agent=_looked_up(row_of, tools.strings("AgentId")),
        spawn=spawn,
        spawned=spawned,
        cyclic=cyclic,
        orphans=orphans,
    )


def _rows_by_id(ids: NDArray[np.object_]) -> dict[str, int]:
    # The first of rows with one id stays.
    return {ids[row]: row for row in range(len(ids) - 1, -1, -1) if ids[row] != ""}


def _looked_up(row_of: dict[str, int], ids: NDArray[np.object_]) -> Indexes:
    return np.fromiter((row_of.get(each, NONE) for each in ids), np.int64, len(ids))


def _without_circles(parent: Indexes) -> tuple[Indexes, Indexes]:
    """Cut circles at their first agent; also tell who was in one."""
    reached = forest.topmost(parent)
    # The top of a circle still has a parent: everything that leads there is lost.
    lost = np.flatnonzero(parent[reached] != NONE) if len(parent) else reached
    if not len(lost):
        return parent, lost
    cut, cyclic = parent.copy(), []
    for start in np.unique(reached[lost]).tolist():
        circle, here = [start], int(parent[start])
        seen = {start}
        while here not in seen:
            seen.add(here)
            circle.append(here)
            here = int(parent[here])
        # The walk may have entered the circle from outside it.
        circle = circle[circle.index(here) :]
        cut[min(circle)] = NONE
        cyclic.extend(circle)
    return cut, np.unique(np.array(cyclic, dtype=np.int64))


def make_run(
    facts: RunFacts,
    *,
    agents: pa.Table,
    llm_calls: pa.Table,
    tool_calls: pa.Table,
    files: pa.Table,
    context: Context,
) -> Run:
    """Make a run of tables in the layout of `schema`, each in the order of start, id."""
    return Run(
        facts=facts,
        agents=Columns(agents),
        llm_calls=Columns(llm_calls),
        tool_calls=Columns(tool_calls),
        files=Columns(files),
        context=context,
    )
