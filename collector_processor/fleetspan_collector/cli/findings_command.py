"""``fleetspan findings``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._since import parse_since
from fleetspan_collector.cli._source import open_source
from fleetspan_collector.cli._style import SEVERITY_STYLES, when
from fleetspan_collector.cli._text import duration, plain, usd
from fleetspan_collector.cli.ls_command import short_ids
from fleetspan_collector.insights.findings import FindingRow, read_findings
from fleetspan_collector.processors.finding import Severity

Since = Annotated[
    str | None,
    typer.Option("--since", help="Only later ones: 2h, 3d or RFC 3339.", metavar="AGE"),
]
Run = Annotated[
    str | None,
    typer.Option("--run", help="Only of this run; its id may be cut.", metavar="RUN"),
]
Detectors = Annotated[
    list[str] | None,
    typer.Option(
        "--detector", help="Only of this one; may be repeated.", metavar="NAME"
    ),
]
LeastSeverity = Annotated[
    str | None,
    typer.Option(
        "--severity",
        help=f"Only so severe, or worse: {', '.join(Severity)}.",
        metavar="LEVEL",
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many.", metavar="N")
]
_SHOWN_TO_PEOPLE: Final = 50
_WIDE: Final = 110


def findings(
    invocation: Invocation,
    since: Since = None,
    run: Run = None,
    detector: Detectors = None,
    severity: LeastSeverity = None,
    limit: Limit = None,
) -> None:
    """List what is worth acting on, what matters most first.

    Each finding says what is the case, what to change and what that saves, as worked
    out along the run's critical path; 0 saves none, ? is not known.
    """
    least = parse_severity(severity)
    after = parse_since(since)
    since_ns = 0 if after is None else max(1, int(after.timestamp() * 1e6) * 1000)
    wanted = limit if invocation.json else (limit or _SHOWN_TO_PEOPLE + 1)
    with open_source(invocation.load().settings, analysed=True) as source:
        run_id = "" if run is None else source.run(run)["run_id"]
        rows = read_findings(
            source,
            since_ns=since_ns,
            run_id=run_id,
            detectors=detector or (),
            severity=least,
            limit=wanted,
        )
    if invocation.json:
        invocation.write_json({"findings": rows})
        return
    if not rows:
        invocation.err.print("no findings")
        return
    shown = rows if limit else rows[:_SHOWN_TO_PEOPLE]
    out = invocation.out
    out.print(findings_table(shown, out.width))
    if len(rows) > len(shown):
        invocation.err.print(f"the first {len(shown)}; --limit N shows more")


def parse_severity(text: str | None) -> Severity:
    """Read a severity; None is the least.

    Raises:
        UsageError: When it is none.
    """
    try:
        return Severity((text or Severity.INFO).strip().lower())
    except ValueError:
        raise UsageError(
            f"--severity {text!r} cannot be used",
            because=f"expected one of {', '.join(Severity)}",
            suggestion="fleetspan findings --severity high",
        ) from None


def findings_table(rows: Sequence[FindingRow], width: int) -> Table:
    """Make the table of findings; the advice stands below what is the case."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    wide = width >= _WIDE
    ids = short_ids(list({row["run_id"] for row in rows}))
    table.add_column("severity", no_wrap=True)
    table.add_column("run", no_wrap=True)
    if wide:
        table.add_column("began", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("cost", justify="right", no_wrap=True)
    else:
        table.add_column("saves", justify="right", no_wrap=True)
    table.add_column("what, and what to do", overflow="fold", ratio=1)
    for row in rows:
        saved = [Text(seconds_text(row["seconds"])), Text(usd_text(row["usd"]))]
        cells = [
            Text(row["severity"], style=SEVERITY_STYLES.get(row["severity"], "")),
            Text(ids[row["run_id"]]),
        ]
        if wide:
            cells += [Text(when(row["at"], short=True)), *saved]
        else:
            cells.append(Text("\n").join(saved))
        table.add_row(*cells, _sentence(row))
    return table


def _sentence(row: FindingRow) -> Text:
    name = Text(plain(row["detector"]), style="bold")
    what = name.append(f": {plain(row['what'])}", style="not bold")
    return what.append(f"\n→ {plain(row['advice'])}", style="dim not bold")


def seconds_text(seconds: float | None) -> str:
    """Write seconds that are saved; ``-`` for none, ``?`` for not known."""
    return "-" if seconds == 0 else duration(seconds)


def usd_text(amount: float | None) -> str:
    """Write US dollars that are saved, likewise."""
    return "-" if amount == 0 else usd(amount)
