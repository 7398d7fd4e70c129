"""``fleetspan budget``: what is used of budgets, and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._control import asked_collector, refuse_agents
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli._text import plain
from fleetspan_collector.control.rules_file import read_rules
from fleetspan_routing.control.rules import Measure

_PATH: Final = "/api/v1/control/budgets"
Name = Annotated[str, typer.Argument(metavar="BUDGET", help="Name of the budget.")]
Of = Annotated[
    str,
    typer.Argument(
        metavar="OF", help="What it is of, as ls says: a session, SESSION/AGENT, a day."
    ),
]
Limits = Annotated[
    list[str],
    typer.Argument(metavar="MEASURE=LIMIT...", help=f"{', '.join(Measure)}."),
]
Session = Annotated[str, typer.Argument(metavar="SESSION", help="Or its beginning.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A file of rules.")]


def ls(invocation: Invocation) -> None:
    """List budgets, the fullest first."""
    _show(invocation, _budgets(invocation))


def show(invocation: Invocation, session: Session) -> None:
    """Show the budgets of one session."""
    found = [each for each in _budgets(invocation) if each["of"].startswith(session)]
    if not found:
        raise UsageError(
            f"there is no budget of {session[:80]}",
            because="no session that has one begins like this",
            suggestion="fleetspan budget ls",
        )
    _show(invocation, found)


def set_limits(invocation: Invocation, budget: Name, of: Of, limits: Limits) -> None:
    """Set limits of one session, sub-tree, user or day, until the collector's data go."""
    refuse_agents("raising a budget")
    collector = asked_collector(invocation.load().settings)
    wanted = [_limit(each) for each in limits]
    for measure, limit in wanted:
        said = {"budget": budget, "of": of, "measure": measure, "limit": limit}
        collector.post(_PATH, said)
    if invocation.json:
        _show(invocation, _budgets(invocation))
    else:
        listed = ", ".join(f"{measure} {limit:g}" for measure, limit in wanted)
        invocation.err.print(Text(plain(f"{budget} of {of}: at most {listed}")))


def check(invocation: Invocation, file: File) -> None:
    """See whether a file of rules can be used, and say what is in it."""
    rules = read_rules(file)
    said = {
        "if_unreachable": str(rules.if_unreachable),
        "mode": str(rules.mode),
        "budgets": [budget.name for budget in rules.budgets],
        "guards": [
            name
            for name, guard in (("loop", rules.loop), ("fan_out", rules.fan_out))
            if guard
        ],
        "rules": [rule.name for rule in rules.tools],
        "risk": rules.risk.threshold if rules.risk else None,
        "models": str(rules.models.mode),
        "outputs": str(rules.outputs.mode),
    }
    if invocation.json:
        invocation.write_json(said)
        return
    for key, value in said.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        invocation.out.print(Text(plain(f"{key}: {shown if shown else 'none'}")))


def _budgets(invocation: Invocation) -> list[Mapping[str, Any]]:
    collector = asked_collector(invocation.load().settings)
    found: list[Mapping[str, Any]] = collector.get(_PATH)["budgets"]
    return found


def _limit(written: str) -> tuple[str, float]:
    measure, equals, number = written.partition("=")
    try:
        limit = float(number)
    except ValueError:
        limit = 0.0
    if not equals or measure not in set(Measure) or not 0 < limit < float("inf"):
        raise UsageError(
            f"the limit {written[:80]!r} cannot be used",
            because="it is not a measure and a number above 0",
            suggestion=f"usd=5; measures are {', '.join(Measure)}",
        )
    return measure, limit


def _show(invocation: Invocation, budgets: list[Mapping[str, Any]]) -> None:
    if invocation.json:
        invocation.write_json({"budgets": budgets})
        return
    if not budgets:
        invocation.err.print("no session has a budget so far")
        return
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("budget", "of", "used", "limit", "", "then"):
        table.add_column(name, overflow="fold")
    for each in budgets:
        table.add_row(
            *(plain(each["budget"]), plain(each["of"])),
            *(f"{each['used']:,.4g}", f"{each['limit']:,.4g}", each["measure"]),
            each["then"] if each["used"] < each["limit"] else f"{each['then']} now",
        )
    invocation.out.print(table)


budget: Final = typer.Typer(help="Budgets of sessions, agents, users and days.")
for _name, _command in (
    ("ls", ls),
    ("show", show),
    ("set", set_limits),
    ("check", check),
):
    budget.command(_name)(with_common_options(_command))
