"""``fleetspan review``."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.cli._invocation import SCHEMA_VERSION, Invocation
from fleetspan_collector.cli._phases import earlier_span, nanoseconds
from fleetspan_collector.cli._since import parse_since, parse_until
from fleetspan_collector.cli._source import open_source
from fleetspan_collector.cli._text import plain_json
from fleetspan_collector.insights.narrate import Endpoint, narrate
from fleetspan_collector.insights.phase import Span
from fleetspan_collector.insights.priorities import insights_document
from fleetspan_collector.insights.rendering.html import to_html
from fleetspan_collector.insights.rendering.layout import lay_out
from fleetspan_collector.insights.rendering.markdown import to_markdown
from fleetspan_collector.insights.rendering.terminal import print_page
from fleetspan_collector.insights.review import Review, document_of, make_review

_log: Final = logging.getLogger("fleetspan.cli")
_FORMATS: Final = ("text", "markdown", "html", "json")
_BY_SUFFIX: Final = {
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".json": "json",
}
_KEY_VARIABLE: Final = "NARRATE_API_KEY"
"""No name of ours: whatever begins with FLEETSPAN_ is a setting, which may be shown."""

Since = Annotated[
    str,
    typer.Option(
        "--since", help="Runs that began then or later: 7d, 2h, a date.", metavar="WHEN"
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="And before then; now unless given.", metavar="WHEN"),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        help="The earlier phase: A..B, or how long before --since (as long, unless"
        " given), or none.",
        metavar="PHASE",
    ),
]
Sessions = Annotated[
    list[str] | None,
    typer.Option(
        "--session",
        help="Only these conversations, held against all; may be repeated.",
        metavar="ID",
    ),
]
Project = Annotated[
    str, typer.Option("--project", help="Only this project.", metavar="NAME")
]
Environment = Annotated[
    str, typer.Option("--environment", help="Only this environment.", metavar="NAME")
]
Format = Annotated[
    str | None,
    typer.Option("--format", help=f"{', '.join(_FORMATS)}.", metavar="FORMAT"),
]
To = Annotated[
    Path | None,
    typer.Option("--to", help="Into a file: .md, .html or .json.", metavar="FILE"),
]
Narrate = Annotated[
    str | None,
    typer.Option(
        "--narrate",
        help="Have a model write a paragraph about the figures: a URL that ends in"
        " /chat/completions or /messages.",
        metavar="URL",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="The model that --narrate asks.", metavar="NAME"),
]
KeyFrom = Annotated[
    str,
    typer.Option(
        "--key-from", help="Environment variable with its key.", metavar="VARIABLE"
    ),
]


def review(
    invocation: Invocation,
    since: Since = "7d",
    until: Until = None,
    against: Against = None,
    session: Sessions = None,
    project: Project = "",
    environment: Environment = "",
    format_: Format = None,
    to: To = None,
    narrate_: Narrate = None,
    model: Model = None,
    key_from: KeyFrom = _KEY_VARIABLE,
) -> None:
    """Review a phase: what it cost, where its time went, what to change, what has changed.

    A change is named only when it is more than noise; the review says by which test.
    """
    form = _format(format_, to, as_json=invocation.json)
    endpoint = _endpoint(narrate_, model, key_from)
    now = datetime.now(UTC)
    span = Span(
        since_ns=nanoseconds(parse_since(since, now=now) or now),
        until_ns=nanoseconds(parse_until(until) or now),
        sessions=tuple(session or ()),
        project=project,
        environment=environment,
    )
    if span.since_ns >= span.until_ns:
        raise UsageError(
            "the phase is empty",
            because=f"--since {since} is not before --until {until or 'now'}",
            suggestion="fleetspan review --since 7d",
        )
    earlier = earlier_span(against, span)
    with open_source(invocation.load().settings, analysed=True) as source:
        made = make_review(source, span, earlier, time.time_ns())
    if endpoint is not None:
        made = _told(made, endpoint)
    _write(invocation, made, form, to)


def _format(given: str | None, to: Path | None, *, as_json: bool) -> str:
    form = (given or "").strip().lower()
    if not form:
        form = _BY_SUFFIX.get(to.suffix.lower(), "markdown") if to else "text"
        form = "json" if as_json else form
    if form not in _FORMATS or (as_json and form != "json"):
        raise UsageError(
            f"--format {given!r} cannot be used",
            because="--json is a format of its own"
            if as_json
            else f"expected one of {', '.join(_FORMATS)}",
            suggestion="fleetspan review --format html --to review.html",
        )
    return form


def _endpoint(url: str | None, model: str | None, variable: str) -> Endpoint | None:
    if url is None:
        return None
    if not model:
        raise UsageError(
            "--narrate cannot be used",
            because="it needs --model, the name of a model there",
            suggestion=f"fleetspan review --narrate {url} --model NAME",
        )
    return Endpoint(url=url, model=model, key=os.environ.get(variable, ""))


def _told(made: Review, endpoint: Endpoint) -> Review:
    """Add a model's paragraph; without it the review is as good."""
    try:
        return made.told_by(endpoint.model, narrate(made, endpoint))
    except CollectorError as error:
        _log.warning("%s: %s", error.error, error.because)
        return made


def _write(invocation: Invocation, made: Review, form: str, to: Path | None) -> None:
    if form == "text" and to is None:
        print_page(lay_out(made), invocation.out)
        return
    if form == "json":
        document = {"schema_version": SCHEMA_VERSION, **review_document(made)}
        text = json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n"
        text = plain_json(text)
    else:
        text = (to_html if form == "html" else to_markdown)(lay_out(made))
    if to is None:
        sys.stdout.write(text)
    else:
        to.write_text(text, "utf-8")
        invocation.err.print(f"written to {to}")


def review_document(made: Review) -> dict[str, object]:
    """Make the JSON document of a review, with its ten insights."""
    return document_of(made) | {"insights": insights_document(made)}
