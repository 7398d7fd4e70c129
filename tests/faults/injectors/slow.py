"""Faults of time: a step that outlasts everything, a straggler, all slower than usual."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Final

from tests.faults.drawing import Draw
from tests.faults.injectors.planted import Planted, alone, fan_outs, find
from tests.faults.layout import rows_of, wall_s
from tests.faults.plan import Agent, Call, Plan, Spawn, Step, Together, Tool

_OF_A_KIND: Final = 4
"""So often a tool or model has to occur for one call of it to stand out."""

_SHARE: Final = (0.45, 0.8)
_LEAST_S: Final = 60.0
_STRAGGLES: Final = (2.5, 6.0)
_SLOWER: Final = (3.0, 7.0)


def dominating_step(draw: Draw, plan: Plan) -> Planted | None:
    """One step takes 45 to 80 % of the whole run, a minute at least.

    Only where nobody works beside it: among siblings it would be a straggler.
    """
    counts = Counter(_kind(step) for agent in plan.agents() for step in _steps(agent))
    places = [
        (agent.id, number)
        for agent in alone(plan)
        for number, step in enumerate(_steps(agent))
        if counts[_kind(step)] >= _OF_A_KIND and not _failed(step)
    ]
    if not places:
        return None
    agent_id, number = draw.random.choice(places)
    faulty = copy.deepcopy(plan)
    step = _steps(find(faulty, agent_id))[number]
    share = draw.random.uniform(*_SHARE)
    step.seconds = max(_LEAST_S, wall_s(rows_of(plan)) * share / (1 - share))
    return Planted(
        variant="call" if isinstance(step, Call) else "tool",
        healthy=plan,
        faulty=faulty,
        agents=(agent_id,),
        calls=(step.row["CallId"],) if isinstance(step, Call) else (),
        tools=(step.row["ToolCallId"],) if isinstance(step, Tool) else (),
    )


def straggler(draw: Draw, plan: Plan) -> Planted | None:
    """One of several siblings takes 2.5 to 6 times as long as the slowest of the others.

    Everything that it does is slower, so that no single step of it stands out.
    """
    places = [
        (agent, at)
        for agent, at in fan_outs(plan, least=3)
        if not _spawn(agent, at).at_once and agent in alone(plan)
    ]
    if not places:
        return None
    agent, at = draw.random.choice(places)
    number = draw.whole(0, len(_spawn(agent, at).children) - 1)
    faulty = copy.deepcopy(plan)
    child = _spawn(find(faulty, agent.id), at).children[number]
    others = [
        _alone_s(plan, each.agent)
        for each in _spawn(agent, at).children
        if each.agent.id != child.agent.id
    ]
    wanted = max(others) * draw.between(*_STRAGGLES)
    own = _alone_s(plan, child.agent)
    if wanted - max(others) < 30.0:
        return None
    slow_down(child.agent, wanted / own)
    return Planted(
        variant="all of it slower",
        healthy=plan,
        faulty=faulty,
        agents=(child.agent.id,),
        calls=[call.row["CallId"] for call in child.agent.calls],
        tools=[
            *(tool.row["ToolCallId"] for tool in child.agent.tools),
            *([child.spawn["ToolCallId"]] if child.spawn else []),
        ],
    )


def slower_than_usual(draw: Draw, plan: Plan) -> Planted | None:
    """Everything, all calls of one model or all of one tool take 3 to 7 times as long."""
    factor = draw.between(*_SLOWER)
    faulty = copy.deepcopy(plan)
    variant = draw.random.choice(("run", "model", "tool"))
    steps = [step for agent in faulty.agents() for step in _steps(agent)]
    if variant == "run":
        slow_down(faulty.root, factor)
        chosen = steps
    else:
        wanted = Call if variant == "model" else Tool
        weights = Counter[str]()
        for step in steps:
            if isinstance(step, wanted):
                weights[_kind(step)] += round(step.seconds * 1000)
        if not weights:
            return None
        # What takes most of the time: slower lookups of a millisecond bother nobody.
        kind = weights.most_common(1)[0][0]
        chosen = [step for step in steps if _kind(step) == kind]
        for step in chosen:
            step.seconds *= factor
    if wall_s(rows_of(faulty)) - wall_s(rows_of(plan)) < 30.0:
        return None
    return Planted(
        variant=variant,
        healthy=plan,
        faulty=faulty,
        agents=[agent.id for agent in faulty.agents()],
        calls=[step.row["CallId"] for step in chosen if isinstance(step, Call)],
        tools=[step.row["ToolCallId"] for step in chosen if isinstance(step, Tool)],
        judged=("seconds",),
    )


def slow_down(agent: Agent, factor: float) -> None:
    """Let an agent and everybody below it take so many times as long."""
    for each in agent.all():
        for step in _steps(each):
            step.seconds *= factor


def _alone_s(plan: Plan, agent: Agent) -> float:
    own = Plan(
        run_id=plan.run_id,
        name="",
        origin=plan.origin,
        start_ns=plan.start_ns,
        root=agent,
    )
    return wall_s(rows_of(own))


def _steps(agent: Agent) -> list[Call | Tool]:
    found: list[Call | Tool] = []
    for step in agent.steps:
        if isinstance(step, Call | Tool):
            found.append(step)
        elif isinstance(step, Together):
            found.extend(step.tools)
    return found


def _kind(step: Step) -> str:
    if isinstance(step, Call):
        return f"model {step.row['Model']}"
    return f"tool {step.row['Tool']}" if isinstance(step, Tool) else ""


def _failed(step: Call | Tool) -> bool:
    return bool(step.row.get("Error"))


def _spawn(agent: Agent, at: int) -> Spawn:
    step = agent.steps[at]
    assert isinstance(step, Spawn)
    return step
