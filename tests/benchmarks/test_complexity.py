"""The benchmark of complexity: its arithmetic, and that it goes on without data."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from fleetspan_collector.processors.complexity import complexity_of
from tests.benchmarks import _public_tasks as public
from tests.benchmarks.complexity import correlation, main, measured, ranked
from tests.faults import loading

NAMES = [
    "turns of the same run",
    "cost of the same run",
    "failing of the same run",
]


def test_equal_values_share_a_rank() -> None:
    """The mean of the ranks that they take up."""
    assert ranked(np.array([30.0, 10.0, 20.0, 10.0])).tolist() == [4.0, 1.5, 3.0, 1.5]


def test_a_correlation_is_of_ranks() -> None:
    """1 for any rising curve, and what Spearman's formula gives otherwise."""
    one = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert correlation(one, np.exp(one))[0] == pytest.approx(1.0)
    found = correlation(one, np.array([2.0, 1.0, 4.0, 3.0, 5.0]))
    assert [round(each or 0, 3) for each in found] == [0.8, -0.457, 0.991]


@pytest.mark.parametrize(
    "truth", [[1.0, 2.0, 3.0], [2.0] * 9, [1.0, 2.0, 3.0, 4.0] + [np.nan] * 5]
)
def test_too_little_has_no_correlation(truth: list[float]) -> None:
    """Fewer than five pairs, or a side that never changes."""
    one = np.arange(len(truth), dtype=np.float64)
    assert correlation(one, np.array(truth)) == (None, None, None)


def test_data_that_are_absent_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any, the runs in the repository are measured."""
    monkeypatch.delenv(public.VARIABLE, raising=False)
    monkeypatch.delenv(loading.VARIABLE, raising=False)
    result = measured(None)
    assert [row[0] for row in result.rows] == NAMES
    assert all(len(row) == len(result.columns) for row in result.rows)
    assert result.rows[0][4] == pytest.approx(1.0)
    assert main([]) == 0
    assert (
        "Passed over, not there: mini_swe_agent_runs, swebench_verified,"
        " complexity_trap, tau_bench." in capsys.readouterr().out
    )


def test_what_other_models_took_is_joined_by_task(tmp_path: Path) -> None:
    """The mean rank over experiments of a hundred tasks and more; people's minutes too."""
    known = [run.facts.run_id for run, _ in public.whole_runs(loading.OWN)]
    tasks = [*known, *(f"other-{number}" for number in range(100))]
    trap, texts = tmp_path / "complexity_trap", tmp_path / "swebench_verified"
    trap.mkdir()
    texts.mkdir()
    with (trap / "experiment_instance_costs_x.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("experiment", "instance_id", "cost", "turn_count", "outcome"))
        for experiment, sign in (("one", 1), ("two", 1), ("small", -1)):
            some = tasks if experiment != "small" else known
            for number, task in enumerate(some):
                rows.writerow((experiment, task, number, sign * number, number % 2))
    with gzip.open(texts / "tasks.jsonl.gz", "wt") as file:
        for number, task in enumerate(known):
            row = {
                "instance_id": task,
                "problem_statement": "x" * (number + 1),
                "difficulty": "1-4 hours" if number % 2 else "<15 min fix",
            }
            file.write(json.dumps(row) + "\n")
    found = {str(row[0]): row for row in measured(tmp_path).rows}
    assert list(found) == [
        *NAMES,
        "turns of 2 other experiments",
        "cost of 2 other experiments",
        "failing of 2 other experiments",
        "minutes that people need (4 buckets)",
    ]
    turns = found["turns of 2 other experiments"]
    assert turns[1] == len(known)
    assert turns[5] == pytest.approx(1.0)


def test_the_service_agents_first_trial_foretells_the_others(tmp_path: Path) -> None:
    """Turns of one trial beside the mean of the rest, task by task."""
    (tmp_path / "tau_bench").mkdir()
    runs = [
        {
            "task_id": task,
            "reward": float(trial % 2),
            "traj": [
                {"role": "user", "content": "hello " * (10 - task)},
                *[{"role": "assistant", "content": "x"}] * (task + trial + 1),
            ],
        }
        for trial in range(3)
        for task in range(6)
    ]
    with gzip.open(tmp_path / "tau_bench" / "gpt-4o-airline.json.gz", "wt") as file:
        json.dump(runs, file)
    rows = {str(row[0]): row for row in measured(tmp_path).rows}
    turns = rows["turns of other trials, service agent"]
    assert turns[1] == 6
    assert turns[4] == pytest.approx(1.0)
    assert turns[5] == pytest.approx(-1.0)


def test_real_runs_go_through_the_product() -> None:
    """The dozen runs in the repository have a score, a kind or none, and an effort."""
    for run, _ in public.whole_runs(loading.OWN):
        found = complexity_of(run)
        assert found.before.context is not None
        assert found.effort is not None
        assert 2 < found.effort < 9
