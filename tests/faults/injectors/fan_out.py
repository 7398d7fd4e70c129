"""Faults of order and number: siblings one after another, and far too many of them."""

from __future__ import annotations

import copy
from typing import Final

from tests.faults.drawing import Draw
from tests.faults.injectors.planted import Planted, fan_outs, find
from tests.faults.layout import rows_of, wall_s
from tests.faults.plan import Agent, Call, Child, Pause, Plan, Spawn, Step
from tests.faults.tokens import another, caches, priced_calls

_LEAST_SAVED_S: Final = 30.0
_MANY: Final = (200, 900)
_DEEP: Final = (20, 60)


def serialised_subagents(draw: Draw, plan: Plan) -> Planted | None:
    """Three or more siblings that worked side by side work one after another.

    Either all were asked for at once and are run one by one, or a short call of the
    parent, which does nothing but ask for the next, stands between two of them. Without
    the fault those calls come first and the siblings then work side by side.
    """
    places = fan_outs(plan, least=3)
    if not places:
        return None
    chosen, at = draw.random.choice(places)
    spawn = _spawn(chosen, at)
    by_tool = spawn.children[0].spawn is not None
    between = by_tool and not spawn.at_once and draw.chance(0.4)
    askings = _askings(draw, chosen, at, len(spawn.children) - 1) if between else []
    chosen.steps[at:at] = askings
    at += len(askings)
    faulty = copy.deepcopy(plan)
    agent = find(faulty, chosen.id)
    if between:
        steps: list[Step] = []
        first = at - len(askings)
        for number, child in enumerate(_spawn(agent, at).children):
            steps += agent.steps[first + number - 1 : first + number] if number else []
            steps.append(Spawn(children=[child]))
        agent.steps[first : at + 1] = steps
    else:
        _spawn(agent, at).at_once = 1
    if wall_s(rows_of(faulty)) - wall_s(rows_of(plan)) < _LEAST_SAVED_S:
        return None
    return Planted(
        variant="asked for one by one" if between else "asked for at once",
        healthy=plan,
        faulty=faulty,
        agents=[chosen.id, *(child.agent.id for child in spawn.children)],
        tools=[child.spawn["ToolCallId"] for child in spawn.children if child.spawn],
    )


def runaway_fanout(draw: Draw, plan: Plan) -> Planted | None:
    """A fan-out of a few becomes one of 200 to 900, or agents nest 20 to 60 deep."""
    places = fan_outs(plan, least=3)
    if not places:
        return None
    chosen, at = draw.random.choice(places)
    faulty = copy.deepcopy(plan)
    agent = find(faulty, chosen.id)
    spawn = _spawn(agent, at)
    # Those of the plan are the model for the others; the shortest, as such ones are.
    model = min(spawn.children, key=lambda child: len(child.agent.steps))
    model = copy.deepcopy(model)
    ordinary = [step for step in model.agent.steps if _ordinary(step)]
    model.agent.steps = ordinary[:5] + ordinary[-1:]
    deep = draw.chance(0.3)
    if deep:
        added = [_copied(draw, model) for _ in range(round(draw.between(*_DEEP)))]
        parent = spawn.children[-1].agent
        for child in added:
            # Each does its part and asks for the next before it answers.
            parent.steps[-1:-1] = [Spawn(children=[child])]
            parent = child.agent
    else:
        added = [_copied(draw, model) for _ in range(round(draw.between(*_MANY)))]
        spawn.children += added
        spawn.apart_s = min(spawn.apart_s, 0.3)
        spawn.at_once = spawn.at_once and max(spawn.at_once, 20)
    return Planted(
        variant="deep" if deep else "wide",
        healthy=plan,
        faulty=faulty,
        agents=[
            chosen.id,
            *(child.agent.id for child in spawn.children),
            *(child.agent.id for child in added),
        ],
        tools=[child.spawn["ToolCallId"] for child in added if child.spawn],
        judged=("usd",),
    )


def _askings(draw: Draw, agent: Agent, at: int, count: int) -> list[Step]:
    before = [step for step in agent.steps[:at] if isinstance(step, Call)]
    model = [call for call in before if call in priced_calls(agent)][-1]
    calls: list[Step] = []
    for _ in range(count):
        model = another(
            draw,
            model,
            grown=400,
            output_tokens=draw.whole(80, 260),
            cached=caches(agent),
        )
        model.seconds = draw.between(1.5, 5.0)
        calls.append(model)
    return calls


def _copied(draw: Draw, model: Child) -> Child:
    child = copy.deepcopy(model)
    child.agent.row |= {"AgentId": draw.id("agent"), "SpanId": draw.span_id()}
    if child.spawn:
        child.spawn |= {
            "ToolCallId": draw.id("tool"),
            "SpanId": draw.span_id(),
            "ArgumentsHash": draw.hash(),
            "ResultHash": draw.hash(),
        }
    for call in child.agent.calls:
        call.row |= {"CallId": draw.id("call"), "SpanId": draw.span_id()}
        call.seconds = draw.around(call.seconds, 0.15)
    for tool in child.agent.tools:
        fresh = {"ArgumentsHash": draw.hash(), "ResultHash": draw.hash()}
        tool.row |= {"ToolCallId": draw.id("tool"), "SpanId": draw.span_id(), **fresh}
        # What failed in the model does not fail in all its copies.
        tool.row |= {"Success": 1, "Error": ""}
        tool.seconds = draw.around(tool.seconds, 0.15)
    return child


def _ordinary(step: Step) -> bool:
    refused = isinstance(step, Call) and bool(step.row.get("Error"))
    return not isinstance(step, Spawn | Pause) and not refused


def _spawn(agent: Agent, at: int) -> Spawn:
    step = agent.steps[at]
    assert isinstance(step, Spawn)
    return step
