"""Faults of tokens: a context that only grows, a broken cache, huge results, dear models."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from tests.faults.drawing import Draw
from tests.faults.injectors.planted import Planted, Turn, find, turns
from tests.faults.layout import run_of, usd
from tests.faults.plan import Agent, Block, Call, Plan, Spawn, Tool
from tests.faults.tokens import (
    add_fresh,
    carry,
    forget,
    priced_calls,
    until_compaction,
    whole_input,
)

_REUSABLE: Final = 6_000
_LEAST_LOST_USD: Final = 0.03
_GROWN_TO: Final = (130_000, 190_000)
_HELD: Final = (48_000, 60_000)
_HUGE_BYTES: Final = (70_000, 300_000)
_FITS: Final = 150_000
_TURNS: Final = 25
_STRONG_AND_SMALL: Final[Mapping[str, tuple[str, str]]] = {
    "anthropic": ("claude-opus-4-5", "claude-haiku-4-5"),
    "openai": ("gpt-5", "gpt-5-mini"),
    "gcp.vertex_ai": ("gemini-2.5-pro", "gemini-2.5-flash"),
}
_SIMPLE: Final = (
    "List the files in src/ that import the old logger.",
    "Summarise this build log in three lines.",
    "Extract the invoice number and the date from the e-mail.",
    "Check the YAML file for syntax errors.",
)


def context_growth(draw: Draw, plan: Plan) -> Planted | None:
    """An agent's context grows to 130,000 to 190,000 tokens and is never compacted.

    Without the fault it does the same with a context held at 48,000 to 60,000 tokens,
    the size at which healthy agents compact theirs.
    """
    able = [agent for agent in plan.agents() if len(priced_calls(agent)) >= _TURNS]
    if not able:
        return None
    chosen = draw.random.choice(able)
    top, held = draw.whole(*_GROWN_TO), draw.whole(*_HELD)
    calls = priced_calls(chosen)
    _grow(chosen, calls, top)
    sizes = [whole_input(call.row) for call in calls]
    faulty = copy.deepcopy(plan)
    for call, size in zip(calls, sizes, strict=True):
        _hold(call, size, held)
    agent = find(faulty, chosen.id)
    return Planted(
        variant="never compacted",
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=[
            call.row["CallId"]
            for call in priced_calls(agent)
            if whole_input(call.row) > held
        ],
        judged=("usd",),
    )


def broken_cache(draw: Draw, plan: Plan) -> Planted | None:
    """An agent's calls do not read the prefix that they share with the call before."""
    places = [agent for agent in plan.agents() if len(_reading(agent)) >= 3]
    if not places:
        return None
    chosen = draw.random.choice(places)
    faulty = copy.deepcopy(plan)
    agent = find(faulty, chosen.id)
    reading = _reading(agent)
    variant = draw.random.choice(("all from one on", "now and then"))
    if variant == "all from one on":
        broken = reading[draw.whole(0, max(0, len(reading) - 4)) :]
    else:
        broken = draw.random.sample(reading, max(2, len(reading) // 3))
    for call in broken:
        forget(call.row)
    if _cost(faulty) - _cost(plan) < _LEAST_LOST_USD:
        return None
    return Planted(
        variant=variant,
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=[call.row["CallId"] for call in broken],
        judged=("usd",),
    )


def oversized_output(draw: Draw, plan: Plan) -> Planted | None:
    """A tool's result has 70 to 300 kB, and every later call reads it again."""
    places = [
        (agent, turn)
        for agent in plan.agents()
        for turn in turns(agent)
        if len(_after(agent, turn)) >= 3
    ]
    if not places:
        return None
    chosen, turn = draw.random.choice(places)
    faulty = copy.deepcopy(plan)
    agent = find(faulty, chosen.id)
    tool = agent.steps[turn.tool_at]
    assert isinstance(tool, Tool)
    size = round(draw.between(*_HUGE_BYTES))
    tokens = (size - int(tool.row["ResultBytes"])) // 4
    later = _after(agent, turn)
    if whole_input(later[-1].row) + tokens > _FITS:
        return None
    tool.row |= {"ResultBytes": size, "Success": 1, "Error": ""}
    carry(later, known=0, fresh=tokens)
    return Planted(
        variant="one result",
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        calls=[call.row["CallId"] for call in later],
        tools=(tool.row["ToolCallId"],),
        judged=("usd",),
    )


def overpowered_model(draw: Draw, plan: Plan) -> Planted | None:
    """Something simple is done in a few calls with the dearest model of its provider.

    By one agent, or by all siblings that do the like. Without the fault they do the same
    with the small model of the same provider.
    """
    able = [agent for agent in plan.agents() if _small(agent)]
    if not able:
        return None
    first = draw.random.choice(able)
    chosen = [each for each in able if each.row["Name"] == first.row["Name"]]
    if draw.chance(0.3):
        chosen = [first]
    provider = str(priced_calls(first)[0].row["Provider"])
    strong, small = _STRONG_AND_SMALL[provider]
    task = draw.random.choice(_SIMPLE)
    for agent in chosen:
        agent.row["Task"] = task
        _answers_with(agent, small)
    faulty = copy.deepcopy(plan)
    dear = [find(faulty, each.id) for each in chosen]
    for agent in dear:
        _answers_with(agent, strong)
    if _cost(faulty) - _cost(plan) < _LEAST_LOST_USD:
        return None
    return Planted(
        variant=strong,
        healthy=plan,
        faulty=faulty,
        agents=[agent.id for agent in dear],
        calls=[call.row["CallId"] for agent in dear for call in priced_calls(agent)],
        judged=("usd",),
    )


def _grow(agent: Agent, calls: list[Call], top: int) -> None:
    """Let whole inputs grow evenly up to a size, as all results were so much larger."""
    start = before = whole_input(calls[0].row)
    each = (top - start) // (len(calls) - 1)
    for tool in agent.tools:
        tool.row["ResultBytes"] = max(tool.row["ResultBytes"], each * 3)
    for number, call in enumerate(calls[1:], start=1):
        size = start + (top - start) * number // (len(calls) - 1)
        _set(call, known=before, fresh=size - before)
        before = size


def _hold(call: Call, size: int, held: int) -> None:
    if size > held:
        fresh = min(size - int(call.row["CacheReadTokens"]), held // 2)
        _set(call, known=held - fresh, fresh=fresh)


def _set(call: Call, *, known: int, fresh: int) -> None:
    row = call.row
    row |= {"InputTokens": 0, "CacheReadTokens": known, "CacheWriteTokens": 0}
    if row.get("CacheWrite5mTokens") is not None:
        row["CacheWrite5mTokens"] = 0
    add_fresh(row, fresh)


def _reading(agent: Agent) -> list[Call]:
    """Return calls that read what the one before them was given."""
    return [
        call
        for call in priced_calls(agent)[1:]
        if int(call.row["CacheReadTokens"]) >= _REUSABLE
    ]


def _cost(plan: Plan) -> float:
    return usd(run_of(plan))


def _after(agent: Agent, turn: Turn) -> list[Call]:
    """Return the calls that read the result of a turn."""
    later = [step for step in agent.steps[turn.tool_at :] if isinstance(step, Call)]
    later = [call for call in later if call.row.get("OutputTokens") is not None]
    before = agent.steps[turn.call_at]
    assert isinstance(before, Call)
    if later and whole_input(later[0].row) < whole_input(before.row):
        return []
    return until_compaction(later, 0) if later else []


def _small(agent: Agent) -> bool:
    alone = not any(isinstance(step, Spawn | Block) for step in agent.steps)
    return alone and 2 <= len(priced_calls(agent)) <= 8


def _answers_with(agent: Agent, model: str) -> None:
    agent.row["Model"] = model
    for call in agent.calls:
        call.row["Model"] = model
