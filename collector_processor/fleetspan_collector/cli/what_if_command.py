"""``fleetspan what-if RUN``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._source import open_source
from fleetspan_collector.cli._text import duration, plain, usd
from fleetspan_collector.insights import what_if as asked
from fleetspan_collector.insights.one_run import read_run
from fleetspan_collector.insights.what_if import Candidate, Node, Nodes
from fleetspan_collector.processors.critical_path import Change, WhatIf, path_of
from fleetspan_collector.processors.run import Run

RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Id of a run, or an unambiguous beginning.")
]
LastsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--lasts",
        metavar="NODE=SECONDS",
        help="It takes so many seconds, or so many times as long: NODE=0.5x.",
    ),
]
ParallelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parallel",
        metavar="NODE,NODE,…",
        help="Sub-agents start together: those named, or all of one parent.",
    ),
]
CheaperOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cheaper",
        metavar="NODE=MODEL",
        help="A call, an agent's calls, or those of the whole `run` use another model.",
    ),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="NODE", help="It is not done at all."),
]
NoWaitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--no-wait",
        metavar="NODE",
        help="No back-off before or in a call, no permission wait of a tool call; of an "
        "agent: none of its own.",
    ),
]


_WIDE: Final = 110


def what_if(
    invocation: Invocation,
    run: RunId,
    lasts: LastsOption = None,
    parallel: ParallelOption = None,
    cheaper: CheaperOption = None,
    without: WithoutOption = None,
    no_wait: NoWaitOption = None,
) -> None:
    """Say what a run would have taken and cost, had some of it been otherwise.

    NODE is an agent, a call or a tool call: its id, its span, or the beginning of one. All
    changes hold together. Without any, the nodes are listed whose time matters most.
    """
    settings = invocation.load().settings
    with open_source(settings) as source:
        run_id = source.run(run)["run_id"]
        whole = read_run(source, settings, run_id)
    if whole is None:
        raise UsageError(
            f"there is no run {run!r} any more",
            because="it was removed while it was read",
            suggestion="fleetspan ls",
        )
    nodes = Nodes(whole)
    changes: list[Change] = [_lasts(nodes, each) for each in lasts or ()]
    changes += [asked.parallel(whole, _all(nodes, each)) for each in parallel or ()]
    changes += [_cheaper(whole, nodes, each) for each in cheaper or ()]
    if without:
        changes.append(asked.without([nodes.find(each) for each in without]))
    if no_wait:
        named = [nodes.find(each) for each in no_wait]
        changes.append(asked.without_waits(whole, named))
    if changes:
        _tell_change(invocation, whole, asked.changed(whole, changes))
    else:
        _tell_candidates(invocation, whole, asked.candidates(whole))


def _lasts(nodes: Nodes, text: str) -> Change:
    named, value = _split(text, "--lasts NODE=SECONDS, or NODE=0.5x")
    node = nodes.find(named)
    times = value.endswith("x")
    try:
        number = float(value.removesuffix("x"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise UsageError(
            f"--lasts {text} cannot be used",
            because=f"{value!r} is no number of seconds, and no factor such as 0.5x",
            suggestion=f"--lasts {named}=0.5x",
        )
    return asked.lasts(node, number * node.seconds if times else number)


def _cheaper(run: Run, nodes: Nodes, text: str) -> Change:
    named, model = _split(text, "--cheaper NODE=MODEL")
    wanted = [] if named == asked.EVERYTHING else _all(nodes, named)
    return asked.cheaper(run, wanted, model)


def _split(text: str, expected: str) -> tuple[str, str]:
    # Ids may hold an equals sign; what comes after it does not.
    named, _, value = text.rpartition("=")
    if not named or not value:
        raise UsageError(
            f"{text!r} cannot be used",
            because="there is nothing before or after an equals sign",
            suggestion=expected,
        )
    return named, value


def _all(nodes: Nodes, text: str) -> list[Node]:
    return [nodes.find(each) for each in text.split(",") if each]


def _tell_change(invocation: Invocation, run: Run, after: WhatIf) -> None:
    wall_s, cost = path_of(run).wall_s, run.facts.cost_usd
    if invocation.json:
        invocation.write_json(
            {
                "run_id": run.facts.run_id,
                "was": {"wall_s": wall_s, "usd": cost},
                "would_be": dataclasses.asdict(after),
            }
        )
        return
    table = Table(box=None, pad_edge=False)
    for name in ("", "time", "cost"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row("it was", duration(wall_s), usd(cost))
    table.add_row("it would be", duration(after.wall_s), usd(after.usd), style="bold")
    table.add_row("saved", _signed_s(after.saved_s), _signed_usd(after.saved_usd))
    invocation.out.print(table)


def _signed_s(seconds: float) -> str:
    return f"{'-' if seconds < 0 else ''}{duration(abs(seconds))}"


def _signed_usd(amount: float | None) -> str:
    sign = "-" if amount is not None and amount < 0 else ""
    return sign + usd(None if amount is None else abs(amount))


def _tell_candidates(
    invocation: Invocation, run: Run, found: Sequence[Candidate]
) -> None:
    if invocation.json:
        rows = [dataclasses.asdict(each) for each in found]
        for row in rows:
            row["node"].pop("row")
        document = {"run_id": run.facts.run_id, "wall_s": path_of(run).wall_s}
        invocation.write_json({**document, "candidates": rows})
        return
    out = invocation.out
    out.print(
        Text(
            f"{plain(run.facts.name) or run.facts.run_id}: "
            f"{duration(path_of(run).wall_s)}; half of which time would save most"
        )
    )
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("", no_wrap=True, min_width=9)
    # Ids can be asked for by their beginning.
    table.add_column("node", no_wrap=True, max_width=24 if out.width >= _WIDE else 14)
    table.add_column("what", overflow="ellipsis", no_wrap=True, ratio=1)
    for name in ("takes", "on path", "slack", "half saves"):
        table.add_column(
            name, justify="right", no_wrap=True, min_width=max(6, len(name))
        )
    for each in found:
        node = each.node
        what = (
            node.name if node.kind == "agent" else f"{node.name} of {node.agent_name}"
        )
        table.add_row(
            "tool call" if node.kind == "tool" else node.kind,
            plain(node.node_id),
            plain(what),
            duration(node.seconds),
            duration(each.path_s),
            duration(each.slack_s),
            _signed_s(each.saved_s),
        )
    out.print(table)
