"""Every injector does what it says, and its truth is what the tables say."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.processors.run import UNKNOWN_NS, Run
from tests.faults import layout
from tests.faults.healthy import healthy
from tests.faults.inject import FAULTS, case
from tests.faults.loading import OWN, mini_swe
from tests.faults.plan import Plan
from tests.faults.truth import Case

_FAR_NS = 10 * 365 * 86_400_000_000_000


def _bases() -> list[Plan]:
    kinds = (
        "coder",
        "support",
        "research",
        "nested",
        "pipeline",
        "background",
        "batch",
    )
    return [*(healthy(7, kind) for kind in kinds), *list(mini_swe(OWN))[:3]]


@functools.cache
def _cases(detector: str, seeds: int = 2) -> list[Case]:
    """Return cases of a fault in every base that has a place for it."""
    tried = [case(detector, seed, base) for seed in range(seeds) for base in _bases()]
    found = [each for each in tried if each is not None]
    assert len(found) >= 3, detector
    return found


def _wall_s(run: Run) -> float:
    starts, ends = [], []
    for columns in (run.llm_calls, run.tool_calls):
        start = columns.nanoseconds("StartTime")
        starts.append(start)
        ends.append(start + np.nan_to_num(columns.floats("DurationMs") * 1e6))
    starts.append(run.agents.nanoseconds("StartTime"))
    ends.append(run.agents.nanoseconds("EndTime").astype(np.float64))
    return float(np.concatenate(ends).max() - np.concatenate(starts).min()) / 1e9


def _at(columns: Columns, key: str, ids: frozenset[str]) -> NDArray[np.int64]:
    return np.flatnonzero([each in ids for each in columns.strings(key)])


def _tools(each: Case) -> NDArray[np.int64]:
    return _at(each.faulty.tool_calls, "ToolCallId", each.truth.tools)


def _calls(each: Case) -> NDArray[np.int64]:
    return _at(each.faulty.llm_calls, "CallId", each.truth.calls)


def _seconds(columns: Columns) -> NDArray[np.float64]:
    return columns.floats("DurationMs") / 1e3


def _took(run: Run, agent: str) -> float:
    row = run.agents.strings("AgentId").tolist().index(agent)
    end = run.agents.nanoseconds("EndTime")[row]
    return float(end - run.agents.nanoseconds("StartTime")[row]) / 1e9


def _given(columns: Columns) -> NDArray[np.float64]:
    names = ("InputTokens", "CacheReadTokens", "CacheWriteTokens")
    whole: NDArray[np.float64] = sum(
        (np.nan_to_num(columns.floats(name)) for name in names),
        np.zeros(columns.count),
    )
    return whole


@pytest.mark.parametrize("detector", list(FAULTS))
def test_truth_is_the_difference_of_the_tables(detector: str) -> None:
    """Wall time and cost with the fault, less those without; the place is in the run."""
    for each in _cases(detector):
        truth, run = each.truth, each.faulty
        assert truth.detector == detector
        assert truth.agents | truth.calls | truth.tools
        assert truth.agents <= set(run.agents.strings("AgentId"))
        assert truth.calls <= set(run.llm_calls.strings("CallId"))
        assert truth.tools <= set(run.tool_calls.strings("ToolCallId"))
        if truth.judged:
            seconds = _wall_s(run) - _wall_s(each.healthy)
            usd = layout.usd(run) - layout.usd(each.healthy)
            assert truth.seconds == pytest.approx(seconds, abs=1e-4)
            assert truth.usd == pytest.approx(usd, abs=1e-12)


@pytest.mark.parametrize("detector", list(FAULTS))
def test_a_seed_gives_one_case_and_leaves_the_base_alone(detector: str) -> None:
    """The same seed plants the same fault; the plan that is handed in stays as it was."""
    for base in _bases()[:6]:
        kept = copy.deepcopy(base)
        first, again = case(detector, 5, base), case(detector, 5, base)
        assert base == kept
        assert (first is None) == (again is None)
        if first is not None and again is not None:
            assert first.truth == again.truth
            ours, theirs = first.faulty, again.faulty
            assert ours.tool_calls.table.equals(theirs.tool_calls.table)
            assert ours.llm_calls.table.equals(theirs.llm_calls.table)


def test_dominating_step() -> None:
    """One step has 45 to 80 % of the wall time and a minute at least."""
    for each in _cases("dominating_step"):
        run = each.faulty
        columns = run.llm_calls if each.truth.calls else run.tool_calls
        rows = _calls(each) if each.truth.calls else _tools(each)
        assert len(rows) == 1
        took_s = float(_seconds(columns)[rows[0]])
        assert took_s >= 60.0
        assert took_s == 60.0 or 0.4 < took_s / _wall_s(run) < 0.81
        # Something that works in the background may have lasted as long for a while.
        assert each.truth.seconds > 0.5 * took_s


def test_serialised_subagents() -> None:
    """No two of the siblings overlap; without the fault some did."""
    for each in _cases("serialised_subagents"):
        parent = each.faulty.agents.strings("ParentAgentId")
        chosen = [at for at in each.truth.agents if at in set(parent)]
        assert any(_apart(each.faulty, at) for at in chosen)
        assert not any(_apart(each.healthy, at) for at in chosen)
        assert each.truth.seconds >= 30.0
        assert each.truth.usd == pytest.approx(0.0)


def _apart(run: Run, parent: str) -> bool:
    """Whether an agent has three children or more, none of which overlap."""
    rows = np.flatnonzero(run.agents.strings("ParentAgentId") == parent)
    starts = run.agents.nanoseconds("StartTime")[rows]
    ends = run.agents.nanoseconds("EndTime")[rows]
    return len(rows) >= 3 and bool((starts[1:] >= ends[:-1]).all())


def test_straggler() -> None:
    """It takes at least 2.5 times as long as each of its siblings; nothing costs more."""
    for each in _cases("straggler"):
        (straggler,) = each.truth.agents
        agents = each.faulty.agents
        ids, parents = agents.strings("AgentId"), agents.strings("ParentAgentId")
        mine = parents[ids.tolist().index(straggler)]
        others = [each_id for each_id in ids[parents == mine] if each_id != straggler]
        longest = max(_took(each.faulty, other) for other in others)
        assert _took(each.faulty, straggler) > 2.4 * longest
        assert each.truth.usd == pytest.approx(0.0)


def test_rate_limit_wait() -> None:
    """Calls that were refused have no tokens; up to 240 s pass until the next try."""
    for each in _cases("rate_limit_wait"):
        calls = each.faulty.llm_calls
        failed = [row for row in _calls(each) if calls.strings("Error")[row]]
        assert failed
        assert np.isnan(calls.floats("OutputTokens")[failed]).all()
        assert -1.0 < each.truth.seconds < 260.0
        assert each.truth.usd == pytest.approx(0.0)
    alone = [each for each in _cases("rate_limit_wait") if each.origin == "mini_swe"]
    assert all(each.truth.seconds > 40.0 for each in alone)


def test_retry_storm() -> None:
    """8 to 30 failures in a row; where the stream broke, they are paid for."""
    for each in _cases("retry_storm", seeds=4):
        run = each.faulty
        if each.truth.variant == "tool":
            rows = _tools(each)
            assert (run.tool_calls.floats("Success")[rows] == 0).all()
            assert len(set(run.tool_calls.strings("ArgumentsHash")[rows])) == 1
        else:
            rows = _calls(each)
            hidden = run.llm_calls.integers("Attempts")[rows].sum() - len(rows)
            if each.truth.variant == "one call":
                assert 8 <= hidden <= 30
                assert len(rows) == 1
                continue
            assert hidden == 0
            assert (run.llm_calls.strings("Error")[rows] != "").all()
        assert 8 <= len(rows) <= 30
        assert (each.truth.usd > 1e-6) == (each.truth.variant == "billed calls")


def test_slower_than_usual() -> None:
    """All of what was chosen takes 3 to 7 times as long as without the fault."""
    for each in _cases("slower_than_usual"):
        for now, before, rows in (
            (each.faulty.llm_calls, each.healthy.llm_calls, _calls(each)),
            (each.faulty.tool_calls, each.healthy.tool_calls, _tools(each)),
        ):
            key = "CallId" if "CallId" in now.table.column_names else "ToolCallId"
            old = dict(zip(before.strings(key), _work_s(before), strict=True))
            ratios = [
                _work_s(now)[row] / old[now.strings(key)[row]]
                for row in rows
                if old[now.strings(key)[row]] > 0
            ]
            if ratios:
                assert max(ratios) - min(ratios) < 0.01
                assert 3.0 <= min(ratios) < 7.01


def _work_s(columns: Columns) -> NDArray[np.float64]:
    if "PermissionWaitMs" not in columns.table.column_names:
        return _seconds(columns)
    return _seconds(columns) - np.nan_to_num(columns.floats("PermissionWaitMs")) / 1e3


def test_stuck_agent() -> None:
    """It has not ended, and nothing has been heard for half an hour to three hours."""
    for each in _cases("stuck_agent", seeds=4):
        facts, context = each.faulty.facts, each.faulty.context
        silent_s = (context.now_ns - facts.last_activity_ns) / 1e9
        assert 1_800.0 <= silent_s <= 10_800.0
        wanted = "abandoned" if each.truth.variant == "abandoned" else "running"
        (stuck,) = each.truth.agents
        # A helper in the background may outlive the run.
        main = each.faulty.agents.strings("Status")[0]
        assert (facts.end_ns is None) == (main == wanted)
        assert facts.status == main
        row = each.faulty.agents.strings("AgentId").tolist().index(stuck)
        assert each.faulty.agents.strings("Status")[row] == wanted
        hanging = np.isnan(each.faulty.tool_calls.floats("DurationMs")[_tools(each)])
        assert hanging.all()
        assert len(hanging) == (each.truth.variant == "tool hangs")


def test_runaway_fanout() -> None:
    """200 to 900 more agents, or a chain of 20 to 60."""
    for each in _cases("runaway_fanout"):
        more = each.faulty.agents.count - each.healthy.agents.count
        deeper = each.faulty.tree.depth.max() - each.healthy.tree.depth.max()
        if each.truth.variant == "deep":
            assert 20 <= more <= 60
            assert more - 1 <= deeper <= more
        else:
            assert 200 <= more <= 900
            assert deeper == 0
        assert each.truth.usd > 0 or each.faulty.facts.open


def test_no_progress_loop() -> None:
    """One or two calls again and again, with one result or error each."""
    for each in _cases("no_progress_loop", seeds=4):
        tools, rows = each.faulty.tool_calls, _tools(each)
        pairs = {
            (
                tools.strings("ArgumentsHash")[row],
                tools.strings("ResultHash")[row],
                tools.strings("Error")[row],
            )
            for row in rows
        }
        assert len(pairs) == (2 if each.truth.variant == "cycle" else 1)
        # The first time is at the place, but it is not what costs.
        assert len(_calls(each)) == len(rows) - len(pairs)
        assert len(rows) / len(pairs) >= 4
        assert each.truth.usd > 0 or each.faulty.facts.open


def test_failing_tool() -> None:
    """4 to 12 calls of one tool that all fail with one error, no two the same."""
    for each in _cases("failing_tool"):
        tools, rows = each.faulty.tool_calls, _tools(each)
        assert 4 <= len(rows) <= 12
        assert len(set(tools.strings("Tool")[rows])) == 1
        assert len(set(tools.strings("ArgumentsHash")[rows])) == len(rows)
        assert (tools.floats("Success")[rows] == 0).all()
        others = tools.strings("Tool") == tools.strings("Tool")[rows[0]]
        assert others.sum() - len(rows) <= 1


def test_context_growth() -> None:
    """The last input has 130,000 tokens or more; without the fault at most 60,000."""
    for each in _cases("context_growth"):
        rows = _calls(each)
        grown = _given(each.faulty.llm_calls)[rows]
        ids = each.healthy.llm_calls.strings("CallId").tolist()
        named = each.faulty.llm_calls.strings("CallId")[rows]
        held = _given(each.healthy.llm_calls)[[ids.index(name) for name in named]]
        assert 130_000 <= grown.max() <= 190_000
        assert held.max() <= 60_000
        assert each.truth.usd > 0


def test_broken_cache() -> None:
    """Calls that read 6,000 tokens or more read none; the input is no larger."""
    for each in _cases("broken_cache"):
        now, before, rows = each.faulty.llm_calls, each.healthy.llm_calls, _calls(each)
        assert (now.floats("CacheReadTokens")[rows] == 0).all()
        assert (before.floats("CacheReadTokens")[rows] >= 6_000).all()
        assert (_given(now) == _given(before)).all()
        assert each.truth.usd >= 0.03
        assert each.truth.seconds == 0.0


def test_oversized_output() -> None:
    """One result of 70 to 300 kB, which every later call carries."""
    for each in _cases("oversized_output"):
        tools = each.faulty.tool_calls
        (row,) = _tools(each)
        assert 70_000 <= tools.floats("ResultBytes")[row] <= 300_000
        more = _given(each.faulty.llm_calls) - _given(each.healthy.llm_calls)
        added = set(more[_calls(each)].tolist())
        assert len(added) == 1
        assert 11_000 < added.pop() < 75_001
        assert np.count_nonzero(more) == len(each.truth.calls)


def test_overpowered_model() -> None:
    """Simple tasks of a few calls, with a model that costs several times as much."""
    for each in _cases("overpowered_model"):
        names = each.faulty.agents.strings("AgentId")
        rows = _at(each.faulty.agents, "AgentId", each.truth.agents)
        tasks = set(each.faulty.agents.strings("Task")[rows])
        assert len(tasks) == 1
        assert len(tasks.pop()) < 60
        assert len(names) >= len(rows)
        dear = each.faulty.llm_calls.floats("CostUsd")[_calls(each)].sum()
        cheap = each.healthy.llm_calls.floats("CostUsd")[_calls(each)].sum()
        assert dear > 3 * cheap


def test_broken_trace() -> None:
    """Each of six kinds of damage is there to see."""
    seen = set()
    for each in _cases("broken_trace", seeds=6):
        run, variant = each.faulty, each.truth.variant
        seen.add(variant)
        start = run.tool_calls.nanoseconds("StartTime")
        if variant == "cycle of parents":
            assert len(run.tree.cyclic) == 2
        elif variant == "parent that never came":
            assert len(run.tree.orphans) == 1
        elif variant == "end before start":
            assert (_seconds(run.llm_calls) < 0).sum() >= 2
        elif variant == "1970 or 2100":
            far = np.abs(start - np.median(start)) > _FAR_NS
            assert far.sum() == len(each.truth.tools)
        elif variant == "never ended":
            assert np.isnan(_seconds(run.tool_calls)[_tools(each)]).all()
        else:
            (child,) = each.truth.agents
            row = run.agents.strings("AgentId").tolist().index(child)
            (spawn,) = _tools(each)
            begun = int(run.agents.nanoseconds("StartTime")[row])
            done = int(start[spawn] + run.tool_calls.floats("DurationMs")[spawn] * 1e6)
            assert begun != UNKNOWN_NS
            assert not start[spawn] <= begun <= done
    assert len(seen) == 6
