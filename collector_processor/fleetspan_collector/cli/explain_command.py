"""``fleetspan explain RUN``."""

from __future__ import annotations

import time
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._source import open_source
from fleetspan_collector.cli._style import status_text
from fleetspan_collector.cli._text import duration, plain, usd
from fleetspan_collector.insights.explain import Evidence, Explanation, Line, explain

RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Id of a run, or an unambiguous beginning.")
]
_TOPICS: Final = {
    "now": "doing now",
    "time": "time",
    "cost": "cost",
    "failures": "went wrong",
    "saving": "best saving",
    "next": "do next",
}
_SHOWN: Final = 3


def explain_run(invocation: Invocation, run: RunId) -> None:
    """Explain one run in five lines: time, cost, failures, the best saving, what next."""
    with open_source(invocation.load().settings, analysed=True) as source:
        run_id = source.run(run)["run_id"]
        explanation = explain(source, run_id, time.time_ns())
    if explanation is None:
        raise UsageError(
            f"there is no run {run!r} any more",
            because="it was removed while it was read",
            suggestion="fleetspan ls",
        )
    if invocation.json:
        invocation.write_json(explanation.document)
    else:
        print_explanation(explanation, invocation.out)


def print_explanation(explanation: Explanation, out: Console) -> None:
    """Print it for people."""
    title = Text(plain(explanation.name or "?"), style="bold")
    title.append("  ").append_text(status_text(explanation.status))
    out.print(title)
    took, cost = duration(explanation.wall_s), usd(explanation.cost_usd)
    out.print(Text(f"run {plain(explanation.run_id)}, {took}, {cost}"))
    out.print()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold", ratio=1)
    for line in explanation.lines:
        table.add_row(_TOPICS[line.topic], _line(line))
    out.print(table)


def _line(line: Line) -> Text:
    text = Text(plain(line.text))
    evidence = evidence_text(line.evidence)
    return text.append(f"\n{evidence}", style="dim") if evidence else text


def evidence_text(evidence: Evidence) -> str:
    """Write ids that prove something, a few of each kind."""
    kinds = (
        ("finding", evidence.finding_ids),
        ("agent", evidence.agent_ids),
        ("call", evidence.call_ids),
        ("tool call", evidence.tool_call_ids),
        ("span", evidence.span_ids),
    )
    parts = []
    for name, ids in kinds:
        if ids:
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            parts.append(f"{name} {', '.join(map(plain, ids[:_SHOWN]))}{more}")
    return "; ".join(parts)
