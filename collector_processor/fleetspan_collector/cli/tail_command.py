"""``fleetspan tail``."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.text import Text

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._source import OwnerSource, ask_owner, find_owner
from fleetspan_collector.cli._style import SEVERITY_STYLES, STATUS_STYLES
from fleetspan_collector.cli._text import count, duration, plain, plain_json, usd
from fleetspan_collector.config import Settings
from fleetspan_collector.live.event import KINDS, SEVERITIES
from fleetspan_collector.live.filters import PARAMETERS, read_filter

_RETRY_S: Final = 0.5
_SILENCE_S: Final = 45.0
"""Longer than a stream is ever silent: it says every 15 s that it lives."""
_MOST_SHOWN: Final = 120


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(f"--{name}", help=f"{text}; may be repeated.", metavar=metavar)


Agents = Annotated[
    list[str] | None, _option("agent", "AGENT", "Only of this agent, by name or id")
]
Sessions = Annotated[
    list[str] | None, _option("session", "SESSION", "Only of this session")
]
Runs = Annotated[list[str] | None, _option("run", "RUN", "Only of this run's id")]
Groups = Annotated[
    list[str] | None, _option("group", "TRACE", "Only of this trace, or session")
]
Kinds = Annotated[
    list[str] | None, _option("kind", "KIND", f"Only these: {', '.join(KINDS)}")
]
LeastSeverity = Annotated[
    str | None,
    typer.Option(
        "--severity",
        help=f"Only so severe, or worse: {', '.join(SEVERITIES)}.",
        metavar="LEVEL",
    ),
]


def tail(
    invocation: Invocation,
    agent: Agents = None,
    session: Sessions = None,
    run: Runs = None,
    group: Groups = None,
    kind: Kinds = None,
    severity: LeastSeverity = None,
) -> None:
    """Follow what arrives, as it arrives, until Ctrl-C.

    Needs a running collector, and waits for it when it is started again. With --json
    each event is one line.
    """
    given = (agent, session, run, group, kind, [severity] if severity else None)
    wanted = [
        (name, value)
        for name, values in zip(PARAMETERS, given, strict=True)
        for value in values or ()
    ]
    read_filter(wanted, None)
    out = invocation.out
    try:
        for event in _events(invocation.load().settings, wanted, invocation.err):
            if invocation.json:
                sys.stdout.write(plain_json(orjson.dumps(event).decode()) + "\n")
            else:
                out.print(_line(event), soft_wrap=True)
            sys.stdout.flush()
    except KeyboardInterrupt:
        # The usual way to end it.
        return


def _events(
    settings: Settings, wanted: Sequence[tuple[str, str]], err: Console
) -> Iterator[Mapping[str, Any]]:
    """Yield events for ever, wherever the collector of the data directory listens.

    Raises:
        UnreachableError: When there is none to begin with.
    """
    last = ""
    source = _owner(settings)
    if source is None:
        raise UnreachableError(
            "there is nothing to follow",
            because=f"no collector owns {settings.data}",
            suggestion="fleetspan up",
        )
    while True:
        with contextlib.suppress(UnreachableError):
            for event in source.follow([*wanted, ("after", last)]):
                last = event["id"]
                if event["kind"] == "hello":
                    err.print(f"following {source.web}", style="dim")
                else:
                    yield event
        err.print("the stream has ended; waiting for the collector", style="dim")
        again = None
        while again is None:
            time.sleep(_RETRY_S)
            again = _owner(settings)
        source = again


def _owner(settings: Settings) -> OwnerSource | None:
    """Return whom to ask; ``None`` while no collector runs.

    Raises:
        UnreachableError: When its web port is off.
    """
    owner = find_owner(settings)
    return None if owner is None else ask_owner(settings, *owner, timeout_s=_SILENCE_S)


def _line(event: Mapping[str, Any]) -> Text:
    """One event in a line."""
    if event["kind"] == "missed":
        many = "some" if event["count"] is None else f"{event['count']:,}"
        return Text(f"… {many} events were missed", style="yellow")
    severity = event["severity"]
    line = Text()
    line.append(_clock(event["at"]), style="dim")
    line.append(f" {event['kind']:<7} ")
    if severity != "info":
        line.append(f"{severity} ", style=SEVERITY_STYLES[severity])
    words = [_word(event, "agent"), _what(event)]
    line.append("  ".join(word for word in words if word), style="bold")
    if event.get("status") not in (None, "ok"):
        line.append(f"  {event['status']}", style=STATUS_STYLES[event["status"]])
    details = "  ".join(_details(event))
    if details:
        line.append(f"  {details}", style="dim")
    for name in ("error", "text"):
        if word := _word(event, name):
            line.append(f"  {word}")
    return line


def _what(event: Mapping[str, Any]) -> str:
    thing, name = event.get("thing"), _word(event, "name")
    if event["kind"] == "run":
        return _word(event, "run_id")
    if thing == "agent" and name == _word(event, "agent"):
        return str(thing)
    return f"{thing} {name}" if thing not in (None, "span") else name


def _details(event: Mapping[str, Any]) -> Iterator[str]:
    if event.get("end_ns") and event.get("start_ns"):
        took_ns = int(event["end_ns"]) - int(event["start_ns"])
        yield duration(max(took_ns, 0) / 1e9)
    if event.get("tokens") is not None:
        yield f"{count(event['tokens'])} tokens"
    if event.get("cost_usd") is not None:
        yield usd(event["cost_usd"])


def _word(event: Mapping[str, Any], name: str) -> str:
    text = plain(str(event.get(name) or ""))
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


def _clock(at: str | None) -> str:
    """The time of day where the user is, to the millisecond."""
    try:
        moment = datetime.fromisoformat(at or "")
    except ValueError:
        return "--:--:--.---"
    return moment.astimezone().strftime("%H:%M:%S.%f")[:-3]
