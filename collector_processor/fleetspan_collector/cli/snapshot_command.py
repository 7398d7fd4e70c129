"""``fleetspan snapshot``: what was done, running and pending of a run at a moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli._invocation import Invocation, with_common_options
from fleetspan_collector.cli._owning import owned, web_of_owner
from fleetspan_collector.cli._source import OwnerSource, open_source
from fleetspan_collector.cli._style import when
from fleetspan_collector.cli._text import count, plain, plain_lines, usd
from fleetspan_collector.cli.ls_command import short_ids
from fleetspan_collector.config import Settings
from fleetspan_collector.snapshots.archive import write_archive
from fleetspan_collector.snapshots.handoff import handoff
from fleetspan_collector.snapshots.reading import Snapshots

RunId = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="Only of this run; the id may be cut short."),
]
OneRun = Annotated[
    str, typer.Argument(metavar="RUN", help="Id of the run, or its beginning.")
]
SnapshotId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the snapshot, or its beginning.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many.", metavar="N")
]
To = Annotated[
    Path | None,
    typer.Option(
        "--to", help="The tar file; by default snapshot-ID.tar here.", metavar="FILE"
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, in your own words.")]

_SHOWN_TO_PEOPLE: Final = 50
_MOST: Final = 1_000_000
_WIDE: Final = 120
_NARROW: Final = 4
_COLUMNS: Final = (
    *("snapshot", "run", "at", "trigger"),
    *("agents", "running", "tokens", "cost", "state"),
)
"""Columns of the list but for the last; a narrow terminal has the first `_NARROW`."""


def ls(invocation: Invocation, run: RunId = None, limit: Limit = None) -> None:
    """List snapshots, latest first; people see 50 unless --limit says otherwise."""
    wanted = limit or (_MOST if invocation.json else _SHOWN_TO_PEOPLE + 1)
    with open_source(invocation.load().settings, analysed=True) as source:
        run_id = source.run(run)["run_id"] if run is not None else None
        found = Snapshots(source.sql).listing(run_id, wanted)
    if invocation.json:
        invocation.write_json({"snapshots": found})
        return
    if not found:
        invocation.err.print(
            "no snapshots" + (f" of run {plain(run)}" if run else " yet")
        )
        return
    shown = found if limit else found[:_SHOWN_TO_PEOPLE]
    invocation.out.print(_table(shown, invocation.out.width))
    if len(found) > len(shown):
        invocation.err.print(f"the latest {len(shown)}; --limit N shows more")


def show(invocation: Invocation, snapshot: SnapshotId) -> None:
    """Show a snapshot as a hand-off; --json shows all of it."""
    with open_source(invocation.load().settings, analysed=True) as source:
        found = Snapshots(source.sql).find(snapshot)
    if invocation.json:
        invocation.write_json({"snapshot": dict(found.document)})
    else:
        invocation.out.print(plain_lines(handoff(found)), end="", soft_wrap=True)


def export(invocation: Invocation, snapshot: SnapshotId, to: To = None) -> int:
    """Write a snapshot, its hand-off and its state to a tar file, with hashes."""
    with open_source(invocation.load().settings, analysed=True) as source:
        snapshots = Snapshots(source.sql)
        found = snapshots.find(snapshot)
        target = (to or Path(f"snapshot-{found.snapshot_id}.tar")).absolute()
        try:
            names = write_archive(found, snapshots.state(found), target)
        except OSError as error:
            raise UsageError(
                f"{target} cannot be written",
                because=str(error),
                suggestion=f"fleetspan snapshot export {found.snapshot_id} --to FILE",
            ) from error
    state = found.state
    complete = state is None or bool(state["complete"])
    if invocation.json:
        invocation.write_json(
            {
                "snapshot_id": found.snapshot_id,
                "file": str(target),
                "members": names,
                "state_complete": None if state is None else complete,
            }
        )
    else:
        invocation.out.print(
            f"{plain(str(target))}: {', '.join(names)}", soft_wrap=True
        )
    if state is not None and not complete:
        invocation.err.print(
            f"the state is incomplete and left out: {state['missing_chunks']} of"
            f" {state['chunks']} pieces are not in the store"
        )
    return 0 if complete else 1


def take(invocation: Invocation, run: OneRun, reason: Reason = "") -> None:
    """Take a snapshot of a run as it stands now."""
    settings = invocation.load().settings
    web = web_of_owner(settings)
    if web is None:
        taken = _alone(settings, run, reason)
    else:
        taken = OwnerSource(web, OwnerPass.read(settings.data)).take_snapshot(
            run, reason
        )
    if invocation.json:
        invocation.write_json({"snapshot_id": taken})
    else:
        invocation.out.print(taken)


def _alone(settings: Settings, run: str, reason: str) -> str:
    """Own the data directory for as long as it takes."""
    # Here, because they bring the engine with them, which most commands do not need.
    from fleetspan_collector.snapshots.taking import Taking
    from fleetspan_collector.store.reader import StoreReader

    with (
        owned(settings) as backstage,
        contextlib.closing(StoreReader(backstage.engine)) as reader,
    ):
        return Taking(backstage.engine, reader, settings).take(run, reason)


def _table(rows: list[dict[str, Any]], width: int) -> Table:
    """Make the table; columns go, least wanted first, as the terminal narrows."""
    wide = width >= _WIDE
    runs = short_ids(list(dict.fromkeys(row["run_id"] for row in rows)))
    cells = [_cells(row, runs, wide=wide) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    left = width
    for number, name in enumerate(_COLUMNS if wide else _COLUMNS[:_NARROW]):
        numeric = number >= _NARROW
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
        left -= 2 + max(len(name), *(len(row[number]) for row in cells))
    table.add_column("why", no_wrap=True, overflow="ellipsis", max_width=max(left, 12))
    for row, texts in zip(rows, cells, strict=True):
        why = f"{row['name']}: {row['reason']}" if row["name"] else row["reason"]
        table.add_row(*map(Text, texts), Text(plain(why)))
    return table


def _cells(row: dict[str, Any], runs: dict[str, str], *, wide: bool) -> list[str]:
    found = [
        plain(row["snapshot_id"]),
        runs[row["run_id"]],
        when(row["at"], short=not wide),
        plain(row["trigger"]),
    ]
    if wide:
        state = row["state_bytes"]
        found += [
            str(row["agents"]),
            str(row["agents_running"]),
            count(row["tokens"]),
            usd(row["cost_usd"]),
            "" if state is None else _size(state),
        ]
    return found


def _size(size_bytes: int) -> str:
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes} B"


snapshot: Final = typer.Typer(
    help="Snapshots: what was done, running and pending of a run at a moment."
)

_COMMANDS: Final[dict[str, Callable[..., int | None]]] = {
    "ls": with_common_options(ls),
    "show": with_common_options(show),
    "export": with_common_options(export),
    "take": with_common_options(take),
}
for _name, _command in _COMMANDS.items():
    snapshot.command(_name)(_command)
