"""Complexity: how well it foretells what tasks take, on public runs.

``python -m tests.benchmarks.complexity [--data DIR]``, DIR holding a folder for each data
set (``mini_swe_agent_runs``, ``swebench_verified``, ``complexity_trap``, ``tau_bench``);
as a part of ``python -m tests.benchmarks`` the folder that `_public_tasks.VARIABLE` names.
Without it the dozen runs in the repository are measured, which say little.

Every number is Spearman's rank correlation, 0 for a coin. Foretold is, for tasks of
SWE-bench Verified: what the same run took; what other models in other scaffolds took on
the same tasks (the mean of each task's rank over the experiments); the minutes that people
were asked to estimate; and failing. For the service agent's tasks, what the other trials
of a task took. By: the score before the run; the effort of one finished run, beside the
plain number of its turns; the length of the text; the original system's score, with the
kind of task that ours finds, as the original was told it.

Effort is made of turns and cost, so that it foretells those of its own run is no news;
that of others is. No number is a pass mark: choosing a model by a score like this is a
coin toss on public outcomes, and this shows how little a text tells.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.complexity import complexity_of
from fleetspan_collector.processors.run import Run
from fleetspan_routing.complexity import classify, effort, original_score, score
from tests.benchmarks import _public_tasks as public
from tests.benchmarks import _report
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale

Floats = NDArray[np.float64]

_FEWEST: Final = 5
_CHARACTERS_OF_A_TOKEN: Final = 4
_PREDICTORS: Final = ("before", "effort", "turns", "length", "original")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task, what foretells, and what the run took.

    Attributes:
        name: Its id.
        by: Predictors by name; NaN where there is none.
        spent: What the run took.
    """

    name: str
    by: Mapping[str, float]
    spent: public.Spent


def measure(scale: Scale, folder: Path) -> Result:
    """Correlate what is known of tasks with what they took."""
    del scale, folder  # Every public run is looked at; nothing is written.
    return measured(public.folder())


def measured(data: Path | None) -> Result:
    """Correlate, over the data sets that are in a folder."""
    tasks = _tasks(public.mini_swe_folder(data), public.texts(data))
    rows = [*_same_run(tasks), *_other_runs(tasks, public.experiments(data))]
    rows += [*_people(tasks, public.texts(data)), *_service(public.trials(data))]
    absent = [
        name
        for name in (
            *("mini_swe_agent_runs", "swebench_verified"),
            *("complexity_trap", "tau_bench"),
        )
        if data is None or not (data / name).is_dir()
    ]
    notes = [
        "Intervals of 95 % are about 2 / sqrt(tasks) to each side, and in the file.",
        "Effort and turns are of one finished run (of its own in the first rows).",
    ]
    if absent:
        notes.append(f"Passed over, not there: {', '.join(absent)}.")
    return Result(
        part="complexity",
        title="complexity beside what tasks took, rank correlation",
        columns=(
            *("foretold", "tasks", "before", "effort", "turns"),
            *("text length", "original"),
        ),
        rows=[
            [name, count, *(cell[0] for cell in cells)] for name, count, cells in rows
        ],
        settings={"whole_runs": len(tasks), "absent": absent},
        raw={
            name: {
                "tasks": count,
                **{
                    predictor: {"rho": rho, "low": low, "high": high}
                    for predictor, (rho, low, high) in zip(
                        _PREDICTORS, cells, strict=True
                    )
                },
            }
            for name, count, cells in rows
        },
        notes=notes,
    )


Cell = tuple[float | None, float | None, float | None]
Row = tuple[str, int, Sequence[Cell]]


def _tasks(
    directory: Path, texts: Mapping[str, tuple[str, int | None]]
) -> Sequence[Task]:
    return [
        Task(
            name=run.facts.run_id,
            by=_predictors(run, texts.get(run.facts.run_id, ("", None))[0]),
            spent=public.Spent(
                turns=run.llm_calls.count,
                cost_usd=float(np.nansum(run.llm_calls.floats("CostUsd"))),
                failed=failed,
            ),
        )
        for run, failed in public.whole_runs(directory)
    ]


def _predictors(run: Run, text: str) -> Mapping[str, float]:
    found = complexity_of(run)
    calls = run.llm_calls
    context = calls.floats("InputTokens")[:1] + calls.floats("CacheReadTokens")[:1]
    kind, files = str(found.before.task_kind), found.files or 0
    task = text or run.agents.strings("Task")[0]
    return {
        "before": _float(found.before.total),
        "effort": _float(found.effort),
        "turns": float(calls.count),
        "length": float(len(task)),
        "original": float(original_score(int(context[0]), kind, files)),
    }


def _float(value: float | None) -> float:
    return math.nan if value is None else value


def _same_run(tasks: Sequence[Task]) -> Sequence[Row]:
    turns, usd, failed = _spent([task.spent for task in tasks])
    return [
        _row("turns of the same run", tasks, turns),
        _row("cost of the same run", tasks, usd),
        _row("failing of the same run", tasks, failed),
    ]


def _other_runs(
    tasks: Sequence[Task], experiments: Mapping[str, Mapping[str, public.Spent]]
) -> Sequence[Row]:
    """What other models took: the mean of each task's rank over the experiments."""
    shared = [
        task
        for task in tasks
        if any(task.name in each for each in experiments.values())
    ]
    if not shared:
        return ()
    ranks = np.full((3, len(experiments), len(shared)), np.nan)
    for number, spent in enumerate(experiments.values()):
        at = [place for place, task in enumerate(shared) if task.name in spent]
        columns = _spent([spent[shared[place].name] for place in at])
        for kind, column in enumerate(columns):
            ranks[kind, number, at] = ranked(column) / max(len(at), 1)
    turns, usd, failed = np.nanmean(ranks, axis=1)
    many = f"{len(experiments)} other experiments"
    return [
        _row(f"turns of {many}", shared, turns),
        _row(f"cost of {many}", shared, usd),
        _row(f"failing of {many}", shared, failed),
    ]


def _people(
    tasks: Sequence[Task], texts: Mapping[str, tuple[str, int | None]]
) -> Sequence[Row]:
    known = [task for task in tasks if texts.get(task.name, ("", None))[1] is not None]
    if not known:
        return ()
    buckets = np.array([texts[task.name][1] for task in known], dtype=np.float64)
    return [_row("minutes that people need (4 buckets)", known, buckets)]


def _service(trials: Sequence[public.Trial]) -> Sequence[Row]:
    """Of each task one trial foretells what the others took."""
    by_task: dict[int, list[public.Trial]] = {}
    for trial in trials:
        by_task.setdefault(trial.task, []).append(trial)
    pairs = [(one, others) for one, *others in by_task.values() if others]
    if not pairs:
        return ()
    tasks = [
        Task(
            name=str(one.task),
            by=_service_predictors(one),
            spent=public.Spent(turns=one.turns, cost_usd=0.0, failed=one.failed),
        )
        for one, _ in pairs
    ]
    turns = np.array([np.mean([each.turns for each in others]) for _, others in pairs])
    failed = np.array(
        [np.mean([each.failed for each in others]) for _, others in pairs]
    )
    return [
        _row("turns of other trials, service agent", tasks, turns),
        _row("failing of other trials, service agent", tasks, failed),
    ]


def _service_predictors(trial: public.Trial) -> Mapping[str, float]:
    tokens = len(trial.text) // _CHARACTERS_OF_A_TOKEN
    kind = classify(trial.text)
    return {
        "before": _float(score(tokens, kind, None, None).total),
        "effort": _float(effort(turns=trial.turns, tools=trial.tools)),
        "turns": float(trial.turns),
        "length": float(len(trial.text)),
        "original": float(original_score(tokens, str(kind), 0)),
    }


def _spent(spent: Sequence[public.Spent]) -> tuple[Floats, Floats, Floats]:
    return (
        np.array([each.turns for each in spent], dtype=np.float64),
        np.array([each.cost_usd for each in spent], dtype=np.float64),
        np.array([each.failed for each in spent], dtype=np.float64),
    )


def _row(name: str, tasks: Sequence[Task], truth: Floats) -> Row:
    cells = [
        correlation(np.array([task.by[predictor] for task in tasks]), truth)
        for predictor in _PREDICTORS
    ]
    return name, len(tasks), cells


def ranked(values: Floats) -> Floats:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Floats = ((last - count + 1 + last) / 2)[place]
    return ranks


def correlation(one: Floats, two: Floats) -> Cell:
    """Return Spearman's rank correlation and its 95 % interval.

    Args:
        one: Numbers; NaN where there is none.
        two: As many.

    Returns:
        None for all three when fewer than five pairs are known, or one side is constant.
    """
    known = ~(np.isnan(one) | np.isnan(two))
    count = int(known.sum())
    if count < _FEWEST:
        return None, None, None
    x, y = ranked(one[known]), ranked(two[known])
    if x.std() == 0 or y.std() == 0:
        return None, None, None
    rho = float(np.corrcoef(x, y)[0, 1])
    # Fisher's transformation, with the variance of Bonett and Wright (2000).
    middle = math.atanh(min(max(rho, -0.999999), 0.999999))
    reach = 1.96 * math.sqrt((1 + rho**2 / 2) / (count - 3))
    return rho, math.tanh(middle - reach), math.tanh(middle + reach)


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.complexity")
    parser.add_argument("--data", type=Path, metavar="DIR")
    chosen: Any = parser.parse_args(arguments)
    print(_report.table(measured(public.folder(chosen.data))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
