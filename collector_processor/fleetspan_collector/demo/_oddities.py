"""The four runs that are wrong on purpose."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import fleetspan
from fleetspan_collector.demo._delegation import Task, delegate, make_run, truth_path
from fleetspan_collector.demo._models import HAIKU, OPUS, SONNET
from fleetspan_collector.demo._plan import RunPlan
from fleetspan_collector.demo._scenarios import convert, summarise_messages
from fleetspan_collector.demo._truth import Truth
from fleetspan_collector.demo._worker import Worker

LOOPS: Final = 30
SPIKE_BATCHES: Final = 8
"""Batches of messages in the dear run: each costs five times as much as its siblings'
with the larger model, so the run costs 40 times as much as they do."""
_FLUSH_S: Final = 30.0


def loop(plan: RunPlan, truth: Truth) -> None:
    """The same tool call with the same result, again and again."""

    def fix(worker: Worker) -> Iterator[None]:
        arguments = {"command": "pytest tests/test_checkout.py -x -q"}
        result = "1 failed: test_total_is_rounded, expected 10.01, got 10.00"
        for _ in range(LOOPS):
            worker.think(read=260, write=90)
            worker.use("Bash", arguments, result, seconds=6)
            yield

    make_run(plan, Task(name="coder", job=fix, model=SONNET, type="coder"), truth)


def spike(plan: RunPlan, truth: Truth) -> None:
    """Somebody set the large model, and all folders instead of one."""

    def summarise(worker: Worker) -> Iterator[None]:
        for _ in range(SPIKE_BATCHES):
            yield from summarise_messages(worker)

    make_run(plan, Task(name="summariser", job=summarise, model=OPUS), truth)


def stuck(plan: RunPlan, truth: Truth, truths: Path) -> None:
    """Starts, waits for an answer that never comes, and lives as long as its parent."""

    def index(worker: Worker) -> Iterator[None]:
        worker.think()
        yield
        # The tool call is open, and so are the agent and the run.
        with worker.calling("Bash", {"command": "ctags -R ."}):
            _tell(truth, truths)
            sys.stdin.read()
            os._exit(0)

    make_run(plan, Task(name="indexer", job=index, model=HAIKU), truth)


def crash(plan: RunPlan, truth: Truth, truths: Path) -> None:
    """Its process is gone in the middle of the work, two agents deep."""

    def migrate(worker: Worker) -> Iterator[None]:
        worker.think()
        delegate(worker, Task(name="converter", job=convert, model=SONNET))
        yield
        delegate(worker, Task(name="ledger-writer", job=write, model=HAIKU))

    def write(worker: Worker) -> Iterator[None]:
        worker.think()
        yield
        with worker.calling("Bash", {"command": "psql -f migrate.sql"}):
            # What a program tells within its last moments is told; the rest is lost.
            _tell(truth, truths)
            os._exit(1)

    task = Task(name="migration-planner", job=migrate, model=OPUS, type="planner")
    make_run(plan, task, truth)


def _tell(truth: Truth, truths: Path) -> None:
    """Have sent what there is so far, and note it."""
    if not fleetspan.flush(_FLUSH_S):
        raise TimeoutError(f"nothing was sent within {_FLUSH_S} s")
    truth.write(truth_path(truths))
    sys.stdout.write("run\n")
    sys.stdout.flush()


ODDITIES: Final[dict[str, Callable[[RunPlan, Truth], None]]] = {
    "loop": loop,
    "cost spike": spike,
}
"""What happens in an odd run, by what is odd about it."""

ALONE: Final[dict[str, Callable[[RunPlan, Truth, Path], None]]] = {
    "stuck": stuck,
    "crash": crash,
}
"""Likewise, for those that end their process."""
