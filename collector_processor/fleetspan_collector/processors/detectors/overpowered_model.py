"""Overpowered model: a dear model was given a simple task.

**Rule.** Agents of one name that have ended well, none of whose calls failed. Their task
looked simple: its kind is (`classify`, by what the task says before what the agent is called;
hardness at most `_SIMPLE`), its complexity is at most ``detect_overpowered_model_complexity``, and weaker models
are not known to fail at it (`complexity_of`). It turned out to be simple, too: effort at
most ``detect_overpowered_model_effort``. For the calls that they made with one model there is
a cheaper one that takes inputs as large and costs at most `_CHEAPER` as much: the smallest of
the same family (`small_sibling`), or, where the family is not known, the dearest such model
of the run. All these agents together, it saves ``detect_overpowered_model_usd`` or more.

**Source.** None better than reason: on public outcomes a score of the task hardly predicts
which model solves it, hence all the other conditions.

**Evidence.** The agents and their calls.

**Saving.** The same calls at the smaller model's prices (`what_if`); the time is taken to be
the same.

**False alarms.** At most 5 % of healthy runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.complexity import complexity_of
from fleetspan_collector.processors.critical_path import Cheaper, what_if
from fleetspan_collector.processors.detectors._conversation import (
    Floats,
    conversations_of,
    tokens_of,
)
from fleetspan_collector.processors.detectors._severity import by_cost
from fleetspan_collector.processors.detectors._wording import agent_name
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.model_facts import (
    context_window,
    cost_of,
    small_sibling,
)
from fleetspan_collector.processors.run import Indexes, Run
from fleetspan_routing.complexity import HARDNESS, TaskKind, classify, score

_SIMPLE: Final = 2
"""Hardness of the kinds of tasks that are simple: summaries, scans, checks, extraction,
documentation."""
_CHEAPER: Final = 0.7
_MOST: Final = 20


class OverpoweredModel:
    """Finds agents whose model is dearer than their task needs; see the module.

    Args:
        settings: Thresholds.
    """

    name = "overpowered_model"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._complexity = settings.detect_overpowered_model_complexity
        self._effort = settings.detect_overpowered_model_effort
        self._usd = settings.detect_overpowered_model_usd

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        cost = _cost_of_agents(run)
        # More than everything can never be saved.
        if not cost.sum() >= self._usd or not cost.sum() > 0:
            return
        groups: dict[tuple[str, str], list[int]] = {}
        for agent in np.flatnonzero(cost > 0).tolist():
            if self._simple(run, agent):
                name = agent_name(run, agent)
                for model, calls in _calls_by_model(run, agent).items():
                    groups.setdefault((name, model), []).extend(calls)
        dearest = sorted(groups.items(), key=lambda group: -_usd(run, group[1]))
        for (name, model), calls in dearest[:_MOST]:
            finding = self._of_group(run, name, model, np.sort(calls))
            if finding:
                yield finding

    def _simple(self, run: Run, agent: int) -> bool:
        """Whether the task looked simple, was simple, and went well."""
        complexity = complexity_of(run)
        before, effort = complexity.agents[agent], complexity.agent_efforts[agent]
        kind, looked = _looked(run, agent)
        return (
            bool(kind)
            and HARDNESS[kind] <= _SIMPLE
            # Without it the score is no more than a lower bound.
            and before.context is not None
            and looked <= self._complexity
            and not before.failures
            and effort is not None
            and effort <= self._effort
            and bool(run.agents.strings("Status")[agent] == "ok")
        )

    def _of_group(
        self, run: Run, name: str, model: str, calls: Indexes
    ) -> Finding | None:
        cheaper = _cheaper(run, calls)
        if cheaper is None:
            return None
        saved = what_if(run, Cheaper(calls=tuple(calls.tolist()), model=cheaper))
        if saved.saved_usd is None or not saved.saved_usd >= max(self._usd, 1e-9):
            return None
        agents = np.unique(run.tree.call_agent[calls]).tolist()
        complexity = complexity_of(run)
        looked = max(_looked(run, agent)[1] for agent in agents)
        took = max(complexity.agent_efforts[agent] or 0.0 for agent in agents)
        kind = str(_looked(run, agents[0])[0])
        share = saved.saved_usd / _usd(run, calls)
        who = name if len(agents) == 1 else f"{len(agents)} agents {name}"
        return Finding(
            location=f"{name}/{model}",
            severity=by_cost(run, saved.saved_usd, share),
            what=f"{who} did simple work ({kind.replace('_', ' ')}, complexity at most "
            f"{looked:.1f} and effort {took:.1f} of 10) with {model}; {cheaper} would "
            f"have cost {share:.0%} less.",
            advice=f"Give such tasks to {cheaper}, and to {model} only what fails there.",
            agents=tuple(agents),
            calls=tuple(calls.tolist()),
            seconds=0.0,
            usd=saved.saved_usd,
            details={
                "model": model,
                "cheaper_model": cheaper,
                "task_kind": kind,
                "complexity": looked,
                "effort": took,
                "share": round(share, 4),
            },
        )


def _looked(run: Run, agent: int) -> tuple[TaskKind, float]:
    """The kind of an agent's task, and how complex it looked, 0 to 10.

    What the task itself says goes before what the agent is called: a reviewer may be
    asked to list files.
    """
    before = complexity_of(run).agents[agent]
    kind = classify(run.agents.strings("Task")[agent]) or before.task_kind
    by_kind = score(None, kind, None, None).kind or 0.0
    return kind, (before.total or 0.0) - (before.kind or 0.0) + by_kind


def _cost_of_agents(run: Run) -> Floats:
    """What the calls of each agent cost; 0 where that is not known."""
    usd, agent = run.llm_calls.floats("CostUsd"), run.tree.call_agent
    owned = (agent >= 0) & (usd > 0)
    cost = np.zeros(run.agents.count)
    np.add.at(cost, agent[owned], usd[owned])
    return cost


def _calls_by_model(run: Run, agent: int) -> dict[str, list[int]]:
    """The calls of an agent that had tokens, by model; none if one of them failed."""
    calls = conversations_of(run).of_agent(agent)
    calls = calls[tokens_of(run).whole[calls] > 0]
    found: dict[str, list[int]] = {}
    if (run.llm_calls.strings("Error")[calls] != "").any():
        return found
    models = run.llm_calls.strings("Model")[calls].tolist()
    for model, call in zip(models, calls.tolist(), strict=True):
        found.setdefault(model, []).append(call)
    return found


def _usd(run: Run, calls: Sequence[int] | Indexes) -> float:
    return float(np.nansum(run.llm_calls.floats("CostUsd")[calls]))


def _cheaper(run: Run, calls: Indexes) -> str | None:
    """A model that would have made calls of one model for notably less."""
    columns = run.llm_calls
    mine = columns.strings("Model")[calls[0]]
    provider = columns.strings("Provider")[calls[0]]
    small = small_sibling(provider, mine)
    candidates = [small] if small else sorted({*columns.strings("Model")} - {mine, ""})
    tokens = tokens_of(run)
    billed = tokens.by_price(calls)
    largest = float(tokens.whole[calls].max())
    now = float(cost_of(run, calls, billed).sum())
    offers = []
    for model in candidates:
        if (context_window(provider, model) or largest) < largest:
            continue
        usd = float(cost_of(run, calls, billed, models=[model] * len(calls)).sum())
        if usd <= _CHEAPER * now:
            offers.append((usd, model))
    # The dearest of them is the least likely to be too weak.
    return max(offers)[1] if offers else None
