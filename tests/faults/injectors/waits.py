"""Faults of providers: waiting for a rate limit, and attempts upon attempts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Final

from tests.faults.drawing import Draw
from tests.faults.injectors.planted import Planted, find
from tests.faults.plan import Agent, Call, Pause, Plan, Step, Tool
from tests.faults.tokens import caches, priced_calls, read_again

_LIMITS: Final = (
    "429 Too Many Requests",
    "rate_limit_error: number of request tokens has exceeded your per-minute limit",
    "RateLimitError: Error code: 429",
    "529 overloaded_error",
    "RESOURCE_EXHAUSTED",
)
_BREAKS: Final = (
    "500 Internal Server Error",
    "APIConnectionError: connection reset by peer",
    "502 Bad Gateway",
    "ReadTimeout",
)
_WAITED_S: Final = (40.0, 240.0)
_EPISODES: Final = (2, 5)
_ATTEMPTS: Final = (8, 30)


def rate_limit_wait(draw: Draw, plan: Plan) -> Planted | None:
    """Calls are refused and tried again after 10 seconds to a minute or two."""
    agent = _busy_agent(draw, plan)
    if agent is None:
        return None
    faulty = copy.deepcopy(plan)
    agent = find(faulty, agent.id)
    error = draw.random.choice(_LIMITS)
    able = priced_calls(agent)[1:]
    victims = draw.random.sample(able, min(draw.whole(*_EPISODES), len(able)))
    waits = [draw.random.uniform(0.5, 1.5) for _ in victims]
    total = draw.between(*_WAITED_S)
    failed: list[Call] = []
    for victim, share in zip(victims, waits, strict=True):
        seconds = total * share / sum(waits)
        refused = _refused(draw, victim, error, draw.between(0.2, 1.2))
        failed.append(refused)
        at = agent.steps.index(victim)
        steps: list[Step] = [refused, Pause(seconds=seconds)]
        if draw.chance(0.4):
            # Refused once more: the second wait is twice as long as the first.
            once_more = _refused(draw, victim, error, draw.between(0.2, 1.2))
            failed.append(once_more)
            steps = [
                refused,
                Pause(seconds=seconds / 3),
                once_more,
                Pause(seconds=seconds * 2 / 3),
            ]
        agent.steps[at:at] = steps
    return Planted(
        variant="refused, waited, tried again",
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=[
            *(call.row["CallId"] for call in failed),
            *(call.row["CallId"] for call in victims),
        ],
    )


def retry_storm(draw: Draw, plan: Plan) -> Planted | None:
    """A call, or a tool call, is tried 8 to 30 times within a minute or two."""
    variant = draw.random.choice(("calls", "billed calls", "one call", "tool"))
    agent = _busy_agent(draw, plan)
    if agent is None or not agent.tools:
        return None
    faulty = copy.deepcopy(plan)
    agent = find(faulty, agent.id)
    count = round(draw.between(*_ATTEMPTS))
    if variant == "one call":
        return _within_one_call(draw, plan, faulty, agent, count)
    pause_s = draw.between(0.2, 2.0)
    victim: Call | Tool
    if variant == "tool":
        victim = draw.random.choice(_single_tools(agent))
        failed: Sequence[Call | Tool] = _failed_tools(draw, victim, count)
    else:
        victim = draw.random.choice(priced_calls(agent)[1:])
        calls = _failed_calls(draw, victim, count)
        if variant == "billed calls":
            _bill(draw, agent, victim, calls)
        failed = calls
    steps: list[Step] = []
    for each in failed:
        steps += [each, Pause(seconds=draw.around(pause_s, 0.3))]
    at = agent.steps.index(victim)
    agent.steps[at:at] = steps
    return Planted(
        variant=variant,
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=[step.row["CallId"] for step in failed if isinstance(step, Call)],
        tools=[step.row["ToolCallId"] for step in failed if isinstance(step, Tool)],
    )


def _failed_tools(draw: Draw, victim: Tool, count: int) -> list[Tool]:
    seconds, error = draw.between(0.3, 4.0), draw.random.choice(_BREAKS)
    outcome = {"Success": 0, "Error": error, "ResultHash": "", "ResultBytes": 100}
    return [
        Tool(
            seconds=draw.around(seconds, 0.2),
            row=victim.row
            | outcome
            | {"ToolCallId": draw.id("tool"), "SpanId": draw.span_id()},
        )
        for _ in range(count)
    ]


def _failed_calls(draw: Draw, victim: Call, count: int) -> list[Call]:
    seconds, error = draw.between(0.5, 5.0), draw.random.choice(_BREAKS)
    return [
        _refused(draw, victim, error, draw.around(seconds, 0.2)) for _ in range(count)
    ]


def _bill(draw: Draw, agent: Agent, victim: Call, failed: Sequence[Call]) -> None:
    """Let the stream break after the input was read: it is paid for, and then cached."""
    for attempt in failed:
        tokens = {
            name: value for name, value in victim.row.items() if name.endswith("Tokens")
        }
        attempt.row |= tokens | {"OutputTokens": draw.whole(0, 40)}
        if caches(agent):
            read_again(victim.row)


def _within_one_call(
    draw: Draw, plan: Plan, faulty: Plan, agent: Agent, count: int
) -> Planted:
    """Let a client hide its attempts: one call, and how many there were."""
    victim = draw.random.choice(priced_calls(agent)[1:])
    victim.seconds += count * draw.between(1.0, 6.0)
    victim.row["Attempts"] = 1 + count
    return Planted(
        variant="one call",
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=(victim.row["CallId"],),
    )


def _busy_agent(draw: Draw, plan: Plan) -> Agent | None:
    """Return an agent with calls enough, the topmost as often as any other."""
    able = [
        agent
        for agent in plan.agents()
        if len(priced_calls(agent)) > _EPISODES[0] and _single_tools(agent)
    ]
    if not able:
        return None
    if plan.root in able and draw.chance(0.5):
        return plan.root
    return draw.random.choice(able)


def _single_tools(agent: Agent) -> list[Tool]:
    return [step for step in agent.steps if isinstance(step, Tool)]


def _refused(draw: Draw, victim: Call, error: str, seconds: float) -> Call:
    row = {
        "CallId": draw.id("call"),
        "SpanId": draw.span_id(),
        "Model": victim.row["Model"],
        "Provider": victim.row["Provider"],
        "Error": error,
    }
    return Call(seconds=seconds, row=row)
