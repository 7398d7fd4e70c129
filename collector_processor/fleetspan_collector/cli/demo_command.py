"""``fleetspan demo``."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli._invocation import SCHEMA_VERSION, Invocation
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.cli.review_command import review_document
from fleetspan_collector.config import Endpoints, Settings
from fleetspan_collector.demo import report
from fleetspan_collector.demo._plan import FEWEST_RUNS, plan_fleet
from fleetspan_collector.demo.checks import check, read_back, why_unready
from fleetspan_collector.demo.fleet import Fleet, reachable
from fleetspan_collector.demo.planted import (
    await_analysis,
    check_findings,
    review_release,
)
from fleetspan_collector.demo.server import Collecting, collecting
from fleetspan_collector.insights.documents import rfc3339

Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the collector up until Ctrl-C.")
]
Runs = Annotated[
    int,
    typer.Option(
        "--runs", min=FEWEST_RUNS, max=5000, help="How many runs.", metavar="N"
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", help="The same fleet for the same seed.", metavar="N")
]
OnProgress = Callable[[str, int], None]
_TRUTHS: Final = "demo"
_BY_MODEL: Final = (
    "SELECT Model, count() AS calls, round(sum(CostUsd), 2) AS usd "
    "FROM {database}.llm_calls GROUP BY Model ORDER BY usd DESC"
)


def demo(
    invocation: Invocation, keep: Keep = False, runs: Runs = 200, seed: Seed = 1
) -> None:
    """Run a believable fleet of agents through real OTLP, and look at it."""
    settings = invocation.load().settings
    began = time.monotonic()
    demo_id = uuid.uuid4().hex[:8]
    with (
        _ended_in_order(),
        tempfile.TemporaryDirectory(prefix="fleetspan-demo-") as directory,
        _progress(invocation, runs) as (on_progress, finish),
        collecting(settings, options_of(invocation)) as collector,
    ):
        starting_s = time.monotonic() - began
        plans = plan_fleet(runs, seed=seed, demo_id=demo_id, now_ns=time.time_ns())
        shown = OwnerPass.read(settings.data)
        there = Path(directory)
        with Fleet(plans, there, collector.endpoints, demo_id, shown) as fleet:
            truth = fleet.watch(lambda made: on_progress("agents at work", made))
            sent = time.monotonic()
            on_progress("reading back", runs)
            outcome = _read(invocation, settings, collector, truth, demo_id=demo_id)
            outcome.timing |= {
                "starting_s": starting_s,
                "sending_s": sent - began - starting_s,
                "total_s": time.monotonic() - began,
            }
            finish()
            if keep:
                _show_and_stay(invocation, outcome, collector)
            else:
                _show(invocation, outcome)


def _read(
    invocation: Invocation,
    settings: Settings,
    collector: Collecting,
    truth: dict[str, Any],
    *,
    demo_id: str,
) -> report.Outcome:
    """Read what is stored, once it is all there.

    Raises:
        CollectorError: When it is not what was sent.
    """
    began = time.monotonic()
    # It says itself how far it is; a warning would be news to nobody.
    source = OwnerSource(
        reachable(collector.endpoints.web or ""),
        OwnerPass.read(settings.data),
        warns=False,
    )
    database = settings.store.database
    stored = read_back(source, truth, demo_id=demo_id, database=database)
    check(truth, stored, unready=why_unready(source))
    readable = time.monotonic()
    await_analysis(source, truth)
    check_findings(source, truth, off=settings.processors_off)
    analysed = time.monotonic()
    review = review_release(source, truth)
    specials = {
        run["special"]: run["run_id"] for run in truth["runs"] if run["special"]
    }
    by_model = _BY_MODEL.format(database=database)
    commands = (
        "ls",
        f"show {specials['loop'][:12]}",
        f"explain {specials['loop'][:12]}",
        "findings",
        f"review --since {rfc3339(review.span.since_ns)}",
        f'sql "{by_model}"',
        "up",
    )
    where = shlex.join(options_of(invocation))
    return report.Outcome(
        runs=stored.runs,
        shown=source.run(report.choose_run(stored.runs, specials)),
        specials=specials,
        totals=report.sum_up(stored.runs),
        timing={
            "spans": stored.spans,
            "starts": stored.starts,
            "readable_s": readable - began,
            "analysed_s": analysed - readable,
        },
        review=review,
        truth=str(_keep_truth(settings, demo_id, truth)),
        next=[f"{command_name()} {each} {where}".rstrip() for each in commands],
        endpoints=collector.endpoints,
    )


def _show(invocation: Invocation, outcome: report.Outcome) -> None:
    if invocation.json:
        # The review in its own form: one of dataclasses says too much.
        fields = {
            each.name: getattr(outcome, each.name)
            for each in dataclasses.fields(outcome)
        }
        endpoints = dataclasses.asdict(outcome.endpoints)
        review = review_document(outcome.review)
        invocation.write_json(fields | {"endpoints": endpoints, "review": review})
    else:
        report.print_outcome(outcome, invocation.out)
    sys.stdout.flush()


def _show_and_stay(
    invocation: Invocation, outcome: report.Outcome, collector: Collecting
) -> None:
    """Wait for Ctrl-C, where the collector is ours; it may come as soon as all is said."""
    err = invocation.err
    try:
        _show(invocation, outcome)
        if collector.process is None:
            err.print("the collector ran before the demo, and runs on")
            return
        _announce(invocation, collector.endpoints)
        err.print("the collector stays up; Ctrl-C stops it")
        collector.wait()
    except KeyboardInterrupt:
        err.print("stopped; everything acknowledged is kept")


def _announce(invocation: Invocation, endpoints: Endpoints) -> None:
    for name, address in dataclasses.asdict(endpoints).items():
        if address is not None:
            invocation.err.print(Text(f"{name:<10} {address}"))


def _keep_truth(settings: Settings, demo_id: str, truth: Mapping[str, Any]) -> Path:
    """Write beside the store what the agents did, to compare it with."""
    directory = settings.data / _TRUTHS
    directory.mkdir(exist_ok=True)
    path = directory / f"{demo_id}.json"
    document = {"schema_version": SCHEMA_VERSION, **truth}
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return path


@contextmanager
def _progress(
    invocation: Invocation, runs: int
) -> Iterator[tuple[OnProgress, Callable[[], None]]]:
    """Draw a bar, on a terminal alone.

    Yields:
        What to call with news, and what to call when the bar should go.
    """
    err = invocation.err
    columns = (
        TextColumn("{task.description:<22}"),
        # Not as wide as the terminal: the ^C of an interruption would wrap the line.
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TextColumn("runs"),
    )
    hidden = not err.is_terminal or invocation.quiet
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task("starting the collector", total=runs)

        def on_progress(what: str, made: int) -> None:
            bar.update(task, description=what, completed=made)

        yield on_progress, bar.stop


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Turn signals that end a process into an exception, so that nothing lives on."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    ending = (signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, leave) for each in ending}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def options_of(invocation: Invocation) -> list[str]:
    """Return the options by which another command reads what this one wrote."""
    given = {
        "--data": invocation.data,
        "--store": invocation.store,
        "--config": invocation.config,
    }
    options: list[str] = []
    for name, value in given.items():
        if value is not None:
            options += [name, str(value)]
    for assignment in invocation.assignments:
        options += ["--set", assignment]
    return options


def command_name() -> str:
    """Return how this command was called, when ``fleetspan`` alone would not do."""
    called = Path(sys.argv[0]).absolute()
    found = shutil.which("fleetspan")
    if called.name != "fleetspan" or (found and Path(found).samefile(called)):
        return "fleetspan"
    here = Path.cwd()
    inside = called.is_relative_to(here)
    return shlex.quote(str(called.relative_to(here) if inside else called))
