"""The table of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

from fleetspan_collector.cli import (
    config_command,
    cost_command,
    demo_command,
    doctor_command,
    drain_command,
    explain_command,
    findings_command,
    ls_command,
    rebuild_command,
    reprice_command,
    review_command,
    run_command,
    show_command,
    sql_command,
    statusline_command,
    tail_command,
    up_command,
    version_command,
    what_if_command,
)
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli.alerts_command import alerts
from fleetspan_collector.cli.approvals_command import approvals
from fleetspan_collector.cli.budget_command import budget
from fleetspan_collector.cli.claude_command import claude
from fleetspan_collector.cli.dashboards_command import dashboards
from fleetspan_collector.cli.keys_command import keys
from fleetspan_collector.cli.route_command import route
from fleetspan_collector.cli.snapshot_command import snapshot

app: Final = typer.Typer(
    name="fleetspan",
    help="Track, observe and recover fleets of AI agents.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
@with_common_options
def _root(invocation: Invocation) -> None:
    """Track, observe and recover fleets of AI agents."""
    if invocation.context.invoked_subcommand is None:
        typer.echo(invocation.context.get_help())


_config: Final = typer.Typer(help="Settings.")
app.add_typer(_config, name="config")
app.add_typer(claude, name="claude")
app.add_typer(snapshot, name="snapshot")
app.add_typer(keys, name="keys")
app.add_typer(dashboards, name="dashboards")
app.add_typer(alerts, name="alerts")
app.add_typer(budget, name="budget")
app.add_typer(route, name="route")
app.add_typer(approvals, name="approvals")

_COMMANDS: Final[dict[str, Callable[..., int | None]]] = {
    "demo": with_common_options(demo_command.demo),
    "up": with_common_options(up_command.up),
    "ls": with_common_options(ls_command.ls),
    "show": with_common_options(show_command.show),
    "cost": with_common_options(cost_command.cost),
    "explain": with_common_options(explain_command.explain_run),
    "what-if": with_common_options(what_if_command.what_if),
    "findings": with_common_options(findings_command.findings),
    "drain": with_common_options(drain_command.drain),
    "doctor": with_common_options(doctor_command.doctor),
    "review": with_common_options(review_command.review),
    "rebuild": with_common_options(rebuild_command.rebuild),
    "reprice": with_common_options(reprice_command.reprice),
    "sql": with_common_options(sql_command.sql),
    "tail": with_common_options(tail_command.tail),
    "statusline": with_common_options(statusline_command.statusline),
    "version": with_common_options(version_command.version),
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.command("run", context_settings=run_command.CONTEXT)(
    with_common_options(run_command.run)
)
_config.command("show")(with_common_options(config_command.show_settings))
