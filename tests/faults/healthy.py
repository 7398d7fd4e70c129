"""Healthy fleets by seed, believable enough to hold near-misses of every fault.

::

    coder ── one agent, long; runs the same tests again and again, with other results
    support ── one agent, seconds long
    session ── one agent and a person, who lets it wait for minutes between prompts
    research ── a lead, sub-agents side by side, moderately different
    pipeline ── planner, builder, reviewer: each needs what the one before found
    nested ── three levels
    background ── helpers in the background, one of which outlives their parent
    batch ── dozens of small jobs, some at a time
    scripted ── a program starts the agents itself, without tool calls
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.faults import drawing, tasks
from tests.faults.drawing import Draw, Model, use
from tests.faults.plan import Agent, Plan, Tool
from tests.faults.worker import Tools, Worker

_START_NS: Final = 1_790_000_000_000_000_000
_DAY_NS: Final = 86_400_000_000_000
_CODING: Final[Tools] = (
    (drawing.READ, 0.34),
    (drawing.GREP, 0.18),
    (drawing.EDIT, 0.22),
    (drawing.SHELL, 0.26),
)
_READING: Final[Tools] = (
    (drawing.SEARCH, 0.4),
    (drawing.FETCH, 0.4),
    (drawing.READ, 0.2),
)
_ANSWERING: Final[Tools] = ((drawing.LOOKUP, 0.7), (drawing.QUERY, 0.3))
_ANALYSING: Final[Tools] = ((drawing.QUERY, 0.6), (drawing.READ, 0.4))


def coder(draw: Draw) -> Plan:
    """One agent that works on code for some minutes, and runs the tests as it goes."""
    model = draw.random.choice((drawing.SONNET, drawing.GPT, drawing.GEMINI))
    worker = Worker(
        draw, "coder", model, draw.random.choice(tasks.BUILDS), system=9_000
    )
    tests = draw.hash()
    for round_number in range(draw.whole(2, 5)):
        worker.turns(draw.whole(5, 9), _CODING)
        slow = drawing.TESTS
        worker.turn([use(draw, slow, arguments=tests)])
        if draw.chance(0.1):
            worker.turn([use(draw, drawing.BUILD)])
        if round_number == 0 and draw.chance(0.4):
            # Looked at twice, as people and models do; it says the same.
            again = use(draw, drawing.SHELL)
            worker.turn([again])
            worker.turn([_same(draw, again)])
    return _plan(draw, "fix-issue", worker.done(answer=600))


def support(draw: Draw) -> Plan:
    """One agent that answers a question within seconds."""
    model = draw.random.choice((drawing.GPT_MINI, drawing.HAIKU, drawing.FLASH))
    worker = Worker(
        draw, "support", model, draw.random.choice(tasks.CHATS), system=2_500
    )
    worker.turns(draw.whole(2, 5), _ANSWERING, output=90)
    return _plan(draw, "answer-ticket", worker.done(answer=220))


def session(draw: Draw) -> Plan:
    """An agent that does as a person says, who reads and thinks for up to four minutes.

    Long enough to look stuck, too short for the cache to be lost.
    """
    model = draw.random.choice((drawing.SONNET, drawing.GPT, drawing.GEMINI))
    worker = Worker(draw, "assistant", model, draw.random.choice(tasks.BUILDS), 9_000)
    prompts = draw.whole(2, 4)
    for number in range(prompts):
        worker.turns(draw.whole(4, 8), _CODING)
        if number < prompts - 1:
            worker.listens()
    return _plan(draw, "pair-programming", worker.done(answer=400))


def research(draw: Draw) -> Plan:
    """A lead that has sub-agents search side by side and sums up what they say."""
    strong, middle, _ = draw.random.choice(drawing.FAMILIES)
    lead = Worker(
        draw, "research-lead", strong, draw.random.choice(tasks.QUESTIONS), system=8_000
    )
    lead.turns(draw.whole(1, 3), _READING)
    task = draw.random.choice(tasks.PARTS)
    team = [
        _researcher(draw, middle, task).done(answer=900)
        for _ in range(draw.whole(3, 8))
    ]
    lead.spawn(team)
    lead.turns(draw.whole(1, 3), _READING)
    return _plan(draw, "research", lead.done(answer=2_200))


def pipeline(draw: Draw) -> Plan:
    """Agents one after another, each of which needs what the one before has found."""
    strong, middle, _ = draw.random.choice(drawing.FAMILIES)
    lead = Worker(
        draw, "delivery-lead", middle, draw.random.choice(tasks.BUILDS), system=8_000
    )
    lead.turns(1, _CODING)
    for name, model, turns in (
        ("planner", strong, (5, 9)),
        ("builder", middle, (10, 18)),
        ("reviewer", strong, (5, 9)),
    ):
        stage = Worker(
            draw, name, model, draw.random.choice(tasks.BUILDS), system=7_000
        )
        stage.turns(draw.whole(*turns), _CODING)
        lead.spawn([stage.done(answer=1_000)], output=draw.whole(350, 900))
        lead.turns(draw.whole(0, 1), _CODING, output=300)
    return _plan(draw, "deliver-feature", lead.done(answer=700))


def nested(draw: Draw) -> Plan:
    """Three levels: leads of areas, each with workers of its own."""
    strong, middle, small = draw.random.choice(drawing.FAMILIES)
    top = Worker(
        draw, "architect", strong, draw.random.choice(tasks.BUILDS), system=8_000
    )
    top.turns(2, _CODING)
    areas = []
    for _ in range(draw.whole(2, 3)):
        area = Worker(
            draw, "area-lead", middle, draw.random.choice(tasks.BUILDS), system=7_000
        )
        area.turns(draw.whole(1, 3), _CODING)
        task = draw.random.choice(tasks.JOBS)
        workers = []
        for _ in range(draw.whole(2, 4)):
            worker = Worker(draw, "worker", small, task, system=6_000)
            worker.turns(draw.whole(8, 14), _CODING)
            workers.append(worker.done(answer=400))
        area.spawn(workers)
        area.turns(draw.whole(1, 3), _CODING)
        areas.append(area.done(answer=700))
    top.spawn(areas)
    top.turns(2, _CODING)
    return _plan(draw, "rebuild-service", top.done(answer=1_200))


def background(draw: Draw) -> Plan:
    """An agent whose helpers work while it goes on; one may outlive it."""
    model = draw.random.choice((drawing.SONNET, drawing.GPT))
    main = Worker(
        draw, "maintainer", model, draw.random.choice(tasks.BUILDS), system=9_000
    )
    main.turns(draw.whole(2, 4), _CODING)
    helpers = []
    for _ in range(draw.whole(2, 3)):
        helper = Worker(
            draw, "helper", model, draw.random.choice(tasks.JOBS), system=6_000
        )
        helper.turns(draw.whole(5, 12), _CODING)
        helpers.append(helper.done(answer=400))
    main.spawn(helpers, in_background=True)
    main.turns(draw.whole(6, 12), _CODING)
    if draw.chance(0.6):
        main.join()
    return _plan(draw, "maintain", main.done(answer=500))


def batch(draw: Draw) -> Plan:
    """Dozens of equal jobs, some at a time."""
    _, middle, small = draw.random.choice(drawing.FAMILIES)
    lead = Worker(
        draw, "batch-lead", middle, draw.random.choice(tasks.BUILDS), system=8_000
    )
    lead.turns(2, _CODING)
    jobs = []
    task = draw.random.choice(tasks.JOBS)
    for _ in range(draw.whole(16, 32)):
        job = Worker(draw, "porter", small, task, system=5_000)
        job.turns(draw.whole(4, 8), _CODING)
        jobs.append(job.done(answer=250))
    lead.spawn(jobs, at_once=draw.whole(6, 10), output=2_500)
    lead.turns(2, _CODING)
    return _plan(draw, "port-modules", lead.done(answer=900))


def scripted(draw: Draw) -> Plan:
    """A program that starts agents side by side, without a tool call of anybody."""
    model = draw.random.choice((drawing.GPT, drawing.GEMINI))
    lead = Worker(
        draw, "report-writer", model, draw.random.choice(tasks.QUESTIONS), system=3_000
    )
    lead.turns(1, _ANALYSING)
    analysts = []
    for _ in range(draw.whole(3, 6)):
        analyst = Worker(
            draw, "analyst", model, draw.random.choice(tasks.PARTS), system=3_500
        )
        analyst.turns(draw.whole(5, 9), _ANALYSING)
        analysts.append(analyst.done(answer=800))
    lead.spawn(analysts, by_tool=False)
    return _plan(draw, "weekly-report", lead.done(answer=2_500))


KINDS: Final[Mapping[str, Callable[[Draw], Plan]]] = {
    "coder": coder,
    "support": support,
    "session": session,
    "research": research,
    "pipeline": pipeline,
    "nested": nested,
    "background": background,
    "batch": batch,
    "scripted": scripted,
}


def healthy(seed: object, kind: str = "") -> Plan:
    """Return a healthy run.

    Args:
        seed: The same seed gives the same run.
        kind: One of `KINDS`; ``""`` for any.
    """
    draw = Draw("healthy", seed, kind)
    return KINDS[kind or draw.random.choice(list(KINDS))](draw)


def _researcher(draw: Draw, model: Model, task: str) -> Worker:
    worker = Worker(draw, "researcher", model, task, system=5_000)
    worker.turns(draw.whole(7, 13), _READING)
    return worker


def _same(draw: Draw, tool: Tool) -> Tool:
    again = use(draw, drawing.SHELL, arguments=tool.row["ArgumentsHash"])
    kept = {name: tool.row[name] for name in ("ResultHash", "Success", "Error")}
    again.row |= kept | {"ResultBytes": tool.row["ResultBytes"]}
    return again


def _plan(draw: Draw, name: str, root: Agent) -> Plan:
    return Plan(
        run_id=draw.id("run"),
        name=name,
        origin="generated",
        start_ns=_START_NS + draw.whole(0, 20) * _DAY_NS,
        root=root,
    )
