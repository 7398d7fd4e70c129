"""The table of commands; only the one that is asked for is imported.

All of them together take half a second to import, which every `fleetspan ls` would wait for.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import typer
from typer.core import TyperGroup

from fleetspan_collector.cli._invocation import Invocation, with_common_options

COMMANDS: Final = {
    "demo": "demo_command.demo",
    "up": "up_command.up",
    "ls": "ls_command.ls",
    "show": "show_command.show",
    "cost": "cost_command.cost",
    "explain": "explain_command.explain_run",
    "what-if": "what_if_command.what_if",
    "findings": "findings_command.findings",
    "drain": "drain_command.drain",
    "doctor": "doctor_command.doctor",
    "review": "review_command.review",
    "rebuild": "rebuild_command.rebuild",
    "reprice": "reprice_command.reprice",
    "sql": "sql_command.sql",
    "tail": "tail_command.tail",
    "statusline": "statusline_command.statusline",
    "version": "version_command.version",
    "run": "run_command.run",
    "config": "config_command.config",
    "claude": "claude_command.claude",
    "snapshot": "snapshot_command.snapshot",
    "keys": "keys_command.keys",
    "dashboards": "dashboards_command.dashboards",
    "alerts": "alerts_command.alerts",
    "budget": "budget_command.budget",
    "route": "route_command.route",
    "approvals": "approvals_command.approvals",
}
"""What is in the module: a function, or a `typer.Typer` that has commands of its own.

A module whose command takes other arguments as they are has ``CONTEXT`` for it.
"""

_OPTIONS: Final[dict[str, Any]] = {
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}


class _Root(TyperGroup):
    """Imports a command when it is wanted."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        # Lists and suggestions go by the names.
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _load(cmd_name) if cmd_name in COMMANDS else None


def _load(name: str) -> Any:
    module_name, _, attribute = COMMANDS[name].partition(".")
    module = importlib.import_module(f"fleetspan_collector.cli.{module_name}")
    found = getattr(module, attribute)
    table = typer.Typer(**_OPTIONS)
    if isinstance(found, typer.Typer):
        table.add_typer(found, name=name)
    else:
        context = getattr(module, "CONTEXT", None)
        table.command(name, context_settings=context)(with_common_options(found))
    return typer.main.get_group(table).commands[name]


app: Final = typer.Typer(
    name="fleetspan",
    cls=_Root,
    help="Track, observe and recover fleets of AI agents.",
    context_settings={"help_option_names": ["-h", "--help"]},
    **_OPTIONS,
)


@app.callback(invoke_without_command=True)
@with_common_options
def _root(invocation: Invocation) -> None:
    """Track, observe and recover fleets of AI agents."""
    if invocation.context.invoked_subcommand is None:
        typer.echo(invocation.context.get_help())
