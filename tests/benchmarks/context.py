"""Contexts kept short, on public runs: tokens, cost with the prompt cache, and loss.

``python -m tests.benchmarks.context [--data DIR]``, DIR holding ``mini_swe_agent_runs``; as
a part of ``python -m tests.benchmarks`` the folder that `_public_tasks.VARIABLE` names.
Without it the dozen runs in the repository are measured, which say little.

Everything is in percent of the same runs without a policy; how they are replayed and
counted is said in `_context_replay`. Cost is input and output, at 10, 25 and 50 % of the
list price for cached input. Ours decides by the price, so that each of its rows is told one
and measured at that one. The worst is the run that a policy makes dearest.

Lost is a step whose command uses a name (path, symbol, id) that is only in removed text.
As ours keeps names on purpose, two measures that it does not aim at stand beside: words of
six letters and more, and whole lines, as an edit quotes them. In the rows with recalls
each lost step first asks back, in a model call more, every text that has what it lost; what
that takes is counted, and lost is what is missing after it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import _public_tasks as public
from tests.benchmarks import _report
from tests.benchmarks._context_policies import OTHERS, OURS, session
from tests.benchmarks._context_replay import (
    Conversation,
    Taken,
    conversations,
    recalling,
    replay,
)
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale

PRICES: Final = (0.10, 0.25, 0.50)
_LONGEST: Final = 30
_EQUAL: Final = 1e-9
_COLUMNS: Final = (
    *("policy", "tokens %", "cost @10 %", "@25", "@50"),
    *("worst run @10 %", "@25", "@50"),
    *("steps lost %", "runs lost %", "by words %", "by lines %"),
)

Key = tuple[str, float | None]
"""Name of a policy, and the price that it was told."""


def measure(scale: Scale, folder: Path) -> Result:
    """Replay all public runs that there are under every policy."""
    del scale, folder  # Every public run is looked at; nothing is written.
    return measured(public.folder())


def measured(data: Path | None) -> Result:
    """Replay the runs of a folder under every policy."""
    runs = list(conversations(public.mini_swe_folder(data)))
    # Longest first, so that no process is left with a long one at the end.
    runs.sort(key=lambda run: -len(run.calls))
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        taken = list(pool.map(taken_by, runs, chunksize=2))
    rows = _rows("", taken)
    if len(runs) > _LONGEST:
        rows += _rows(f"{_LONGEST} longest: ", taken[:_LONGEST])
    absent = data is None or not (data / "mini_swe_agent_runs").is_dir()
    calls = sum(len(run.calls) for run in runs)
    least = len(runs[:_LONGEST][-1].calls)
    notes = [
        f"{len(runs)} runs, {calls} calls; the {_LONGEST} longest: {least} and more.",
        "Of ours, each row is told one price of cached input, and measured at it.",
    ]
    notes += [_dearer(name, taken) for name, _, _ in OURS]
    if absent:
        notes.append("Passed over, not there: mini_swe_agent_runs.")
    return Result(
        part="context",
        title="contexts kept short, in percent of the same runs as they were",
        columns=_COLUMNS,
        rows=rows,
        settings={"runs": len(runs), "prices": PRICES},
        raw={
            str(row[0]): dict(zip(_COLUMNS[1:], row[1:], strict=True)) for row in rows
        },
        notes=notes,
    )


def taken_by(run: Conversation) -> Mapping[Key, Taken]:
    """Replay one run under every policy."""
    taken: dict[Key, Taken] = {
        (name, None): replay(run, policy()) for name, policy in OTHERS
    }
    for name, settings, recalls in OURS:
        for price in PRICES:
            ours = session(settings, price)
            taken[name, price] = (
                recalling(run, ours) if recalls else replay(run, ours.prompt)
            )
    return taken


def _dearer(name: str, taken: Sequence[Mapping[Key, Taken]]) -> str:
    """Say how many runs a policy of ours makes dearer at the price that it was told."""
    ratios = [
        each[name, price].cost(price) / each["raw", None].cost(price)
        for each in taken
        for price in PRICES
    ]
    # What differs in the last digits only is a sum in another order.
    count = sum(ratio > 1 + _EQUAL for ratio in ratios)
    return (
        f"{name}: dearer than raw in {count} of {len(ratios)} (runs times prices),"
        f" the dearest at {100 * max(ratios):.2f} %."
    )


def _rows(prefix: str, taken: Sequence[Mapping[Key, Taken]]) -> list[list[object]]:
    return [
        [
            f"{prefix}{name}" + (f", told {price:.0%}" if price else ""),
            *_cells([each[name, price] for each in taken], taken, price),
        ]
        for name, price in taken[0]
    ]


def _cells(
    some: Sequence[Taken],
    taken: Sequence[Mapping[Key, Taken]],
    told: float | None,
) -> list[object]:
    before = [each["raw", None] for each in taken]
    # Recalls are calls more; a share of steps is one of those that there were.
    steps = sum(each.calls for each in before)
    costs: list[object] = []
    worst: list[object] = []
    for price in PRICES:
        pairs = [
            (now.cost(price), was.cost(price))
            for now, was in zip(some, before, strict=True)
        ]
        shown = told in (None, price)
        total = sum(now for now, _ in pairs) / sum(was for _, was in pairs)
        costs.append(100 * total if shown else None)
        worst.append(100 * max(now / was for now, was in pairs) if shown else None)
    return [
        100 * sum(each.tokens for each in some) / sum(each.tokens for each in before),
        *costs,
        *worst,
        100 * sum(each.lost for each in some) / steps,
        100 * sum(each.lost > 0 for each in some) / len(some),
        100 * sum(each.words for each in some) / steps,
        100 * sum(each.lines for each in some) / steps,
    ]


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.context")
    parser.add_argument("--data", type=Path, metavar="DIR")
    chosen: Any = parser.parse_args(arguments)
    print(_report.table(measured(public.folder(chosen.data))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
