"""What an injector hands back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from tests.faults.drawing import Draw
from tests.faults.layout import Rows
from tests.faults.plan import Agent, Call, Pause, Plan, Spawn, Tool
from tests.faults.truth import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a run is seen when that is more than its rows laid out in time.

    Attributes:
        rows: Its rows.
        now_ns: The present, Unix nanoseconds; None for after its end.
    """

    rows: Rows
    now_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault in a plan.

    Attributes:
        variant: Which shape of the fault it is.
        healthy: The plan without it.
        faulty: The plan with it.
        agents: Ids of the agents at the place.
        calls: Ids of the model calls at the place.
        tools: Ids of the tool calls at the place.
        judged: Measures that a prediction is held against.
        seen: What the faulty plan's rows look like in the end; None for as they are.
    """

    variant: str
    healthy: Plan
    faulty: Plan
    agents: Iterable[str] = ()
    calls: Iterable[str] = ()
    tools: Iterable[str] = ()
    judged: tuple[Measure, ...] = ("seconds", "usd")
    seen: Seen | None = None


Injector: TypeAlias = Callable[[Draw, Plan], Planted | None]
"""Plants a fault into a copy of a healthy plan; None when it has no place for it.

The plan that is handed in belongs to the injector, which may prepare it (an ordinary
failure that is then repeated, say) before it copies it.
"""


def find(plan: Plan, agent_id: str) -> Agent:
    """Return an agent of a plan."""
    return next(each for each in plan.agents() if each.id == agent_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A model call and the one tool call that it asked for.

    Attributes:
        call_at: Place of the call among the agent's steps.
        tool_at: Place of the tool call; only pauses lie between.
    """

    call_at: int
    tool_at: int


def turns(agent: Agent) -> list[Turn]:
    """Return an agent's turns that are one call and then one tool call."""
    found: list[Turn] = []
    call_at: int | None = None
    for at, step in enumerate(agent.steps):
        if isinstance(step, Pause):
            continue
        if isinstance(step, Tool) and call_at is not None:
            found.append(Turn(call_at=call_at, tool_at=at))
        answered = isinstance(step, Call) and "OutputTokens" in step.row
        call_at = at if answered else None
    return found


def alone(plan: Plan) -> list[Agent]:
    """Return the agents beside whom no sibling works: what they lose, the run loses."""
    found = [plan.root]
    for agent in found:
        for spawn in agent.spawns:
            if len(spawn.children) == 1 and not spawn.background:
                found.append(spawn.children[0].agent)
    return found


def fan_outs(plan: Plan, least: int) -> list[tuple[Agent, int]]:
    """Return agents, and which of their steps starts so many side by side."""
    return [
        (agent, at)
        for agent in plan.agents()
        for at, step in enumerate(agent.steps)
        if isinstance(step, Spawn)
        and len(step.children) >= least
        and step.at_once != 1
        and not step.background
    ]
