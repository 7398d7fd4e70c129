"""How complex a run's task looked, and its agents' tasks, and what effort they took.

The four factors are those of `fleetspan_routing.complexity`. What they are made of:

- context: all input tokens of the agent's first model call, cached ones too.
- kind: the words of the agent's task, type and name.
- files: how many different files the task's text names; where it names none, or is not
  there, how many files were touched, which is only known afterwards (`FilesFrom`).
- failures: which share of such tasks agents with weak models are known to have failed
  before, by ``run.context.outcomes``.

A factor without evidence is None, never a guess. For the run as a whole it is the main
agent's task, with the files of all agents.

Effort is `fleetspan_routing.complexity.effort` over what has ended; None while it goes
on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.model_tiers import Tier, tier_of
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run
from fleetspan_routing.complexity import (
    Complexity,
    TaskKind,
    classify,
    effort,
    failure_share,
    score,
)

_TEXT_CHARACTERS: Final = 8_000
"""Of a task, in which files are looked for."""
_MOST_REMEMBERED: Final = 1024
Floats = NDArray[np.float64]

_FILE: Final = re.compile(r"[\w@~.\-/\\]*\w\.[A-Za-z][A-Za-z0-9]{0,5}")
_SUFFIXES: Final = frozenset(
    re.findall(
        r"\w+",
        "bash c cc cfg clj conf cpp cs css csv cu dart env ex go gradle graphql h hpp"
        " html ini ipynb java jl js json jsonl jsx kt less lock log lua m md mdx mjs ml"
        " mm php pl proto ps1 py pyi pyx r rb rs rst sass scala scss sh sol sql svelte"
        " swift tf toml ts tsx tsv txt vue xml yaml yml zig zsh",
    )
)
"""Ends of names that are files rather than attributes, hosts or sentences."""


class FilesFrom(StrEnum):
    """Where the number of files comes from."""

    NOWHERE = ""
    TASK = "task"
    TOUCHED = "touched"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComplexity:
    """How complex a run's task looked, and what effort it took.

    Attributes:
        before: The score of the run's task.
        files: How many files it is about; None when not known.
        files_from: Where that number comes from.
        effort: What the run took, 0 to 10; None while it goes on.
        agents: The scores of the agents' tasks, by row of ``run.agents``.
        agent_efforts: What each agent took itself, without those it started; None while
            it goes on.
    """

    before: Complexity
    files: int | None
    files_from: FilesFrom
    effort: float | None
    agents: Sequence[Complexity]
    agent_efforts: Sequence[float | None]

    def columns(self) -> dict[str, str | float | None]:
        """The columns of ``run_analyses`` that tell of it."""
        before = self.before
        return {
            "TaskKind": str(before.task_kind),
            "Complexity": before.total,
            "ComplexityContext": before.context,
            "ComplexityKind": before.kind,
            "ComplexityFiles": before.files,
            "ComplexityFailures": before.failures,
            "Effort": self.effort,
        }

    def agent_kinds(self) -> list[str]:
        """The kind of each agent's task, by row of ``run.agents``."""
        return [str(each.task_kind) for each in self.agents]


@per_run
def complexity_of(run: Run) -> RunComplexity:
    """Score a run and its agents."""
    agents = run.agents
    touched, changed = _files_by_agent(run)
    spent = _spent(run, changed)
    scoring = _Scoring(run)
    scores, efforts = [], []
    rows = zip(
        agents.strings("Task").tolist(),
        agents.strings("Type").tolist(),
        agents.strings("Name").tolist(),
        agents.strings("Status").tolist(),
        spent[:-1].tolist(),
        strict=True,
    )
    for row, (task, agent_type, name, status, used) in enumerate(rows):
        kind = classify(task, agent_type, name)
        files, _ = _files(task, touched.get(row, set()))
        scores.append(scoring.of(row, kind, files))
        efforts.append(None if status == "running" else _effort(used))
    main = _main_agent(run)
    task = "" if main == NONE else agents.strings("Task")[main]
    kind = (
        classify(task, "", run.facts.name) if main == NONE else scores[main].task_kind
    )
    files, files_from = _files(task, set().union(*touched.values()))
    return RunComplexity(
        before=scoring.of(main, kind, files),
        files=files,
        files_from=files_from,
        effort=None if run.facts.open else _effort(_total(spent, changed)),
        agents=scores,
        agent_efforts=efforts,
    )


class _Scoring:
    """Scores tasks of one run; what weak models failed is worked out once a kind."""

    def __init__(self, run: Run) -> None:
        self._run = run
        # In the last row, which is that of `NONE`, what no agent has asked.
        self._contexts = _first_contexts(run).tolist()
        self._shares: dict[TaskKind, float | None] = {}

    def of(self, agent: int, kind: TaskKind, files: int | None) -> Complexity:
        """Score the task of one agent."""
        if kind not in self._shares:
            self._shares[kind] = _weak_failures(self._run, kind)
        context = _or_none(self._contexts[agent])
        return score(context, kind, files, self._shares[kind])


def _main_agent(run: Run) -> int:
    """The first agent without a parent that has a task, else the first; or `NONE`."""
    tops = np.flatnonzero(run.tree.parent == NONE)
    if not len(tops):
        return NONE
    tasked = run.agents.known("Task")[tops]
    return int(tops[np.argmax(tasked)])


@per_run
def _inputs(run: Run) -> Floats:
    """Input tokens of the calls, cached ones too; NaN where no part is known."""
    plain = run.llm_calls.floats("InputTokens")
    read = run.llm_calls.floats("CacheReadTokens")
    return _added(_added(plain, read), run.llm_calls.floats("CacheWriteTokens"))


def _first_contexts(run: Run) -> Floats:
    """Of each agent the input tokens of its first call; last, of calls of no agent."""
    rows = run.agents.count + 1
    found = np.full(rows, np.nan)
    # Written last to first, the first call of an agent stays.
    found[run.tree.call_agent[::-1]] = _inputs(run)[::-1]
    return found


def _added(one: Floats, two: Floats) -> Floats:
    """The sums of two numbers, of which one that is not known counts as none."""
    return np.where(np.isnan(one), two, np.where(np.isnan(two), one, one + two))


def _files_by_agent(run: Run) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
    """Files that agents touched, and those of them that they changed.

    By row of the agent; under `NONE` what no agent of the run owns up to.
    """
    touched: dict[int, set[str]] = {}
    changed: dict[int, set[str]] = {}
    files = run.files
    if not files.count:
        return touched, changed
    row_of = {name: row for row, name in enumerate(run.agents.strings("AgentId"))}
    for agent, path, operation in zip(
        files.strings("AgentId").tolist(),
        files.strings("Path").tolist(),
        files.strings("Operation").tolist(),
        strict=True,
    ):
        row = row_of.get(agent, NONE)
        touched.setdefault(row, set()).add(path)
        if operation != "read":
            changed.setdefault(row, set()).add(path)
    return touched, changed


def _files(task: str, touched: set[str]) -> tuple[int | None, FilesFrom]:
    named = _named_files(task[:_TEXT_CHARACTERS]) if task else 0
    if named:
        return named, FilesFrom.TASK
    if touched:
        return len(touched), FilesFrom.TOUCHED
    return None, FilesFrom.NOWHERE


@lru_cache(maxsize=_MOST_REMEMBERED)
def _named_files(text: str) -> int:
    """How many different files a text names."""
    names = {
        match
        for word in text.split()
        if "." in word
        for match in _FILE.findall(word)
        if match.rpartition(".")[2].lower() in _SUFFIXES
    }
    return len(names)


def _weak_failures(run: Run, kind: TaskKind) -> float | None:
    """Which share of tasks of a kind weak models are known to fail."""
    if not kind:
        return None
    agents = failures = 0
    for model, outcomes in run.context.outcomes.of_kind(kind).items():
        if tier_of(run.context.prices, model, run.facts.start_ns) is Tier.WEAK:
            agents += outcomes.agents
            failures += outcomes.failures
    return failure_share(failures, agents)


_TURNS, _TOKENS, _COST, _TOOLS, _FILES, _RETRIES = range(6)


def _spent(run: Run, changed: dict[int, set[str]]) -> Floats:
    """What each agent has used itself, a row each; in the last row what nobody owns.

    NaN where it is not known.
    """
    rows = run.agents.count + 1
    calls = run.llm_calls
    # `NONE` counts from the end: it is the last row.
    owner = run.tree.call_agent % rows
    tokens = _added(_inputs(run), calls.floats("OutputTokens"))
    spent = np.full((rows, 6), np.nan)
    spent[:, _TURNS] = np.bincount(owner, minlength=rows)
    spent[:, _TOOLS] = np.bincount(run.tree.tool_agent % rows, minlength=rows)
    spent[:, _TOKENS] = _sums(owner, tokens, rows)
    spent[:, _COST] = _sums(owner, calls.floats("CostUsd"), rows)
    retries = np.maximum(calls.floats("Attempts") - 1, 0)
    spent[:, _RETRIES] = _sums(owner, retries, rows)
    if run.files.count:
        spent[:, _FILES] = 0
        for row, paths in changed.items():
            spent[row, _FILES] = len(paths)
    return spent


def _sums(owner: Indexes, values: Floats, rows: int) -> Floats:
    """Sums by owner over what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    counts = np.bincount(owner, weights=known, minlength=rows)
    sums = np.bincount(owner, weights=np.where(known, values, 0.0), minlength=rows)
    return np.where(counts > 0, sums, np.nan)


def _total(spent: Floats, changed: dict[int, set[str]]) -> list[float]:
    """What the whole run has used; a file that two agents changed is one."""
    known = ~np.isnan(spent)
    total = np.where(known, spent, 0.0).sum(axis=0)
    total[~known.any(axis=0)] = np.nan
    if known[:, _FILES].any():
        total[_FILES] = len(set().union(*changed.values()))
    return [float(each) for each in total]


def _effort(used: Sequence[float]) -> float | None:
    known = [_or_none(value) for value in used]
    return effort(
        turns=known[_TURNS],
        tokens=known[_TOKENS],
        cost_usd=known[_COST],
        tools=known[_TOOLS],
        files=known[_FILES],
        retries=known[_RETRIES],
    )


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
