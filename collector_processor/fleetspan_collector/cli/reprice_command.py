"""``fleetspan reprice``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._owning import owned, web_of_owner
from fleetspan_collector.cli._since import parse_since
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.cli._text import usd
from fleetspan_collector.config import Settings

_PATIENCE_S: Final = 3600.0
"""Longest that a running collector may take; millions of calls take minutes."""

Since = Annotated[
    str | None,
    typer.Option(
        "--since", help="Only later calls: 2h, 3d or RFC 3339.", metavar="AGE"
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]


def reprice(
    invocation: Invocation, since: Since = None, dry_run: DryRun = False
) -> None:
    """Compute the cost of stored calls again, with the present prices.

    For when prices were corrected or you changed your own. Runs are added up again. It
    can be interrupted and called again.
    """
    after = parse_since(since)
    settings = invocation.load().settings
    web = web_of_owner(settings)
    if web is None:
        done = _alone(invocation, settings, after, dry_run=dry_run)
    else:
        invocation.err.print(f"asking the collector on {web}")
        source = OwnerSource(web, OwnerPass.read(settings.data), timeout_s=_PATIENCE_S)
        done = source.reprice(after, dry_run=dry_run)
    if invocation.json:
        invocation.write_json({"dry_run": dry_run, **done})
    else:
        _show(invocation, done, dry_run=dry_run)


def _alone(
    invocation: Invocation, settings: Settings, since: datetime | None, *, dry_run: bool
) -> Mapping[str, Any]:
    """Own the data directory for as long as it takes."""
    # Here, because it brings the engine with it, which most commands do not need.
    from fleetspan_collector.derive import reprice as repricing

    with owned(settings) as backstage:
        done = repricing.reprice(
            backstage.derivation,
            backstage.prices,
            since=since,
            dry_run=dry_run,
            progress=lambda what: invocation.err.print(f"pricing {what}"),
        )
    return asdict(done)


def _show(invocation: Invocation, done: Mapping[str, Any], *, dry_run: bool) -> None:
    before, after = done["before"], done["after"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "before", "now", "difference"):
        table.add_column(name, no_wrap=True, justify="right" if name else "left")
    table.add_row(
        "cost",
        usd(before["cost_usd"]),
        usd(after["cost_usd"]),
        _difference(before["cost_usd"], after["cost_usd"]),
    )
    was, now = before["unpriced_calls"], after["unpriced_calls"]
    table.add_row(
        "unpriced calls", str(was), str(now), f"{now - was:+}" if now != was else ""
    )
    invocation.out.print(table)
    verb = "would change" if dry_run else "changed"
    invocation.out.print(
        f"{done['changed_calls']} of {done['calls']} calls {verb}, and"
        f" {done['changed_runs']} runs; prices: {done['price_version']}"
    )


def _difference(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    sign = "-" if after < before else "+"
    return sign + usd(abs(after - before)) if after != before else ""
