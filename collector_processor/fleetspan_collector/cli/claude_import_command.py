"""``fleetspan claude import``."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TransferSpeedColumn,
)

from fleetspan_collector._errors import UnreachableError, UsageError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._source import find_owner
from fleetspan_collector.cli.demo_command import options_of
from fleetspan_collector.config import Endpoints, Settings
from fleetspan_collector.demo.server import Collecting, collecting
from fleetspan_collector.transcripts.collector_client import Address, check_url
from fleetspan_collector.transcripts.finding import default_folders, find_transcripts
from fleetspan_collector.transcripts.following import follow_transcripts
from fleetspan_collector.transcripts.importing import Imported, Importer, OnProgress

Place = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        help="A transcript, or the folder of a session, of a project, of all projects or"
        " of Claude Code's configuration; by default $CLAUDE_CONFIG_DIR, else ~/.claude"
        " and ~/.config/claude.",
        show_default=False,
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Keep reading what is added.")
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        help="OTLP HTTP port of a collector elsewhere.",
        metavar="URL",
        show_default=False,
    ),
]

_AT_FULL_SPEED: Final = ("--set", "cpu_budget_idle_cores=4")
"""For a collector that ends when the import does."""

_DERIVING_S: Final = 1800.0
_INTERRUPTED: Final = 130


def import_transcripts(
    invocation: Invocation,
    path: Place = None,
    follow: Follow = False,
    endpoint: Endpoint = None,
) -> int:
    """Read Claude Code's transcripts into the store; safe to repeat.

    Sends them to the collector that runs, or runs one for as long as it takes.
    """
    settings = invocation.load().settings
    places = _places(path)
    url = None if endpoint is None else check_url(endpoint)
    began = time.monotonic()
    with ExitStack() as stack:
        stopping = stack.enter_context(_stopped_by_signals())
        locate = stack.enter_context(
            _collector(invocation, settings, url, follow=follow)
        )
        importer = Importer(
            places,
            locate,
            database=settings.store.database,
            tenant=settings.tenant,
            stopping=stopping,
            **({"patience_s": None} if follow else {}),
        )
        stack.callback(importer.close)
        with _progress(invocation) as on_progress:
            importer.look(on_progress)
        if follow and not stopping.is_set():
            invocation.err.print(
                f"{importer.imported.lines} lines read; following, Ctrl-C stops it"
            )
            follow_transcripts(importer, places, stopping)
        interrupted = stopping.is_set()
        readable = interrupted or _wait(invocation, importer)
        totals = importer.totals()
    _report(
        invocation,
        importer.imported,
        totals,
        readable=readable and not interrupted,
        seconds=time.monotonic() - began,
    )
    if interrupted and not follow:
        invocation.err.print("interrupted; the same command reads on from here")
        return _INTERRUPTED
    return 1 if importer.imported.unreadable or importer.imported.too_long else 0


def _places(path: Path | None) -> list[Path]:
    if path is None:
        folders = default_folders()
        if not folders:
            raise UsageError(
                "no transcripts of Claude Code are found",
                because="neither $CLAUDE_CONFIG_DIR nor ~/.claude nor ~/.config/claude"
                " is a folder",
                suggestion="fleetspan claude import PATH",
            )
        return folders
    if not path.exists():
        raise UsageError(
            f"{path} cannot be imported",
            because="it does not exist",
            suggestion="fleetspan claude import ~/.claude/projects",
        )
    if not path.is_dir() and not find_transcripts([path]).files:
        raise UsageError(
            f"{path} cannot be imported",
            because="it is not a transcript: their names end in .jsonl",
            suggestion="fleetspan claude import ~/.claude/projects",
        )
    return [path]


@contextmanager
def _collector(
    invocation: Invocation, settings: Settings, url: str | None, *, follow: bool
) -> Iterator[Callable[[], Address | None]]:
    """Yield what says where the collector is; it may move while this runs."""
    if url is not None:
        yield lambda: _at(url, settings)
        return
    if find_owner(settings) is not None:
        yield lambda: _running(settings)
        return
    options = [*options_of(invocation), *(() if follow else _AT_FULL_SPEED)]
    with collecting(settings, options) as collector:
        yield lambda: _own(collector, settings)


def _at(url: str, settings: Settings) -> Address:
    """A collector by its URL; what it has can be asked when it is the one of the data."""
    owner = find_owner(settings)
    if owner is not None and url.partition("://")[2] == owner[0].otlp_http:
        return _address(*owner, settings)
    return Address(url=url, shown=_named_key())


def _running(settings: Settings) -> Address | None:
    owner = find_owner(settings)
    return None if owner is None else _address(*owner, settings)


def _own(collector: Collecting, settings: Settings) -> Address | None:
    process = collector.process
    if process is not None and process.poll() is not None:
        raise UnreachableError(
            "the collector has ended",
            because=f"its exit code is {process.returncode}",
            suggestion="fleetspan up, to see why",
        )
    if process is None:
        return _running(settings)
    return _address(collector.endpoints, process.pid, settings)


def _address(endpoints: Endpoints, pid: int, settings: Settings) -> Address:
    if endpoints.otlp_http is None:
        raise UnreachableError(
            "the running collector cannot take transcripts",
            because=f"process {pid} listens to no OTLP over HTTP",
            suggestion="start it without --http off",
        )
    shown = OwnerPass.read(settings.data)
    return Address(
        url=f"{shown.scheme}://{endpoints.otlp_http}",
        web=endpoints.web,
        pid=pid,
        shown=shown,
    )


def _named_key() -> OwnerPass:
    """The key for a collector elsewhere, as hooks find it, too."""
    return OwnerPass(key=os.environ.get("FLEETSPAN_KEY", "").strip())


def _wait(invocation: Invocation, importer: Importer) -> bool:
    err = invocation.err
    drawn = err.is_terminal and not invocation.quiet
    with err.status("deriving runs") if drawn else nullcontext():
        return importer.wait_until_readable(_DERIVING_S)


def _report(
    invocation: Invocation,
    imported: Imported,
    totals: dict[str, float | None] | None,
    *,
    readable: bool,
    seconds: float,
) -> None:
    for place, reason in imported.unreadable.items():
        invocation.err.print(f"skipped: {place}: {reason}")
    document: dict[str, Any] = {
        "files": imported.files,
        "files_read": len(imported.read),
        "files_restarted": imported.restarted,
        "lines": imported.lines,
        "bytes": imported.bytes,
        "malformed_lines": imported.malformed,
        "too_long_lines": imported.too_long,
        "unreadable": [
            {"path": str(place), "reason": reason}
            for place, reason in imported.unreadable.items()
        ],
        "sessions": len(imported.sessions),
        "derived": readable,
        "stored": _stored(totals),
        "duration_s": round(seconds, 3),
    }
    if invocation.json:
        invocation.write_json(document)
        return
    _print(invocation, document)


def _stored(totals: dict[str, float | None] | None) -> dict[str, float | None] | None:
    """Whole numbers as such; costs as they are."""
    if totals is None:
        return None
    return {
        name: value if value is None or name == "cost_usd" else int(value)
        for name, value in totals.items()
    }


def _print(invocation: Invocation, document: dict[str, Any]) -> None:
    out = invocation.out
    size = document["bytes"] / 1e6
    out.print(
        f"{document['files_read']} of {document['files']} files read:"
        f" {document['lines']} lines, {size:.1f} MB,"
        f" {document['sessions']} sessions, in {document['duration_s']:.1f} s"
    )
    if document["malformed_lines"]:
        out.print(
            f"{document['malformed_lines']} lines are no JSON, and kept as they are"
        )
    if document["too_long_lines"]:
        out.print(f"{document['too_long_lines']} lines are too long, and left out")
    stored = document["stored"]
    if stored and stored.get("sessions"):
        cost = "unknown" if stored["cost_usd"] is None else f"${stored['cost_usd']:.2f}"
        out.print(
            f"stored: {stored['sessions']} sessions, {stored['agents']} agents,"
            f" {stored['llm_calls']} calls, {stored['tool_calls']} tool calls, {cost}"
        )
        if stored["unpriced_calls"]:
            out.print(f"{stored['unpriced_calls']} calls have no known price")
    if stored is not None and not document["derived"]:
        out.print("the collector has not derived everything yet")


@contextmanager
def _progress(invocation: Invocation) -> Iterator[OnProgress]:
    """Draw a bar, on a terminal alone."""
    err = invocation.err
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=36),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    hidden = not err.is_terminal or invocation.quiet
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task("reading transcripts", total=None)

        def on_progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield on_progress


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Set an event at the first signal, so that what is on its way arrives.

    A second one raises, and still stops a collector of ours in order.
    """
    stopping = threading.Event()

    def stop(number: int, frame: object) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, stop) for each in ending}
    try:
        yield stopping
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
