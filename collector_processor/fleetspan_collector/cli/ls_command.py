"""``fleetspan ls``."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._since import parse_since
from fleetspan_collector.cli._source import open_source
from fleetspan_collector.cli._style import status_text, when
from fleetspan_collector.cli._text import count, duration, plain, usd
from fleetspan_collector.store.rows import RunRow, UsageRow

Since = Annotated[
    str | None,
    typer.Option("--since", help="Only later runs: 2h, 3d or RFC 3339.", metavar="AGE"),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many.", metavar="N")
]

_SHOWN_TO_PEOPLE: Final = 50
_ID_WIDTH: Final = 12


def ls(invocation: Invocation, since: Since = None, limit: Limit = None) -> None:
    """List runs, latest first; people see 50 unless --limit says otherwise."""
    after = parse_since(since)
    settings = invocation.load().settings
    # A document is never cut short unasked.
    wanted = limit if invocation.json else (limit or _SHOWN_TO_PEOPLE + 1)
    with open_source(settings) as source:
        runs = source.runs(after, wanted)
    if invocation.json:
        invocation.write_json({"runs": runs})
        return
    if not runs:
        invocation.err.print(
            "no runs" + (f" since {plain(since)}" if since else " yet")
        )
        return
    shown = runs if limit else runs[:_SHOWN_TO_PEOPLE]
    out = invocation.out
    out.print(runs_table(shown, out.width))
    if len(runs) > len(shown):
        invocation.err.print(f"the latest {len(shown)}; --limit N shows more")


def runs_table(runs: list[RunRow], width: int) -> Table:
    """Make the table of runs; columns go, least wanted first, as the terminal narrows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    wide, fair, middling = width >= 126, width >= 96, width >= 80
    reported = width >= 136 and any(
        run["reported_cost_usd"] is not None for run in runs
    )
    ids = short_ids([run["run_id"] for run in runs])
    table.add_column("run", no_wrap=True)
    table.add_column(
        "name", overflow="ellipsis", no_wrap=True, max_width=30 if wide else 16
    )
    table.add_column("status", no_wrap=True)
    if middling:
        table.add_column("started", no_wrap=True)
        table.add_column("took", justify="right", no_wrap=True)
    if wide:
        for name in ("agents", "calls", "tools"):
            table.add_column(name, justify="right", no_wrap=True)
    table.add_column("errors", justify="right", no_wrap=True)
    if fair:
        table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    if reported:
        table.add_column("reported", justify="right", no_wrap=True)
    for run in runs:
        cells = [Text(ids[run["run_id"]]), Text(plain(run["name"] or "?"))]
        cells.append(status_text(run["status"]))
        if middling:
            cells += [
                Text(when(run["started_at"], short=not wide)),
                Text(duration(run["duration_s"])),
            ]
        if wide:
            counts = (run["agents"], run["llm_calls"], run["tool_calls"])
            cells += [Text(str(number)) for number in counts]
        cells.append(Text(str(run["errors"]), style="red" if run["errors"] else ""))
        if fair:
            cells.append(Text(count(total_tokens(run))))
        cells.append(Text(cost_text(run)))
        if reported:
            cells.append(Text(usd(run["reported_cost_usd"])))
        table.add_row(*cells)
    return table


def total_tokens(row: UsageRow) -> int | None:
    """All tokens of a run or an agent; None when none of them is known."""
    parts = [
        row["input_tokens"],
        row["cache_read_tokens"],
        row["cache_write_tokens"],
        row["output_tokens"],
    ]
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def cost_text(row: UsageRow) -> str:
    """Write a cost; ``+?`` says that some calls have no price."""
    if row["cost_usd"] is None:
        return "?" if row["unpriced_calls"] else "-"
    return usd(row["cost_usd"]) + ("+?" if row["unpriced_calls"] else "")


def short_ids(run_ids: list[str]) -> dict[str, str]:
    """Cut ids to 12 characters, or to as many as tell them apart."""
    cut = {run_id: plain(run_id)[:_ID_WIDTH] for run_id in run_ids}
    seen = list(cut.values())
    return {
        run_id: short if seen.count(short) == 1 else plain(run_id)
        for run_id, short in cut.items()
    }
