"""The runs that are wrong on purpose."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import fleetspan
from fleetspan_collector.demo._delegation import (
    Task,
    delegate,
    delegate_to_threads,
    make_run,
    truth_path,
)
from fleetspan_collector.demo._models import GPT, HAIKU, OPUS, SONNET
from fleetspan_collector.demo._plan import RunPlan
from fleetspan_collector.demo._scenarios import convert, summarise_messages
from fleetspan_collector.demo._truth import Truth
from fleetspan_collector.demo._worker import Worker

LOOPS: Final = 30
STORM: Final = 7
"""Attempts at a command that cannot work."""
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

    def summarise_all(worker: Worker) -> Iterator[None]:
        for _ in range(SPIKE_BATCHES):
            task = Task(name="summariser", job=summarise_messages, model=OPUS)
            delegate(worker, task)
            yield

    task = Task(name="mail-lead", job=summarise_all, model=OPUS)
    make_run(plan, task, truth)


def one_by_one(plan: RunPlan, truth: Truth) -> None:
    """Reviewers that know nothing of each other, and yet wait for each other."""

    def lead(worker: Worker) -> Iterator[None]:
        worker.think()
        worker.use("git_log", {"since": "v1.8"}, "214 commits")
        yield
        for part in ("checkout", "search", "billing", "accounts"):
            reviewer = Task(
                name=f"{part}-reviewer", job=_read_closely, model=SONNET, type="review"
            )
            delegate(worker, reviewer)
            yield
        worker.think()

    make_run(plan, Task(name="release-lead", job=lead, model=OPUS), truth)


def _read_closely(worker: Worker) -> Iterator[None]:
    for number in range(4):
        worker.think(write=700)
        worker.use("Read", {"path": f"{number}.py"}, "x" * 4000, seconds=2)
        yield
    worker.think(write=900)


def straggler(plan: RunPlan, truth: Truth) -> None:
    """Four auditors side by side, and one of them has a monorepo to unpack."""

    def audit(minutes: float) -> Callable[[Worker], Iterator[None]]:
        def work(worker: Worker) -> Iterator[None]:
            worker.think(write=300)
            worker.use(
                "Bash", {"command": "npm audit"}, "0 found", seconds=60 * minutes
            )
            yield
            worker.think(write=300)

        return work

    def lead(worker: Worker) -> Iterator[None]:
        worker.think()
        yield
        tasks = [
            Task(name=f"auditor-{number}", job=job, model=HAIKU, type="audit")
            for number, job in enumerate((audit(0.3), audit(0.3), audit(3), audit(0.3)))
        ]
        delegate_to_threads(worker, tasks)
        worker.think()

    make_run(plan, Task(name="audit-lead", job=lead, model=SONNET), truth)


def rate_limit(plan: RunPlan, truth: Truth) -> None:
    """The provider says "later" three times, and the agent waits longer each time."""

    def research(worker: Worker) -> Iterator[None]:
        worker.think()
        for topic in ("prices", "markets"):
            for wait_s in (8.0, 16.0, 32.0):
                worker.think(fails="RateLimitError")
                worker.line.advance(wait_s)
                yield
            worker.think(read=1500)
            worker.use("web_search", {"query": topic}, "y" * 3000, seconds=1.5)
        worker.think(write=1200)

    make_run(plan, Task(name="researcher", job=research, model=GPT), truth)


def retry_storm(plan: RunPlan, truth: Truth) -> None:
    """A command that cannot work, asked for again by the program without a thought."""

    def deploy(worker: Worker) -> Iterator[None]:
        worker.think()
        for _ in range(STORM):
            arguments = {"command": "kubectl apply -f preview.yaml"}
            worker.use("Bash", arguments, seconds=9, fails="TimeoutError")
            worker.line.advance(4)
            yield
        worker.think()
        worker.use("Bash", {"command": "kubectl get events"}, "quota exceeded")
        worker.think(write=400)

    make_run(plan, Task(name="deployer", job=deploy, model=SONNET), truth)


def broken_cache(plan: RunPlan, truth: Truth) -> None:
    """A clock in the first line of the prompt: nothing of it is ever in the cache."""

    def refactor(worker: Worker) -> Iterator[None]:
        worker.think(read=38_000)
        for number in range(12):
            worker.use("Edit", {"path": "ledger.py", "change": number})
            worker.touch("modify", "ledger.py", 12)
            worker.think(cached=False)
            yield

    make_run(plan, Task(name="refactorer", job=refactor, model=SONNET), truth)


def large_output(plan: RunPlan, truth: Truth) -> None:
    """A whole log, where its last lines would do, carried along from then on."""

    def debug(worker: Worker) -> Iterator[None]:
        worker.think()
        log = "2026-11-25 12:00:00 INFO request served in 12 ms\n" * 4_000
        worker.use("Bash", {"command": "cat app.log"}, log, seconds=2)
        worker.think(read=len(log) // 4)
        for number in range(10):
            worker.use("Grep", {"pattern": f"order {4711 + number}"}, "2 matches")
            worker.think()
            yield

    make_run(plan, Task(name="debugger", job=debug, model=SONNET), truth)


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
    "one by one": one_by_one,
    "straggler": straggler,
    "rate limit": rate_limit,
    "retry storm": retry_storm,
    "broken cache": broken_cache,
    "large output": large_output,
}
"""What happens in an odd run, by what is odd about it."""

ALONE: Final[dict[str, Callable[[RunPlan, Truth, Path], None]]] = {
    "stuck": stuck,
    "crash": crash,
}
"""Likewise, for those that end their process."""
