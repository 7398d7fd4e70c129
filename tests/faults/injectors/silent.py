"""A fault of open runs: an agent that has fallen silent."""

from __future__ import annotations

import copy
from typing import Final

from tests.faults.drawing import Draw
from tests.faults.injectors.planted import Planted, Seen, find
from tests.faults.layout import as_seen, rows_of, span_ns
from tests.faults.plan import Agent, Call, Pause, Plan, Row, Tool

_SILENT_S: Final = (1_800.0, 3 * 3_600.0)
_EVER_S: Final = 30 * 86_400.0


def stuck_agent(draw: Draw, plan: Plan) -> Planted | None:
    """An agent has been silent for half an hour to three hours, in a run still open.

    It does nothing, or a tool call of it does not come back, or nobody is left: then the
    run is over, and the agent stands there as ``abandoned``. Whoever waits for it is not
    the one that is stuck.
    """
    able = [agent for agent in plan.agents() if len(_places(agent)) >= 2]
    if not able:
        return None
    chosen = draw.random.choice(able)
    variant = draw.random.choice(("silent", "tool hangs", "abandoned"))
    faulty = copy.deepcopy(plan)
    agent = find(faulty, chosen.id)
    hanging = [at for at in _places(agent) if isinstance(agent.steps[at], Tool)]
    if variant == "tool hangs" and not hanging:
        return None
    at = draw.random.choice(hanging if variant == "tool hangs" else _places(agent))
    step, tools = agent.steps[at], tuple[str, ...]()
    if variant == "tool hangs" and isinstance(step, Tool):
        step.seconds = _EVER_S
        step.row |= {"Success": 1, "Error": ""}
        tools = (step.row["ToolCallId"],)
    else:
        agent.steps[at + 1 : at + 1] = [Pause(seconds=_EVER_S)]
    rows = rows_of(faulty)
    seen = as_seen(rows, rows.agents[0]["StartTime"] + round(_EVER_S / 2 * 1e9))
    if variant == "abandoned":
        seen.agents = [_left(row) for row in seen.agents]
    _, last_ns = span_ns(seen)
    now_ns = last_ns + round(draw.between(*_SILENT_S) * 1e9)
    return Planted(
        variant=variant,
        healthy=plan,
        faulty=faulty,
        agents=(agent.id,),
        tools=tools,
        judged=(),
        seen=Seen(rows=seen, now_ns=now_ns),
    )


def _left(row: Row) -> Row:
    return row | {"Status": "abandoned"} if row["Status"] == "running" else row


def _places(agent: Agent) -> list[int]:
    """Return steps after which an agent may fall silent: not its last."""
    return [
        at
        for at, step in enumerate(agent.steps[:-1])
        if isinstance(step, Call | Tool) and not step.row.get("Error")
    ]
