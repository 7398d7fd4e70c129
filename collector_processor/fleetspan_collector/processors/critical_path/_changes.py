"""What could be otherwise in a run; rows are those of the run's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fleetspan_collector.processors.run import NONE


@dataclass(frozen=True, slots=True)
class Lasts:
    """A call, a tool call or an agent takes another time; name one of the three.

    Attributes:
        seconds: How long it takes, from its start to its end.
        call: Row of the call.
        tool: Row of the tool call.
        agent: Row of the agent.
    """

    seconds: float
    call: int = NONE
    tool: int = NONE
    agent: int = NONE


@dataclass(frozen=True, slots=True)
class Removed:
    """Things never took place: they, and the wait that led to them, take no time.

    Attributes:
        agents: Rows of agents; all that is below them goes with them, and so does the
            tool call that spawned them when nothing that it spawned is left.
        calls: Rows of calls.
        tools: Rows of tool calls; with the agents that they spawned.
    """

    agents: tuple[int, ...] = ()
    calls: tuple[int, ...] = ()
    tools: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parallel:
    """Sub-agents of one parent start together, when the first of them starts.

    Attributes:
        agents: Rows of agents.
    """

    agents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cheaper:
    """Calls are made with another model; they take as long as they did.

    Attributes:
        calls: Rows of calls.
        model: The other model.
    """

    calls: tuple[int, ...]
    model: str


@dataclass(frozen=True, slots=True)
class WithoutWait:
    """Waits are left out.

    Attributes:
        calls: Rows of calls that no longer wait before another attempt: neither from
            the failed request before them, nor within them.
        tools: Rows of tool calls that no longer wait for permission.
    """

    calls: tuple[int, ...] = ()
    tools: tuple[int, ...] = ()


Change: TypeAlias = Lasts | Removed | Parallel | Cheaper | WithoutWait
