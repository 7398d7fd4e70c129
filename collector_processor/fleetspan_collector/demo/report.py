"""What the demo shows: a choice of runs, one tree, sums, times, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from fleetspan_collector.cli._text import count, usd
from fleetspan_collector.cli.ls_command import runs_table, total_tokens
from fleetspan_collector.cli.show_command import print_run
from fleetspan_collector.config import Endpoints
from fleetspan_collector.insights.rendering.layout import lay_out_briefly
from fleetspan_collector.insights.rendering.terminal import print_page
from fleetspan_collector.insights.review import Review
from fleetspan_collector.store.rows import RunDetail, RunRow

_SHOWN: Final = 15
_WORTH_A_LOOK: Final = {
    "stuck": "silent in a tool, its process alive",
    "loop": "the same call and result, 30 times",
    "cost spike": "40 times as dear as its siblings",
    "crash": "its process died in a tool",
    "one by one": "four reviewers one after another, with nothing to wait for",
    "straggler": "four auditors side by side, one ten times as slow",
    "rate limit": "refused six times, and waiting in between",
    "retry storm": "the same failing command, seven times in a row",
    "broken cache": "a prompt that changes in its first line",
    "large output": "a whole log in the context",
}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a demo.

    Attributes:
        runs: Its runs as stored, latest first.
        shown: The run whose tree is shown.
        specials: Id of the run by what is odd about it.
        totals: Sums over its runs.
        timing: ``spans``, ``starts``, ``starting_s``, ``sending_s``, ``readable_s``,
            ``analysed_s``, ``total_s``.
        review: The runs since the fleet's new version, against those before.
        truth: File of what the agent programs say that they did.
        next: Commands to try.
        endpoints: What the collector listens on.
    """

    runs: list[RunRow]
    shown: RunDetail
    specials: dict[str, str]
    totals: dict[str, Any]
    timing: dict[str, Any]
    review: Review
    truth: str
    next: list[str]
    endpoints: Endpoints


def sum_up(runs: Sequence[RunRow]) -> dict[str, Any]:
    """Add the runs up; the cost leaves the unpriced calls out."""
    return {
        "runs": len(runs),
        "agents": sum(run["agents"] for run in runs),
        "llm_calls": sum(run["llm_calls"] for run in runs),
        "tool_calls": sum(run["tool_calls"] for run in runs),
        "errors": sum(run["errors"] for run in runs),
        "tokens": sum(total_tokens(run) or 0 for run in runs),
        "cost_usd": sum(run["cost_usd"] or 0.0 for run in runs),
        "unpriced_calls": sum(run["unpriced_calls"] for run in runs),
    }


def choose_run(runs: Sequence[RunRow], specials: Mapping[str, str]) -> str:
    """Return the id of the ordinary run with the most agents, the latest of several."""
    ordinary = [run for run in runs if run["run_id"] not in specials.values()]
    return max(ordinary, key=lambda run: run["agents"])["run_id"]


def choose_rows(runs: Sequence[RunRow]) -> list[RunRow]:
    """Return 15 runs, latest first: whatever stands out, and the latest of the others."""
    striking = [run["run_id"] for run in runs if run["status"] != "ok"][:8]
    for name in ("cost_usd", "tool_calls", "agents", "errors"):
        best = max(runs, key=lambda run: run[name] or 0)
        striking.append(best["run_id"])
    latest = [run["run_id"] for run in runs]
    chosen = set(list(dict.fromkeys([*striking, *latest]))[:_SHOWN])
    return [run for run in runs if run["run_id"] in chosen]


def print_outcome(outcome: Outcome, out: Console) -> None:
    """Print it for people."""
    rows = choose_rows(outcome.runs)
    out.print(runs_table(rows, out.width))
    out.print(
        Text(
            f"{len(rows)} of {len(outcome.runs)} runs: the latest, and what stands out\n"
        )
    )
    print_run(outcome.shown, out)
    out.print()
    out.print(Text("wrong on purpose", style="bold"))
    by_id = {run["run_id"]: run for run in outcome.runs}
    for special, run_id in outcome.specials.items():
        run = by_id[run_id]
        out.print(
            Text(f"  {run_id[:12]}  {run['name']}: {_WORTH_A_LOOK[special]}"),
            no_wrap=True,
            overflow="ellipsis",
        )
    out.print()
    for line in _sums(outcome):
        out.print(Text(line))
    out.print()
    print_page(lay_out_briefly(outcome.review), out)
    out.print()
    out.print(Text("what to type next", style="bold"))
    for command in outcome.next:
        # Not broken at the width of the terminal: it is there to be copied.
        out.print(Text("  " + command), soft_wrap=True)


def _sums(outcome: Outcome) -> list[str]:
    totals, timing = outcome.totals, outcome.timing
    return [
        (
            f"{totals['runs']} runs, {totals['agents']} agents, "
            f"{totals['llm_calls']} calls, {totals['tool_calls']} tool calls, "
            f"{totals['errors']} errors"
        ),
        f"{count(totals['tokens'])} tokens, {usd(totals['cost_usd'])} at list prices",
        f"{totals['unpriced_calls']} calls have no known price and are left out of that",
        (
            f"{timing['spans']} spans and {timing['starts']} start events sent over OTLP "
            f"in {timing['sending_s']:.1f} s"
        ),
        (
            f"readable {timing['readable_s']:.1f} s later, analysed "
            f"{timing['analysed_s']:.1f} s after that; none lost, none twice"
        ),
        (
            f"{timing['total_s']:.1f} s in all, {timing['starting_s']:.1f} s to start the "
            "collector; nothing left this machine"
        ),
    ]
