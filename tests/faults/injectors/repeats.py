"""Faults of repetition: loops without progress, and a tool that keeps failing."""

from __future__ import annotations

import copy
from typing import Final

from tests.faults.drawing import Draw
from tests.faults.injectors.planted import Planted, find, turns
from tests.faults.plan import Agent, Call, Plan, Step, Tool
from tests.faults.tokens import another, caches, carry, until_compaction, whole_input

_REPEATS: Final = (4, 24)
_CYCLES: Final = (3, 10)
_FAILURES: Final = (4, 12)
_ERRORS: Final = (
    "connection refused",
    "MCP error -32000: connection closed",
    "401 Unauthorized: token expired",
    "command not found",
    "TimeoutError: no answer within 10 s",
)


def no_progress_loop(draw: Draw, plan: Plan) -> Planted | None:
    """An agent repeats one or two tool calls, and gets the same result or error.

    A model call goes before each, as real agents do. The first time is not the fault.
    """
    places = [(agent, turn) for agent in plan.agents() for turn in turns(agent)]
    if not places:
        return None
    chosen, turn = draw.random.choice(places)
    after = [each for each in turns(chosen) if each.call_at == turn.tool_at + 1]
    variant = draw.random.choice(("same result", "same error", "cycle"))
    if variant == "cycle" and not after:
        variant = "same result"
    last_at = after[0].tool_at if variant == "cycle" else turn.tool_at
    if variant == "same error":
        _fails(chosen.steps[last_at], draw.random.choice(_ERRORS))
    faulty = copy.deepcopy(plan)
    agent = find(faulty, chosen.id)
    pattern = agent.steps[turn.call_at : last_at + 1]
    times = round(draw.between(*(_CYCLES if variant == "cycle" else _REPEATS)))
    added = _again(draw, agent, last_at + 1, pattern * times, repeated=True)
    first = [step.row["ToolCallId"] for step in pattern if isinstance(step, Tool)]
    return Planted(
        variant=variant,
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=[step.row["CallId"] for step in added if isinstance(step, Call)],
        tools=[
            *first,
            *(step.row["ToolCallId"] for step in added if isinstance(step, Tool)),
        ],
    )


def failing_tool(draw: Draw, plan: Plan) -> Planted | None:
    """A tool fails in all of 4 to 12 calls but one, each with other arguments.

    It is one that the agent has tried in vain here and there, besides its other work.
    """
    places = [agent for agent in plan.agents() if len(turns(agent)) >= 3]
    if not places:
        return None
    chosen = draw.random.choice(places)
    error = draw.random.choice(_ERRORS)
    name = draw.random.choice(("mcp__tracker__search", "deploy_status", "db_shell"))
    seconds = draw.between(0.5, 10.0)
    if draw.chance(0.3):
        # Once it worked; that is no part of the fault.
        _try(draw, chosen, name, seconds, "")
    faulty = copy.deepcopy(plan)
    agent = find(faulty, chosen.id)
    added: list[Step] = []
    for _ in range(round(draw.between(*_FAILURES))):
        added += _try(draw, agent, name, seconds, error)
    return Planted(
        variant="other arguments",
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=[step.row["CallId"] for step in added if isinstance(step, Call)],
        tools=[step.row["ToolCallId"] for step in added if isinstance(step, Tool)],
    )


def _try(draw: Draw, agent: Agent, name: str, seconds: float, error: str) -> list[Step]:
    """Let an agent use a tool after any of its turns; ``""`` for without an error."""
    turn = draw.random.choice(turns(agent))
    model = agent.steps[turn.tool_at]
    assert isinstance(model, Tool)
    outcome = {"Tool": name, "Success": 1, "Error": ""}
    tried = Tool(seconds=draw.around(seconds, 0.3), row=model.row | outcome)
    if error:
        _fails(tried, error)
    pattern = [agent.steps[turn.call_at], tried]
    return _again(draw, agent, turn.tool_at + 1, pattern, repeated=False)


def _again(
    draw: Draw, agent: Agent, at: int, pattern: list[Step], *, repeated: bool
) -> list[Step]:
    """Put copies of turns into an agent's steps; later calls carry what they added."""
    added: list[Step] = []
    model = _call_before(agent, at)
    heard = _heard(agent.steps[at - 1])
    grown, cached = 0, caches(agent)
    for step in pattern:
        if isinstance(step, Call):
            output = max(15, round(draw.around(90, 0.3)))
            spoken = int(model.row["OutputTokens"])
            call = another(
                draw,
                model,
                grown=spoken + heard,
                output_tokens=output,
                cached=cached,
            )
            call.seconds = draw.around(step.seconds, 0.2)
            grown += output
            model = call
            added.append(call)
        elif isinstance(step, Tool):
            row = step.row | {"ToolCallId": draw.id("tool"), "SpanId": draw.span_id()}
            if not repeated:
                row |= {"ArgumentsHash": draw.hash()}
                row |= {} if row["Error"] else {"ResultHash": draw.hash()}
            again = Tool(seconds=draw.around(step.seconds, 0.15), row=row)
            heard = _heard(again)
            grown += heard
            added.append(again)
    later = [step for step in agent.steps[at:] if isinstance(step, Call)]
    later = [call for call in later if call.row.get("OutputTokens") is not None]
    if later and whole_input(later[0].row) >= whole_input(_call_before(agent, at).row):
        carry(until_compaction(later, 0), known=grown - heard, fresh=heard)
    agent.steps[at:at] = added
    return added


def _call_before(agent: Agent, at: int) -> Call:
    return [
        step
        for step in agent.steps[:at]
        if isinstance(step, Call) and step.row.get("OutputTokens") is not None
    ][-1]


def _heard(step: Step) -> int:
    return 30 + int(step.row["ResultBytes"]) // 4 if isinstance(step, Tool) else 30


def _fails(step: Step, error: str) -> None:
    assert isinstance(step, Tool)
    step.row |= {"Success": 0, "Error": error, "ResultHash": "", "ResultBytes": 150}
