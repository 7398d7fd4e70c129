"""What a run would have taken and cost, had some of it been otherwise.

A **node** is an agent, a model call or a tool call of the run, named by its id, the id of
its span, or the beginning of one of these; an agent by its name, too, when only one is
called so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector._errors import UsageError
from fleetspan_collector.processors.critical_path import (
    Change,
    Cheaper,
    Lasts,
    Parallel,
    Removed,
    WhatIf,
    WithoutWait,
    path_of,
    slack_of,
    timeline_of,
    what_if,
)
from fleetspan_collector.processors.run import NONE, Run
from fleetspan_collector.processors.sums import sum_by_row

Kind = Literal["agent", "call", "tool"]

EVERYTHING: Final = "run"
"""Names the whole run, where calls are given another model."""

_CANDIDATES: Final = 12
"""Nodes of which it is worked out what half of their time would save."""

_LISTED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a run.

    Attributes:
        kind: What it is.
        row: Its row in the run's table of that kind.
        node_id: Its id.
        name: What it is called: the agent, the model or the tool.
        agent_name: The agent that made the call; of an agent its own name.
        seconds: From its start to its end.
    """

    kind: Kind
    row: int
    node_id: str
    name: str
    agent_name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a node that takes half as long would save.

    Attributes:
        node: The node.
        path_s: Its seconds on the run's critical path, with what is below it.
        slack_s: By how much it may last longer without the run lasting longer.
        saved_s: What half of its time would save.
    """

    node: Node
    path_s: float
    slack_s: float
    saved_s: float


class Nodes:
    """The nodes of a run, by what they are called.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tables: dict[Kind, tuple[Columns, str, str]] = {
            "agent": (run.agents, "AgentId", "Name"),
            "call": (run.llm_calls, "CallId", "Model"),
            "tool": (run.tool_calls, "ToolCallId", "Tool"),
        }

    def node(self, kind: Kind, row: int) -> Node:
        """The node of a row."""
        columns, key, name = self._tables[kind]
        times = timeline_of(self._run)
        start, end = {
            "agent": (times.agent_start, times.agent_end),
            "call": (times.call_start, times.call_end),
            "tool": (times.tool_start, times.tool_end),
        }[kind]
        owner = row
        if kind != "agent":
            tree = self._run.tree
            owner = int((tree.call_agent if kind == "call" else tree.tool_agent)[row])
        names = self._run.agents.strings("Name")
        return Node(
            kind=kind,
            row=row,
            node_id=columns.strings(key)[row],
            name=columns.strings(name)[row],
            agent_name="" if owner == NONE else names[owner],
            seconds=float(end[row] - start[row]) / 1e9,
        )

    def find(self, named: str) -> Node:
        """The node that is named.

        Raises:
            UsageError: When there is none, or several.
        """
        found = list(dict.fromkeys(self._called(named, whole=True)))
        found = found or list(dict.fromkeys(self._called(named, whole=False)))
        if len(found) == 1:
            return self.node(*found[0])
        if found:
            shown = ", ".join(
                f"{each[0]} {self.node(*each).node_id}" for each in found[:_LISTED]
            )
            more = ", …" if len(found) > _LISTED else ""
            raise UsageError(
                f"{named!r} is ambiguous",
                because=f"{len(found)} nodes are called so: {shown}{more}",
                suggestion="more of its id",
            )
        raise UsageError(
            f"there is no {named!r} in run {self._run.facts.run_id}",
            because="no agent, call or tool call has an id, a span or a name like that",
            suggestion=f"fleetspan what-if {self._run.facts.run_id}",
        )

    def _called(self, named: str, *, whole: bool) -> Iterator[tuple[Kind, int]]:
        """Rows with an id, span or, of agents, name that is it, or begins with it."""
        if not named:
            return
        for kind, (columns, key, name) in self._tables.items():
            for column in (key, "SpanId", *((name,) if kind == "agent" else ())):
                values = columns.strings(column)
                for row, value in enumerate(values.tolist()):
                    if value == named if whole else value.startswith(named):
                        yield kind, row


def lasts(node: Node, seconds: float) -> Lasts:
    """The change that a node takes so many seconds."""
    match node.kind:
        case "agent":
            return Lasts(seconds, agent=node.row)
        case "call":
            return Lasts(seconds, call=node.row)
        case "tool":
            return Lasts(seconds, tool=node.row)


def without(nodes: Sequence[Node]) -> Removed:
    """The change that nodes are not there."""
    rows = {kind: tuple(n.row for n in nodes if n.kind == kind) for kind in _KINDS}
    return Removed(agents=rows["agent"], calls=rows["call"], tools=rows["tool"])


def without_waits(run: Run, nodes: Sequence[Node]) -> WithoutWait:
    """The change that nodes do not wait; of an agent, none of its calls does."""
    tree = run.tree
    agents = [node.row for node in nodes if node.kind == "agent"]
    calls = {node.row for node in nodes if node.kind == "call"}
    tools = {node.row for node in nodes if node.kind == "tool"}
    calls.update(np.flatnonzero(np.isin(tree.call_agent, agents)).tolist())
    tools.update(np.flatnonzero(np.isin(tree.tool_agent, agents)).tolist())
    return WithoutWait(calls=tuple(sorted(calls)), tools=tuple(sorted(tools)))


def parallel(run: Run, nodes: Sequence[Node]) -> Parallel:
    """The change that sub-agents start together: those named, or all of one parent.

    Raises:
        UsageError: When they are no agents, or not of one parent.
    """
    if any(node.kind != "agent" for node in nodes):
        named = next(node for node in nodes if node.kind != "agent")
        raise UsageError(
            f"{named.node_id} cannot run beside others",
            because=f"it is a {named.kind}, and sub-agents are what can be started together",
            suggestion="--parallel PARENT, or two or more of its sub-agents",
        )
    rows = [node.row for node in nodes]
    if len(rows) == 1:
        rows = run.tree.children(rows[0]).tolist()
    parents = {int(run.tree.parent[row]) for row in rows}
    if len(rows) < 2 or len(parents) != 1 or NONE in parents:
        raise UsageError(
            "these agents cannot be started together",
            because=f"{len(rows)} agents of {len(parents)} parents were named",
            suggestion="--parallel PARENT, or two or more sub-agents of one parent",
        )
    return Parallel(tuple(rows))


def cheaper(run: Run, nodes: Sequence[Node], model: str) -> Cheaper:
    """The change that calls are made with another model; of an agent, all of its calls.

    No node stands for all calls of the run.
    """
    if not nodes:
        return Cheaper(tuple(range(run.llm_calls.count)), model)
    agents = [node.row for node in nodes if node.kind == "agent"]
    calls = {node.row for node in nodes if node.kind == "call"}
    calls.update(np.flatnonzero(np.isin(run.tree.call_agent, agents)).tolist())
    if not calls:
        raise UsageError(
            f"nothing of {nodes[0].node_id} can be made with another model",
            because="it has made no model calls itself",
            suggestion=f"--cheaper {EVERYTHING}={model}",
        )
    return Cheaper(tuple(sorted(calls)), model)


def changed(run: Run, changes: Sequence[Change]) -> WhatIf:
    """The run with all changes together."""
    return what_if(run, *changes)


def candidates(run: Run) -> list[Candidate]:
    """The nodes on whose time most depends, by what half of it would save."""
    path, slack, nodes = path_of(run), slack_of(run), Nodes(run)
    took = (path.end_ns - path.start_ns) / 1e9
    tree = run.tree
    on_path: dict[Kind, NDArray[np.float64]] = {
        "agent": sum_by_row(path.agent, took, run.agents.count),
        "call": sum_by_row(path.call, took, run.llm_calls.count),
        "tool": sum_by_row(path.tool, took, run.tool_calls.count),
    }
    # An agent's time is its sub-agents', too; the main agent's is the run's.
    for agent in np.argsort(-tree.depth, kind="stable").tolist():
        if tree.parent[agent] != NONE:
            on_path["agent"][tree.parent[agent]] += on_path["agent"][agent]
    on_path["agent"][tree.parent == NONE] = 0
    ranked = sorted(
        (
            (float(s), kind, row)
            for kind in _KINDS
            for row, s in enumerate(on_path[kind])
        ),
        key=lambda each: -each[0],
    )
    spare = {"agent": slack.agents_s, "call": slack.calls_s, "tool": slack.tools_s}
    found = []
    for path_s, kind, row in ranked[:_CANDIDATES]:
        if path_s <= 0:
            break
        node = nodes.node(kind, row)
        half = what_if(run, lasts(node, node.seconds / 2))
        found.append(
            Candidate(
                node=node,
                path_s=path_s,
                slack_s=float(spare[kind][row]),
                saved_s=half.saved_s,
            )
        )
    return sorted(found, key=lambda each: -each.saved_s)


_KINDS: Final[tuple[Kind, ...]] = ("agent", "call", "tool")
