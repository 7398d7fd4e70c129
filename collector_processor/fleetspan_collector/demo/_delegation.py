"""Runs and their agents: how they begin, and how they hand work to sub-agents."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import fleetspan
from fleetspan_collector.demo._models import Model
from fleetspan_collector.demo._plan import RunPlan
from fleetspan_collector.demo._timeline import Timeline, current, living
from fleetspan_collector.demo._truth import AgentTruth, RunTruth, Truth
from fleetspan_collector.demo._worker import Worker

# A breath between two steps, so that what is side by side in the story is so for real.
_BREATH_S: Final = 0.001

Job = Callable[[Worker], Iterator[None]]
"""What an agent does; it yields between steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work for an agent.

    Attributes:
        name: The agent's name.
        job: What it does.
        model: The model it uses.
        type: Its role.
        background: Whether nobody waits for it.
    """

    name: str
    job: Job
    model: Model
    type: str | None = None
    background: bool = False


def make_run(plan: RunPlan, task: Task, truth: Truth, *, lone: bool = False) -> None:
    """Make a run: its main agent does the task.

    Args:
        plan: Which run.
        task: What the main agent does.
        truth: Where to note it.
        lone: Without a run around the agent, which then is the run.
    """
    rng = Random(plan.seed)  # noqa: S311 - a play, not a secret
    with living(Timeline(plan.start_ns)):
        if lone:
            agent = _agent(task, session=plan.session, user=plan.user)
            with _at_work(
                agent, task, rng, truth, plan=plan, released=plan.released
            ) as worker:
                do(task.job, worker)
            return
        truth.started()
        with fleetspan.run(plan.kind, session=plan.session, user=plan.user) as run:
            _note_run(truth, plan, run.run_id or "")
            with _at_work(
                _agent(task), task, rng, truth, released=plan.released
            ) as worker:
                do(task.job, worker)
        truth.ended()


def continue_run(
    task: Task, truth: Truth, *, seed: str, begin_ns: int, spawned_by: str
) -> int:
    """Do a task as a sub-agent of the run that another process has handed over.

    Args:
        task: What to do.
        truth: Where to note it.
        seed: Of everything random in it.
        begin_ns: When it begins, in nanoseconds since 1970.
        spawned_by: The tool call that started this process.

    Returns:
        When it was done, in nanoseconds since 1970.
    """
    rng = Random(seed)  # noqa: S311 - a play, not a secret
    with living(Timeline(begin_ns)) as line:
        with _at_work(_agent(task), task, rng, truth, spawned_by=spawned_by) as worker:
            do(task.job, worker)
        return line.now_ns


def do(job: Job, worker: Worker) -> None:
    """Do a job step by step."""
    for _ in job(worker):
        time.sleep(_BREATH_S)


def delegate(worker: Worker, task: Task) -> None:
    """Hand a task to a sub-agent and wait for it."""
    with _hired(worker, task, worker.rng.random(), worker.line) as hired:
        do(task.job, hired)


def delegate_to_threads(worker: Worker, tasks: Sequence[Task]) -> None:
    """Hand tasks to sub-agents in threads, and wait for all of them."""
    seeds = [worker.rng.random() for _ in tasks]
    begin_ns = worker.line.now_ns

    def work(task: Task, seed: float) -> int:
        return _on_own_time(worker, task, seed, begin_ns)

    with fleetspan.ContextExecutor(ThreadPoolExecutor(len(tasks))) as pool:
        worker.line.wait_for(max(pool.map(work, tasks, seeds)))


def delegate_to_coroutines(worker: Worker, tasks: Sequence[Task]) -> None:
    """Hand tasks to sub-agents in asyncio's tasks, and wait for all of them."""
    begin_ns = worker.line.now_ns

    async def work(task: Task, seed: float) -> int:
        with living(Timeline(begin_ns)) as line:
            with _hired(worker, task, seed, line) as hired:
                for _ in task.job(hired):
                    await asyncio.sleep(_BREATH_S)
            return line.now_ns

    async def work_all() -> list[int]:
        seeds = [worker.rng.random() for _ in tasks]
        return await asyncio.gather(*map(work, tasks, seeds))

    worker.line.wait_for(max(asyncio.run(work_all())))


def delegate_in_background(worker: Worker, task: Task) -> threading.Thread:
    """Hand a task to a sub-agent in a thread, and go on.

    Returns:
        The thread, to be joined before the run ends.
    """
    work = fleetspan.wrap(_on_own_time)
    arguments = (worker, task, worker.rng.random(), worker.line.now_ns)
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    return thread


def delegate_to_process(worker: Worker, scenario: str) -> None:
    """Hand a task to a program of its own, which goes on with this run."""
    with worker.calling("Process", {"scenario": scenario}) as call:
        program = "fleetspan_collector.demo.program"
        command = [sys.executable, "-m", program, "child", scenario]
        begin = [str(worker.line.now_ns), str(worker.rng.random()), call.call_id or ""]
        environment = fleetspan.subprocess_env()
        done = subprocess.run(  # noqa: S603 - our own program
            command + begin, env=environment, check=True, stdout=subprocess.PIPE
        )
        worker.line.wait_for(int(done.stdout))
        call.result("done")


def truth_path(directory: Path) -> Path:
    """Return where this process writes what it did."""
    return directory / f"{os.getpid()}.json"


def _on_own_time(worker: Worker, task: Task, seed: float, begin_ns: int) -> int:
    with living(Timeline(begin_ns)) as line:
        with _hired(worker, task, seed, line) as hired:
            do(task.job, hired)
        return line.now_ns


@contextmanager
def _hired(boss: Worker, task: Task, seed: float, line: Timeline) -> Iterator[Worker]:
    """Have a sub-agent at work, started by a tool call of its boss."""
    # No two are asked for the same thing, or it would look like a loop.
    arguments = {"agent": task.name, "ticket": f"T-{int(seed * 1e9)}"}
    with boss.calling("Task", arguments) as call:
        rng = Random(seed)  # noqa: S311 - a play, not a secret
        agent = _agent(task)
        with _at_work(
            agent,
            task,
            rng,
            boss.truth,
            spawned_by=call.call_id,
            released=boss.released,
        ) as worker:
            yield worker
        call.result("done")


def _agent(
    task: Task, *, session: str | None = None, user: str | None = None
) -> fleetspan.Agent:
    return fleetspan.agent(
        task.name,
        type=task.type,
        model=task.model.name,
        background=task.background,
        session=session,
        user=user,
    )


@contextmanager
def _at_work(
    agent: fleetspan.Agent,
    task: Task,
    rng: Random,
    truth: Truth,
    *,
    spawned_by: str | None = None,
    plan: RunPlan | None = None,
    released: bool = False,
) -> Iterator[Worker]:
    truth.started()
    with agent:
        record = AgentTruth(
            agent_id=agent.agent_id or "",
            run_id=agent.run_id or "",
            name=task.name,
            parent=agent.parent_agent_id,
            spawn_tool_call_id=spawned_by,
        )
        if plan is not None:
            _note_run(truth, plan, record.run_id)
        truth.agent(record)
        line = current()
        yield Worker(
            agent,
            truth,
            record,
            model=task.model,
            rng=rng,
            line=line,
            released=released,
        )
    truth.ended()


def _note_run(truth: Truth, plan: RunPlan, run_id: str) -> None:
    truth.run(
        RunTruth(
            run_id=run_id,
            name=plan.kind,
            session_id=plan.session,
            special=plan.special,
            released=plan.released,
            start_ns=plan.start_ns,
        )
    )
