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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.config import Endpoints, Settings
from fleetspan_collector.demo import report
from fleetspan_collector.demo._plan import FEWEST_RUNS, plan_fleet
from fleetspan_collector.demo.checks import check, read_back
from fleetspan_collector.demo.fleet import Fleet, reachable
from fleetspan_collector.demo.server import collecting

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
_KEPT_TRUTHS: Final = "demo"


def demo(
    invocation: Invocation, keep: Keep = False, runs: Runs = 200, seed: Seed = 1
) -> None:
    """Run a believable fleet of agents through real OTLP, and look at it."""
    settings = invocation.load().settings
    began = time.monotonic()
    with _ended_in_order(), collecting(settings, _options(invocation)) as endpoints:
        starting_s = time.monotonic() - began
        with tempfile.TemporaryDirectory(prefix="fleetspan-demo-") as directory:
            demo_id = uuid.uuid4().hex[:8]
            plans = plan_fleet(runs, seed=seed, demo_id=demo_id, now_ns=time.time_ns())
            with Fleet(plans, Path(directory), endpoints, demo_id) as fleet:
                with _progress(invocation, runs) as on_progress:
                    truth = fleet.watch(on_progress)
                sent = time.monotonic()
                source = OwnerSource(reachable(endpoints.web or ""))
                stored = read_back(
                    source, truth, demo_id=demo_id, database=settings.store.database
                )
                check(truth, stored)
                readable = time.monotonic()
                outcome = _outcome(
                    invocation,
                    endpoints,
                    truth,
                    stored.runs,
                    source,
                    _keep_truth(settings, demo_id, truth),
                    {
                        "spans": stored.spans,
                        "starts": stored.starts,
                        "starting_s": starting_s,
                        "sending_s": sent - began - starting_s,
                        "readable_s": readable - sent,
                        "total_s": readable - began,
                    },
                )
                _show(invocation, outcome)
                if keep:
                    _stay(invocation, endpoints)


def _outcome(
    invocation: Invocation,
    endpoints: Endpoints,
    truth: dict[str, Any],
    runs: list[Any],
    source: OwnerSource,
    truth_file: Path,
    timing: dict[str, Any],
) -> report.Outcome:
    specials = {
        run["special"]: run["run_id"] for run in truth["runs"] if run["special"]
    }
    shown = source.run(report.choose_run(runs, specials))
    return report.Outcome(
        runs=runs,
        shown=shown,
        specials=specials,
        totals=report.sum_up(runs),
        timing=timing,
        truth=str(truth_file),
        next=_next(invocation, specials),
        endpoints=endpoints,
    )


def _show(invocation: Invocation, outcome: report.Outcome) -> None:
    if invocation.json:
        invocation.write_json(dataclasses.asdict(outcome))
    else:
        report.print_outcome(outcome, invocation.out)
    sys.stdout.flush()


def _stay(invocation: Invocation, endpoints: Endpoints) -> None:
    """Wait for Ctrl-C."""
    for name, address in dataclasses.asdict(endpoints).items():
        if address is not None:
            invocation.err.print(Text(f"{name:<10} {address}"))
    invocation.err.print("the collector stays up; Ctrl-C stops it")
    try:
        signal.pause()
    except KeyboardInterrupt:
        invocation.err.print("stopped; everything acknowledged is kept")


def _keep_truth(settings: Settings, demo_id: str, truth: dict[str, Any]) -> Path:
    directory = settings.data / _KEPT_TRUTHS
    directory.mkdir(exist_ok=True)
    path = directory / f"{demo_id}.json"
    path.write_text(
        json.dumps({"schema_version": 1, **truth}, indent=1) + "\n", "utf-8"
    )
    return path


@contextmanager
def _progress(invocation: Invocation, runs: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar, on a terminal alone."""
    err = invocation.err
    columns = (
        TextColumn("agents at work"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
    )
    hidden = not err.is_terminal or invocation.quiet
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task("runs", total=runs)

        def on_progress(made: int) -> None:
            bar.update(task, completed=made)

        yield on_progress


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Turn the signals that end a process into an exception, so that nothing lives on."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {
        each: signal.signal(each, leave) for each in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _options(invocation: Invocation) -> list[str]:
    """Return the options by which another command reads what this one wrote."""
    given = {
        "--data": invocation.data,
        "--store": invocation.store,
        "--config": invocation.config,
    }
    options = [
        each
        for name, value in given.items()
        if value is not None
        for each in (name, str(value))
    ]
    for assignment in invocation.assignments:
        options += ["--set", assignment]
    return options


def _next(invocation: Invocation, specials: dict[str, str]) -> list[str]:
    name = _command_name()
    where = shlex.join(_options(invocation))

    def command(what: str) -> str:
        return f"{name} {what} {where}".rstrip()

    by_model = (
        "SELECT Model, count() AS calls, round(sum(CostUsd), 2) AS usd "
        "FROM otel.llm_calls GROUP BY Model ORDER BY usd DESC"
    )
    return [
        command("ls"),
        command(f"show {specials['loop'][:12]}"),
        command(f'sql "{by_model}"'),
        command("up"),
    ]


def _command_name() -> str:
    """Return how this command was called, when ``fleetspan`` alone would not do."""
    called = Path(sys.argv[0])
    found = shutil.which("fleetspan")
    if called.name != "fleetspan" or (found and Path(found).samefile(called)):
        return "fleetspan"
    here = Path.cwd()
    inside = called.absolute().is_relative_to(here)
    return shlex.quote(str(called.absolute().relative_to(here) if inside else called))
