"""Runs that go through a store as OTLP, and what is found in them there and in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.analysis import Clock, analyse
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.registry import PROCESSORS
from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.analysing import Analysing
from tests.faults.as_otlp import Style, Told, as_otlp, together
from tests.faults.truth import Truth

_RIGHT: Final = 0.5
"""Share of a finding's evidence that has to lie at the planted place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A finding, by the ids that things have in the store.

    Attributes:
        detector: Who says so.
        agents: The agents that prove it.
        calls: The model calls.
        tools: The tool calls.
        agent: The agent that it is about.
        seconds: What the advice saves.
        usd: The same.
    """

    detector: str
    agents: frozenset[str]
    calls: frozenset[str]
    tools: frozenset[str]
    agent: str
    seconds: float | None
    usd: float | None

    def lies_at(self, truth: Truth, told: Told) -> bool:
        """Whether half of its evidence, or its agent, is where a fault was planted."""
        calls = {told.calls[each] for each in truth.calls}
        tools = {told.tools[each] for each in truth.tools}
        leaves = [(self.calls, calls), (self.tools, tools)]
        evidence = sum(len(ids) for ids, place in leaves if place)
        if evidence:
            right = sum(len(ids & place) for ids, place in leaves)
            return right / evidence >= _RIGHT
        return self.agent in {told.agents[each] for each in truth.agents}


def in_memory(run: Run, told: Told) -> list[Said]:
    """Return what all detectors find in a run that no store has seen."""
    settings = ProcessorSettings()
    clock = Clock()
    found = analyse(run, [make(settings) for make in PROCESSORS.values()], clock)
    assert clock.failures == []
    return [_said(run, told, name, finding) for name, finding in found.findings]


def take(made: Analysing, given: Iterable[tuple[str, Style, Run]]) -> list[Told]:
    """Put runs into a store, each as its tenant, and analyse them together.

    Args:
        made: The store.
        given: Tenant, who tells of the run, and the run.

    Returns:
        What was told of each, in the same order.
    """
    told = [(tenant, as_otlp(run, style)) for tenant, style, run in given]
    by_tenant: dict[str, list[Told]] = defaultdict(list)
    for tenant, each in told:
        by_tenant[tenant].append(each)
    windows = [
        window
        for tenant, some in by_tenant.items()
        for window in made.store.insert(together(some), tenant)
    ]
    made.derivation.derive(windows)
    made.analyse()
    return [each for _, each in told]


def in_store(made: Analysing) -> Mapping[tuple[str, str], list[Said]]:
    """Return all findings of a store, by tenant and run."""
    found: dict[tuple[str, str], list[Said]] = defaultdict(list)
    for row in made.rows("findings"):
        found[row["Tenant"], row["RunId"]].append(
            Said(
                detector=row["Detector"],
                agents=frozenset(row["AgentIds"]),
                calls=frozenset(row["CallIds"]),
                tools=frozenset(row["ToolCallIds"]),
                agent=row["AgentId"],
                seconds=row["Seconds"],
                usd=row["Usd"],
            )
        )
    return found


def looked_at(made: Analysing) -> Mapping[tuple[str, str], int]:
    """Return when runs were analysed, Unix nanoseconds, by tenant and run."""
    rows = made.store.rows(
        "run_analyses",
        columns="Tenant, RunId, toUnixTimestamp64Milli(AnalysedAt) AS at",
    )
    return {(row["Tenant"], row["RunId"]): int(row["at"]) * 10**6 for row in rows}


def pairs(
    memory: Collection[Said], store: Collection[Said]
) -> Iterator[tuple[Said, Said]]:
    """Yield what memory and store say of the same place, each once, in one order."""
    yield from zip(sorted(memory, key=_place), sorted(store, key=_place), strict=True)


def _place(said: Said) -> tuple[str, str, list[str], list[str]]:
    return said.detector, said.agent, sorted(said.calls), sorted(said.tools)


def _said(run: Run, told: Told, name: str, finding: Finding) -> Said:
    agents = _ids(run.agents.strings("AgentId"), finding.agents, told.agents)
    calls = _ids(run.llm_calls.strings("CallId"), finding.calls, told.calls)
    tools = _ids(run.tool_calls.strings("ToolCallId"), finding.tools, told.tools)
    tree = run.tree
    about = [
        *finding.agents[:1],
        *(int(tree.call_agent[row]) for row in finding.calls[:1]),
        *(int(tree.tool_agent[row]) for row in finding.tools[:1]),
    ]
    ids = run.agents.strings("AgentId")
    return Said(
        detector=name,
        agents=frozenset(agents),
        calls=frozenset(calls),
        tools=frozenset(tools),
        agent=next((told.agents[ids[row]] for row in about if row >= 0), ""),
        seconds=finding.seconds,
        usd=finding.usd,
    )


def _ids(ids: Any, rows: Collection[int], names: Mapping[str, str]) -> Iterator[str]:
    return (names[ids[row]] for row in rows)
