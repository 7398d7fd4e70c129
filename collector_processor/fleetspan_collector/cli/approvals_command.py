"""``fleetspan approvals``: what agents want a person's consent for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector.cli._control import asked_collector, refuse_agents
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli._text import plain

_PATH: Final = "/api/v1/control/approvals"
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the approval.")]
Every = Annotated[
    bool, typer.Option("--all", help="Also what was decided; by default what waits.")
]


def ls(invocation: Invocation, every: Every = False) -> None:
    """List what waits for consent."""
    collector = asked_collector(invocation.load().settings)
    found: list[Mapping[str, Any]] = [
        each
        for each in collector.get(_PATH)["approvals"]
        if every or each["state"] == "pending"
    ]
    if invocation.json:
        invocation.write_json({"approvals": found})
        return
    if not found:
        invocation.err.print("nothing waits for consent")
        return
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("id", "asked", "state", "agent", "tool", "what", "why"):
        table.add_column(name, overflow="fold")
    for each in found:
        at = datetime.fromtimestamp(each["asked_at"], UTC).strftime("%m-%d %H:%M:%SZ")
        what = each["what"]
        table.add_row(
            *(each["approval_id"], at, each["state"]),
            *(plain(what.get(key, "")) for key in ("agent", "tool", "what", "reason")),
        )
    invocation.out.print(table)


def grant(invocation: Invocation, approval_id: Id) -> None:
    """Let an agent do this once."""
    _settle(invocation, approval_id, granted=True)


def deny(invocation: Invocation, approval_id: Id) -> None:
    """Say no, whenever it is asked again."""
    _settle(invocation, approval_id, granted=False)


def _settle(invocation: Invocation, approval_id: str, *, granted: bool) -> None:
    refuse_agents("consent")
    collector = asked_collector(invocation.load().settings)
    collector.post(_PATH, {"approval_id": approval_id, "grant": granted})
    done = "granted, for one time" if granted else "denied"
    if invocation.json:
        invocation.write_json({"approval_id": approval_id, "granted": granted})
    else:
        invocation.err.print(Text(plain(f"{approval_id}: {done}")))


approvals: Final = typer.Typer(help="What agents want a person's consent for.")
for _name, _command in (("ls", ls), ("grant", grant), ("deny", deny)):
    approvals.command(_name)(with_common_options(_command))
