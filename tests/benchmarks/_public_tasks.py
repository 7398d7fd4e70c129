"""Public runs of agents, and what is known of their tasks; measured with, never shipped.

::

    mini_swe_agent_runs   whole runs of one agent, some of SWE-bench Verified
    swebench_verified     the texts of these tasks, and how long people would take
    complexity_trap       turns and cost of other models and scaffolds on the same tasks
    tau_bench             whole runs of a service agent, four trials of each task
"""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleetspan_collector.processors.run import Run
from tests.faults import loading
from tests.faults.layout import run_of

VARIABLE: Final = "FLEETSPAN_PUBLIC_DATA"
"""Names the folder that holds a folder for each data set."""

_BUCKETS: Final = ("<15 min fix", "15 min - 1 hour", "1-4 hours", ">4 hours")
_FEWEST: Final = 100
"""Tasks that an experiment must have; smaller ones were for tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one run took.

    Attributes:
        turns: Model calls.
        cost_usd: US dollars.
        failed: Whether the task was not solved.
    """

    turns: float
    cost_usd: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a service agent.

    Attributes:
        task: Number of the task.
        text: What the customer first said.
        turns: Answers of the model.
        tools: Calls of tools.
        failed: Whether the task was not done.
    """

    task: int
    text: str
    turns: int
    tools: int
    failed: bool


def folder(given: Path | None = None) -> Path | None:
    """Return the folder of the data sets: as given, as the variable says, or none."""
    named = os.environ.get(VARIABLE, "")
    return given or (Path(named) if named else None)


def mini_swe_folder(data: Path | None) -> Path:
    """Return where the whole runs are; a dozen of them are in the repository."""
    found = data / "mini_swe_agent_runs" if data else None
    return found if found and found.is_dir() else loading.folder()


def texts(data: Path | None) -> Mapping[str, tuple[str, int | None]]:
    """Return by task its text and the number of the bucket of minutes, 0 to 3."""
    path = data / "swebench_verified" / "tasks.jsonl.gz" if data else None
    if path is None or not path.is_file():
        return {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {
        row["instance_id"]: (row["problem_statement"], _bucket(row["difficulty"]))
        for row in rows
    }


def _bucket(said: str) -> int | None:
    return _BUCKETS.index(said) if said in _BUCKETS else None


def experiments(data: Path | None) -> Mapping[str, Mapping[str, Spent]]:
    """Return by experiment (model, scaffold and strategy) what each task took."""
    found: dict[str, dict[str, Spent]] = {}
    source = data / "complexity_trap" if data else None
    if source is None or not source.is_dir():
        return {}
    for path in sorted(source.glob("experiment_instance_costs_*.csv")):
        with path.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                found.setdefault(row["experiment"], {})[row["instance_id"]] = Spent(
                    turns=float(row["turn_count"]),
                    cost_usd=float(row["cost"]),
                    failed=row["outcome"] == "0",
                )
    return {name: spent for name, spent in found.items() if len(spent) >= _FEWEST}


def trials(data: Path | None) -> Sequence[Trial]:
    """Return the runs of the service agent."""
    path = data / "tau_bench" / "gpt-4o-airline.json.gz" if data else None
    if path is None or not path.is_file():
        return ()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [_trial(each) for each in json.load(file)]


def _trial(run: Mapping[str, Any]) -> Trial:
    said = [each for each in run["traj"] if each["role"] == "assistant"]
    asked = [each for each in run["traj"] if each["role"] == "user"]
    return Trial(
        task=int(run["task_id"]),
        text=str(asked[0]["content"]),
        turns=len(said),
        tools=sum(len(each.get("tool_calls") or ()) for each in said),
        failed=float(run["reward"]) < 1,
    )


def whole_runs(directory: Path) -> Iterator[tuple[Run, bool]]:
    """Yield the whole runs of mini-SWE-agent, and whether each failed."""
    with lzma.open(directory / "runs.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            run = json.loads(line)
            yield run_of(loading.plan_of(run)), not run["resolved"]
