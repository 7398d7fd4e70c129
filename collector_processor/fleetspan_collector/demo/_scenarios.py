"""The ordinary runs of the demo, one function or two for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from fleetspan_collector.demo._delegation import (
    Task,
    delegate,
    delegate_in_background,
    delegate_to_coroutines,
    delegate_to_process,
    delegate_to_threads,
    make_run,
)
from fleetspan_collector.demo._models import GEMINI, GPT, HAIKU, IN_HOUSE, OPUS, SONNET
from fleetspan_collector.demo._plan import RunPlan
from fleetspan_collector.demo._truth import Truth
from fleetspan_collector.demo._worker import Worker

MAIL_READ: Final = 2_400
MAIL_WRITE: Final = 180
"""Tokens of one message and of its summary: the same in every run, so that the runs of
one kind cost the same until something is wrong."""

SEARCH_S: Final = 1.5
"""Seconds of a web search, more or less."""
REPORT_READ: Final = 6_000
"""Tokens that the writer of a report reads."""
SLOWER: Final = 1.4
DEARER: Final = 4
NEW_FAILURES: Final = 0.6
"""What the fleet's new version does: to the length of a search, to what the writer
reads, and how often a customer is not found because of a column that is no more."""


def review_pull_request(plan: RunPlan, truth: Truth) -> None:
    """An orchestrator and reviewers side by side in threads, one with a helper."""

    def lead(worker: Worker) -> Iterator[None]:
        worker.think()
        worker.use("git_diff", {"base": "main"}, "+120 -34")
        worker.decide("how deep to look", ["skim", "normal", "thorough"])
        yield
        tasks = [
            Task(name="security-reviewer", job=_audit, model=SONNET, type="review"),
            Task(name="performance-reviewer", job=_review, model=SONNET, type="review"),
            Task(name="style-reviewer", job=_review, model=HAIKU, type="review"),
        ]
        delegate_to_threads(worker, tasks[: worker.rng.randint(2, 3)])
        worker.think()
        worker.validate("review", worker.rng.choice(["pass", "pass", "warning"]))
        yield

    make_run(plan, Task(name="review-lead", job=lead, model=OPUS), truth)


def _review(worker: Worker) -> Iterator[None]:
    for _ in range(worker.rng.randint(1, 3)):
        path = f"src/checkout/{worker.rng.choice(['cart', 'payment', 'stock'])}.py"
        worker.think()
        worker.use("Read", {"path": path}, "x" * worker.rng.randint(900, 9000))
        worker.touch("read", path)
        yield
    worker.think()


def _audit(worker: Worker) -> Iterator[None]:
    worker.think()
    yield
    task = Task(
        name="dependency-auditor", job=_audit_dependencies, model=HAIKU, type="audit"
    )
    delegate(worker, task)
    worker.think()
    yield


def _audit_dependencies(worker: Worker) -> Iterator[None]:
    worker.think()
    if worker.rng.random() < 0.3:
        worker.use("fetch_advisories", {"ecosystem": "pypi"}, fails="TimeoutError")
        worker.stumble("TimeoutError", "asked the mirror")
        yield
    worker.use("fetch_advisories", {"ecosystem": "pypi", "mirror": True}, "[]")
    worker.think()
    yield


def fix_issue(plan: RunPlan, truth: Truth) -> None:
    """A coder, and tests in the background that may outlive it."""

    def code(worker: Worker) -> Iterator[None]:
        worker.think()
        worker.use("Grep", {"pattern": "TODO"}, "3 matches")
        yield
        tests = Task(
            name="test-runner",
            job=_run_tests,
            model=HAIKU,
            type="tests",
            background=True,
        )
        thread = delegate_in_background(worker, tests)
        for number in range(worker.rng.randint(1, 4)):
            worker.think()
            failed = "StaleFile" if worker.rng.random() < 0.12 else None
            worker.use("Edit", {"path": "cart.py", "change": number}, fails=failed)
            if failed is None:
                worker.touch("modify", "cart.py", worker.rng.randint(1, 60))
            yield
        worker.take_stock()
        worker.think()
        thread.join()
        yield

    make_run(plan, Task(name="coder", job=code, model=SONNET, type="coder"), truth)


def _run_tests(worker: Worker) -> Iterator[None]:
    worker.think()
    worker.use("Bash", {"command": "pytest -q"}, "412 passed", seconds=25)
    worker.validate("tests", "pass")
    yield


def research_question(plan: RunPlan, truth: Truth) -> None:
    """Searchers of two providers as asyncio's tasks, then a writer."""

    def lead(worker: Worker) -> Iterator[None]:
        worker.think()
        count = worker.rng.randint(2, 5)
        tasks = [
            Task(
                name=f"searcher-{1 + number}",
                job=_search,
                model=GEMINI if number % 2 else GPT,
                type="search",
            )
            for number in range(count)
        ]
        delegate_to_coroutines(worker, tasks)
        yield
        delegate(worker, Task(name="writer", job=_write, model=SONNET, type="writer"))
        worker.think()
        yield

    make_run(plan, Task(name="research-lead", job=lead, model=GPT), truth)


def _search(worker: Worker) -> Iterator[None]:
    for number in range(worker.rng.randint(2, 4)):
        limited = worker.rng.random() < 0.15
        worker.think(attempts=3 if limited else 1)
        yield
        failed = "HTTPError" if worker.rng.random() < 0.08 else None
        query = {"query": f"market size {number}"}
        seconds = SEARCH_S * (SLOWER if worker.released else 1)
        worker.use("web_search", query, "y" * 4000, seconds=seconds, fails=failed)
        yield


def _write(worker: Worker) -> Iterator[None]:
    # The new version tells the writer about style at length.
    worker.think(read=REPORT_READ * (DEARER if worker.released else 1), write=1800)
    worker.touch("create", "report.md", 140)
    yield


def summarise_inbox(plan: RunPlan, truth: Truth) -> None:
    """One agent and four messages; every run of it costs the same."""

    def summarise(worker: Worker) -> Iterator[None]:
        yield from summarise_messages(worker)

    make_run(plan, Task(name="summariser", job=summarise, model=HAIKU), truth)


def summarise_messages(worker: Worker) -> Iterator[None]:
    """Fetch and summarise four messages."""
    worker.forget()
    worker.use("fetch_mail", {"folder": "inbox"}, "4 messages")
    for _ in range(4):
        worker.think(read=MAIL_READ, write=MAIL_WRITE)
        yield


def answer_ticket(plan: RunPlan, truth: Truth) -> None:
    """A lone agent without a run around it, often with a model that has no list price."""

    def answer(worker: Worker) -> Iterator[None]:
        worker.think(IN_HOUSE)
        failed = "NotFound" if worker.rng.random() < 0.1 else None
        if worker.released and worker.rng.random() < NEW_FAILURES:
            failed = "SchemaError"
        worker.use("find_customer", {"by": "mail"}, "customer 4711", fails=failed)
        yield
        chance = worker.rng.random()
        if chance < 0.1:
            worker.think(HAIKU, attempts=4, fails="RateLimitError")
            worker.use("escalate", {"to": "a person"})
            return
        worker.think(HAIKU, attempts=2 if chance < 0.25 else 1)
        if worker.decide("is it about money", ["refund", "question"]) == "refund":
            task = Task(name="refund-desk", job=_refund, model=HAIKU, type="refund")
            delegate(worker, task)
        yield

    task = Task(name="answer-ticket", job=answer, model=HAIKU, type="support")
    make_run(plan, task, truth, lone=True)


def _refund(worker: Worker) -> Iterator[None]:
    worker.think()
    with worker.calling("refund", {"order": worker.rng.randint(1, 9999)}) as call:
        wait_s = worker.rng.random() * 30
        worker.line.advance(wait_s)
        call.permission_wait(wait_s * 1000)
        call.result("refunded")
    yield


def migrate_module(plan: RunPlan, truth: Truth) -> None:
    """Four levels of agents; in one run of them a worker is a process of its own."""

    def plan_it(worker: Worker) -> Iterator[None]:
        worker.think()
        worker.decide("order", ["leaves first", "root first"])
        yield
        task = Task(name="module-lead", job=_lead_module, model=SONNET, type="migrate")
        delegate(worker, task)
        if plan.in_process:
            delegate_to_process(worker, "convert")
        worker.think()
        yield

    task = Task(name="migration-planner", job=plan_it, model=OPUS, type="planner")
    make_run(plan, task, truth)


def _lead_module(worker: Worker) -> Iterator[None]:
    worker.think()
    workers = [
        Task(name="converter", job=convert, model=GPT, type="convert")
        for _ in range(worker.rng.randint(1, 3))
    ]
    delegate_to_threads(worker, workers)
    worker.validate("types", worker.rng.choice(["pass", "warning"]))
    yield


def convert(worker: Worker) -> Iterator[None]:
    """Convert a file, and have it checked."""
    worker.think()
    worker.use("Edit", {"path": "ledger.py"})
    worker.touch("modify", "ledger.py", 33)
    yield
    delegate(worker, Task(name="checker", job=_check, model=HAIKU, type="check"))
    yield


def _check(worker: Worker) -> Iterator[None]:
    failed = "AssertionError" if worker.rng.random() < 0.1 else None
    worker.use("Bash", {"command": "pytest ledger"}, "ok", seconds=6, fails=failed)
    worker.think()
    yield


CONVERTER: Final = Task(name="converter", job=convert, model=GPT, type="convert")
"""What the process of its own does."""

SCENARIOS: Final[dict[str, Callable[[RunPlan, Truth], None]]] = {
    "review-pull-request": review_pull_request,
    "fix-issue": fix_issue,
    "research-question": research_question,
    "summarise-inbox": summarise_inbox,
    "answer-ticket": answer_ticket,
    "migrate-module": migrate_module,
}
"""What happens in a run, by its name."""
