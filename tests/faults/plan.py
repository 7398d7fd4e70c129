"""A run as a plan: what its agents do, one thing after another, before it has times.

Faults are planted into plans, not into times: a step is made longer, siblings are set to
work one after another, calls are added. `layout` then gives everything its time again,
so that what a fault costs follows from the plan with and without it, and from nothing
that the product computes.

Plans are changed in place: whoever plants a fault takes a deep copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
"""Columns of a table of `processors.schema`, without what `layout` works out."""


@dataclass(slots=True, kw_only=True)
class Call:
    """A model call.

    Attributes:
        seconds: How long it takes.
        row: Its columns; ``CallId`` at least.
    """

    seconds: float
    row: Row


@dataclass(slots=True, kw_only=True)
class Tool:
    """A tool call.

    Attributes:
        seconds: How long it takes, without waiting for permission.
        row: Its columns; ``ToolCallId`` at least.
        permission_s: How long somebody lets it wait before, in seconds.
    """

    seconds: float
    row: Row
    permission_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Together:
    """Tool calls of one message that run side by side."""

    tools: list[Tool]


@dataclass(slots=True, kw_only=True)
class Pause:
    """Nothing that anybody tells of.

    Attributes:
        seconds: How long.
    """

    seconds: float


@dataclass(slots=True, kw_only=True)
class Child:
    """A sub-agent that is to be started.

    Attributes:
        agent: What it does.
        spawn: Columns of the tool call that starts it; None where a program does.
        queue_s: Seconds from there until it begins.
    """

    agent: Agent
    spawn: Row | None = None
    queue_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Spawn:
    """Sub-agents are started, and waited for unless they work in the background.

    Attributes:
        children: In the order of their start.
        at_once: How many work at a time; 0 for all, 1 for one after another.
        apart_s: Seconds between two starts.
        background: Whether their parent goes on at once.
    """

    children: list[Child]
    at_once: int = 0
    apart_s: float = 0.1
    background: bool = False


@dataclass(slots=True, kw_only=True)
class Join:
    """A tool call that waits until the agent's background sub-agents have ended.

    Attributes:
        row: Its columns; ``ToolCallId`` at least.
    """

    row: Row


@dataclass(slots=True, kw_only=True)
class Block:
    """Rows that stay as they are among each other, as somebody else timed them.

    Attributes:
        seconds: From the first start to the last end.
        agents: Rows with ``StartTime`` and the like in ns from the block's start.
        calls: Likewise.
        tools: Likewise.
    """

    seconds: float
    agents: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)
    tools: list[Row] = field(default_factory=list)


Step: TypeAlias = Call | Tool | Together | Pause | Spawn | Join | Block


@dataclass(slots=True, kw_only=True)
class Agent:
    """An agent.

    Attributes:
        row: Its columns; ``AgentId`` at least.
        steps: What it does, one after another.
    """

    row: Row
    steps: list[Step] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.row["AgentId"])

    @property
    def calls(self) -> list[Call]:
        """Its model calls, in order."""
        return [step for step in self.steps if isinstance(step, Call)]

    @property
    def tools(self) -> list[Tool]:
        """Its tool calls that start nobody, in order."""
        found: list[Tool] = []
        for step in self.steps:
            if isinstance(step, Tool):
                found.append(step)
            elif isinstance(step, Together):
                found.extend(step.tools)
        return found

    @property
    def spawns(self) -> list[Spawn]:
        """Where it starts sub-agents."""
        return [step for step in self.steps if isinstance(step, Spawn)]

    def all(self) -> Iterator[Agent]:
        """Yield it and everybody below it."""
        yield self
        for spawn in self.spawns:
            for child in spawn.children:
                yield from child.agent.all()


@dataclass(slots=True, kw_only=True)
class Plan:
    """A run that can be laid out in time.

    Attributes:
        run_id: Its id.
        name: What it is called.
        origin: ``generated``, ``mini_swe`` or ``capture``.
        start_ns: When it begins, Unix nanoseconds.
        root: Its topmost agent.
    """

    run_id: str
    name: str
    origin: str
    start_ns: int
    root: Agent

    def agents(self) -> list[Agent]:
        """Return all agents, parents before their children."""
        return list(self.root.all())
