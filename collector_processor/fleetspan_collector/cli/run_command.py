"""``fleetspan run``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli import _errors
from fleetspan_collector.cli._invocation import SCHEMA_VERSION, Invocation
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.cli._text import plain_json
from fleetspan_collector.cli.demo_command import command_name, options_of
from fleetspan_collector.config import Endpoints, Settings
from fleetspan_collector.demo.fleet import reachable
from fleetspan_collector.run import report as reports
from fleetspan_collector.run import summary
from fleetspan_collector.run.environment import Target, environment, overridden
from fleetspan_collector.run.lease import collecting
from fleetspan_collector.run.program import find
from fleetspan_collector.run.program import run as run_program

CONTEXT: Final = {"allow_interspersed_args": False}
"""What follows the program's name is the program's."""

Command = Annotated[
    list[str],
    typer.Argument(metavar="-- COMMAND [ARGUMENT]...", help="Any program."),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write the summary, as JSON, into a file.", metavar="FILE"
    ),
]


def run(
    invocation: Invocation, command: Command, report: ReportFile = None
) -> int | None:
    """Run a program with the instrumentations it has switched on, and sum it up.

    Standard input and output are the program's, and so is the exit code. The summary
    goes to standard error; with --json it is one document there.
    """
    path = find(command[0])
    settings = invocation.load().settings
    invocation_id = str(uuid.uuid4())
    with (
        _ended_in_order(),
        tempfile.TemporaryDirectory(prefix="fleetspan-run-") as notes,
        _collector(invocation, settings) as (endpoints, trouble),
    ):
        base = dict(os.environ)
        source, refused_before = None, 0
        variables = base
        shown = OwnerPass.read(settings.data)
        if endpoints is not None:
            source = OwnerSource(reachable(endpoints.web or ""), shown, warns=False)
            refused_before = summary.refused(source)
            target = _target(endpoints, invocation_id, Path(notes), shown)
            variables = environment(base, command, target, Path.cwd())
        began, clock = datetime.now(UTC), time.monotonic()
        exit_code, _ = run_program(path, command, variables)
        wall_s = time.monotonic() - clock
        if not (invocation.quiet and not invocation.json and report is None):
            with contextlib.suppress(KeyboardInterrupt):
                used, problem = _read(
                    source,
                    settings,
                    invocation_id=invocation_id,
                    since=began - timedelta(seconds=1),
                    refused_before=refused_before,
                )
                _tell(
                    invocation,
                    report,
                    reports.Report(
                        command=command,
                        invocation=invocation_id,
                        began=began,
                        wall_s=wall_s,
                        exit_code=exit_code,
                        again=(command_name(), options_of(invocation)),
                        inside=summary.read_notes(Path(notes)),
                        used=used,
                        overridden=overridden(base) if endpoints else [],
                        trouble=trouble or problem or _disabled(base),
                    ),
                )
    return exit_code


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Turn signals that end this process into an exception, so that nothing lives on.

    Not those that are ignored, under ``nohup`` for one: the program inherits that.
    """

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    ending = [
        each
        for each in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(each) is signal.SIG_DFL
    ]
    for each in ending:
        signal.signal(each, leave)
    try:
        yield
    finally:
        for each in ending:
            signal.signal(each, signal.SIG_DFL)


@contextlib.contextmanager
def _collector(
    invocation: Invocation, settings: Settings
) -> Iterator[tuple[Endpoints | None, str | None]]:
    """Have a collector within the block; without one the program runs all the same.

    Yields:
        What it listens on, and why there is none.
    """
    with contextlib.ExitStack() as stack:
        try:
            endpoints = stack.enter_context(
                collecting(settings, options_of(invocation))
            )
        except (CollectorError, OSError) as error:
            _errors.report(error, sys.stderr)
            yield None, f"no collector: {_errors.translate(error).error}"
            return
        yield endpoints, None


def _disabled(base: Mapping[str, str]) -> str | None:
    is_disabled = base.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return "OTEL_SDK_DISABLED is set, so nothing reports" if is_disabled else None


def _target(
    endpoints: Endpoints, invocation_id: str, notes: Path, shown: OwnerPass
) -> Target:
    grpc = endpoints.otlp_grpc
    return Target(
        invocation=invocation_id,
        http=reachable(endpoints.otlp_http or ""),
        grpc=reachable(grpc) if grpc else None,
        notes=notes,
        shown=shown,
    )


def _read(
    source: OwnerSource | None,
    settings: Settings,
    *,
    invocation_id: str,
    since: datetime,
    refused_before: int,
) -> tuple[summary.Used | None, str | None]:
    if source is None:
        return None, None
    try:
        used = summary.read(
            source,
            database=settings.store.database,
            invocation=invocation_id,
            since=since,
            refused_before=refused_before,
        )
    except CollectorError as error:
        return None, f"{error.error} ({error.because})"
    return used, None


def _tell(invocation: Invocation, file: Path | None, report: reports.Report) -> None:
    """Write the summary; a failure to do so does not change the exit code."""
    document = {"schema_version": SCHEMA_VERSION, **reports.document(report)}
    text = plain_json(json.dumps(document, ensure_ascii=False, indent=2, default=str))
    if file is not None:
        try:
            file.write_text(text + "\n", "utf-8")
        except OSError as error:
            _errors.report(error, sys.stderr)
    if invocation.json:
        sys.stderr.write(text + "\n")
        return
    for line in reports.lines(report):
        # Never folded: a command to copy stays in one piece.
        invocation.err.print(Text(line), soft_wrap=True)
