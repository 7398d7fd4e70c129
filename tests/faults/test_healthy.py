from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from fleetspan_collector.processors.run import Run
from tests.faults.healthy import KINDS, healthy
from tests.faults.history import baselines_of
from tests.faults.layout import run_of


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_seed_gives_one_run(kind: str) -> None:
    """The same seed gives the same rows; another seed gives others."""
    first, again, other = (run_of(healthy(seed, kind)) for seed in (1, 1, 2))
    assert first.llm_calls.table.equals(again.llm_calls.table)
    assert first.tool_calls.table.equals(again.tool_calls.table)
    assert not first.llm_calls.table.equals(other.llm_calls.table)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_answered_call_has_a_price(kind: str) -> None:
    """Only calls that were refused cost nothing."""
    run = run_of(healthy(3, kind))
    refused = run.llm_calls.strings("Error") != ""
    priced = ~np.isnan(run.llm_calls.floats("CostUsd"))
    assert (priced == ~refused).all()


@pytest.mark.parametrize("kind", list(KINDS))
def test_caches_are_read(kind: str) -> None:
    """After an agent's first two calls three quarters of the input come from caches."""
    read, given = 0.0, 0.0
    for seed in range(5):
        calls = run_of(healthy(seed, kind)).llm_calls
        rows = _later_rows(calls.strings("AgentId").tolist())
        read += np.nansum(calls.floats("CacheReadTokens")[rows])
        for name in ("InputTokens", "CacheReadTokens", "CacheWriteTokens"):
            given += np.nansum(calls.floats(name)[rows])
    assert read / given > 0.75


def test_equal_commands_with_other_results() -> None:
    """A coder runs the same tests again and again, and they say something else."""
    tools = run_of(healthy(1, "coder")).tool_calls
    times = Counter(tools.strings("ArgumentsHash").tolist())
    repeated, count = times.most_common(1)[0]
    assert count >= 2
    rows = tools.strings("ArgumentsHash") == repeated
    assert len(set(tools.strings("ResultHash")[rows])) == count


def test_siblings_overlap_and_differ_moderately() -> None:
    """Researchers work side by side; none takes twice as long as the middle one."""
    for seed in range(10):
        took = _took(run_of(healthy(seed, "research")), "researcher")
        assert len(took) >= 3
        assert took.max() < 2.2 * np.median(took)


def test_stages_follow_each_other() -> None:
    """Planner, builder and reviewer do not overlap: each needs the one before."""
    run = run_of(healthy(1, "pipeline"))
    ends = run.agents.nanoseconds("EndTime")[1:]
    starts = run.agents.nanoseconds("StartTime")[1:]
    assert run.agents.strings("Name").tolist()[1:] == ["planner", "builder", "reviewer"]
    assert (starts[1:] > ends[:-1]).all()


def test_what_has_been_usual() -> None:
    """Baselines are quantiles over all agents of a name, calls of a tool, and so on."""
    runs = [run_of(healthy(seed, "research")) for seed in range(9)]
    usual = baselines_of(runs)
    known = usual.of("run", "research")
    walls = sorted(
        (run.facts.last_activity_ns - run.facts.start_ns) / 1e9 for run in runs
    )
    assert known is not None
    assert (known.samples, known.runs, known.p50) == (9, 9, walls[4])
    took = np.concatenate([_took(run, "researcher") for run in runs])
    agents = usual.of("agent", "researcher")
    assert agents is not None
    assert agents.samples == len(took)
    assert agents.p95 == pytest.approx(float(np.quantile(took, 0.95)))


def _took(run: Run, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    agents = run.agents
    took = agents.nanoseconds("EndTime") - agents.nanoseconds("StartTime")
    named: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        took[agents.strings("Name") == name] / 1e9
    )
    return named


def _later_rows(owners: list[str]) -> list[int]:
    seen: Counter[str] = Counter()
    rows = []
    for row, owner in enumerate(owners):
        seen[owner] += 1
        if seen[owner] > 2:
            rows.append(row)
    return rows
