"""The five lines with which ``fleetspan run`` ends, and the same as a document."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fleetspan_collector.cli._text import count, duration, plain, usd
from fleetspan_collector.run.summary import Inside, Used

_TOKENS: Final = (
    ("input_tokens", "in"),
    ("cache_read_tokens", "cache read"),
    ("cache_write_tokens", "cache write"),
    ("output_tokens", "out"),
)
_ID: Final = 12
_MARK: Final = "ResourceAttributes['fleetspan.invocation.id']"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known when the program has ended.

    Attributes:
        command: The program and its arguments.
        invocation: Id of the run of the command.
        began: When it began.
        wall_s: How long the program took, in seconds.
        exit_code: What it ended with.
        again: How another command of ours reads the same data: its words.
        inside: What the program's processes noted.
        used: What the store holds; None when it could not be asked.
        overridden: Variables of the user that did not apply.
        trouble: Why there is no collector, or no answer from it.
    """

    command: Sequence[str]
    invocation: str
    began: datetime
    wall_s: float
    exit_code: int
    again: tuple[str, Sequence[str]]
    inside: Inside
    used: Used | None
    overridden: Sequence[str] = ()
    trouble: str | None = None


def lines(report: Report) -> list[str]:
    """Return the five lines."""
    parts = {
        "cost": _cost(report),
        "tokens": _tokens(report),
        "slowest": _slowest(report),
        "stood out": " · ".join(_stood_out(report)) or "nothing",
        "next": _next(report),
    }
    return [f"{name:<10} {plain(text)}" for name, text in parts.items()]


def document(report: Report) -> dict[str, Any]:
    """Return the same for a program; unknown is null."""
    used = report.used
    totals = dict(used.totals) if used else {}
    spans = totals.pop("spans", None)
    return {
        "invocation_id": report.invocation,
        "command": list(report.command),
        "exit_code": report.exit_code,
        "started_at": _rfc3339(report.began),
        "duration_s": round(report.wall_s, 3),
        "complete": used.complete if used else False,
        "spans": spans,
        "usage": totals or None,
        "slowest": used.slowest if used else None,
        "runs": used.runs if used else [],
        "refused": used.refused if used else None,
        "instrumentation": asdict(report.inside),
        "overridden": list(report.overridden),
        "trouble": report.trouble,
        "stood_out": list(_stood_out(report)),
        "next": _next(report),
    }


def _rfc3339(time: datetime) -> str:
    text = time.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _is_empty(report: Report) -> bool:
    return report.used is None or not (report.used.totals["spans"] or report.used.runs)


def _cost(report: Report) -> str:
    used = report.used
    if used is None or _is_empty(report):
        return "? · nothing was recorded"
    cost, unpriced = used.totals["cost_usd"], used.totals["unpriced_calls"]
    if cost is None:
        return "?" if unpriced else "- · no model was called"
    return usd(cost) + (" and what has no price" if unpriced else "")


def _tokens(report: Report) -> str:
    used = report.used
    if used is None or _is_empty(report):
        return "?"
    totals = used.totals
    known = [
        f"{count(totals[name])} {label}"
        for name, label in _TOKENS
        if totals[name] is not None and (totals[name] or not label.startswith("cache"))
    ]
    calls = _many(totals["llm_calls"], "model call")
    agents = sum(run["agents"] for run in used.runs)
    counts = [calls, _many(totals["tool_calls"], "tool call"), _many(agents, "agent")]
    return " · ".join([", ".join(known) or "-", ", ".join(counts)])


def _slowest(report: Report) -> str:
    step = report.used.slowest if report.used else None
    if step is None:
        return "-"
    what = "model call to" if step["kind"] == "call" else "tool"
    by = f" by {step['agent']}" if step["agent"] else ""
    took_s = step["duration_ms"] / 1000
    share = f", {min(1.0, took_s / report.wall_s):.0%} of {duration(report.wall_s)}"
    return f"{what} {step['name'] or '?'}{by}: {duration(took_s)}{share}"


def _stood_out(report: Report) -> Iterator[str]:
    if report.trouble:
        yield report.trouble
    inside, used = report.inside, report.used
    if used is not None:
        yield from _of_the_store(used)
    if inside.install:
        reported = ", ".join(inside.imported)
        yield f"{reported} was imported, and what reports it is not installed"
    elif used is not None and _is_empty(report):
        yield _why_empty(inside)
    elif used is not None and not used.runs:
        spans = _many(used.totals["spans"], "span")
        yield f"{spans}, none of an agent, a model call or a tool call"
    for package, chosen in inside.left_out.items():
        yield f"{chosen} was used, not {package}, which reports the same"
    if report.overridden:
        yield f"not used for this run: {', '.join(report.overridden)}"
    for problem in inside.problems[:2]:
        yield f"fleetspan could not {problem}"


def _of_the_store(used: Used) -> Iterator[str]:
    totals = used.totals
    if totals["failed_calls"]:
        names = ", ".join(totals["call_errors"])
        yield f"{_many(totals['failed_calls'], 'model call')} failed ({names})"
    if totals["failed_tools"]:
        names = ", ".join(totals["failed_tool_names"])
        yield f"{_many(totals['failed_tools'], 'tool call')} failed ({names})"
    if totals["unpriced_calls"]:
        names = ", ".join(totals["unpriced_models"]) or "no model named"
        yield f"{_many(totals['unpriced_calls'], 'call')} without a price ({names})"
    going_on = sum(run["status"] == "running" for run in used.runs)
    if going_on:
        yield f"{_many(going_on, 'run')} still going on"
    orphans = sum(run["orphan_spans"] for run in used.runs)
    if orphans:
        yield f"{_many(orphans, 'span')} whose parent has not come"
    if used.refused:
        yield f"{used.refused} requests or items refused by the collector"
    if not used.complete:
        yield "the collector is behind, so there may be more"


def _why_empty(inside: Inside) -> str:
    if inside.switched_on:
        return f"{', '.join(inside.switched_on)} was at work, and no span came"
    if inside.imported:
        return f"{', '.join(inside.imported)} was imported, and no span came"
    return "no library of models or agents that is known here was imported"


def _next(report: Report) -> str:
    name, options = report.again
    inside, used = report.inside, report.used
    if inside.install:
        return f"{_python(inside.python)} -m pip install {' '.join(inside.install)}"
    if used is None or (_is_empty(report) and inside.imported):
        return shlex.join([name, "doctor", *options])
    if _is_empty(report):
        return "point its own OpenTelemetry at the collector, or: pip install fleetspan"
    if not used.runs:
        where = f"{_MARK} = '{report.invocation}'"
        # Of an id of our own.
        query = f"SELECT SpanName, count() FROM otel_traces WHERE {where} GROUP BY 1"  # noqa: S608
        return shlex.join([name, "sql", query, *options])
    if len(used.runs) == 1:
        return shlex.join([name, "show", used.runs[0]["run_id"][:_ID], *options])
    return shlex.join([name, "ls", "--since", "1h", *options])


def _python(path: str | None) -> str:
    """Write an interpreter as short as it can be typed here."""
    if path is None:
        return "python"
    for word in ("python", "python3"):
        if (found := shutil.which(word)) is not None and Path(found) == Path(path):
            return word
    return shlex.quote(path)


def _many(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"
