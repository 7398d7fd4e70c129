"""Detectors of content, tokens and data answer to whatever telemetry says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.processor import Processor
from fleetspan_collector.processors.registry import PROCESSORS
from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.building import Building

NAMES: Final = (
    "broken_cache",
    "broken_trace",
    "context_growth",
    "failing_tool",
    "no_progress_loop",
    "overpowered_model",
    "oversized_output",
)
# Everything that costs anything is told, so that all code runs on small runs.
SETTINGS: Final = ProcessorSettings(
    detect_broken_cache_prefix_tokens=10,
    detect_broken_cache_usd=0.0,
    detect_broken_cache_share=0.0,
    detect_context_growth_tokens=1_000,
    detect_context_growth_level_tokens=500,
    detect_context_growth_usd=0.0,
    detect_context_growth_share=0.0,
    detect_failing_tool_failures=1,
    detect_no_progress_loop_times=2,
    detect_overpowered_model_complexity=10.0,
    detect_overpowered_model_effort=10.0,
    detect_overpowered_model_usd=0.0,
    detect_oversized_output_tokens=10,
    detect_oversized_output_usd=0.0,
    detect_oversized_output_share=0.0,
)
AGENTS: Final = ("main", "one", "two")
TIMES: Final = st.one_of(
    st.integers(0, 200).map(float),
    st.sampled_from([-1_790_000_000.0, 2_312_444_800.0]),
)
TOKENS: Final = st.one_of(st.none(), st.integers(0, 3_000), st.just(10**12))
SECONDS: Final = st.one_of(st.none(), st.floats(-5, 60))

CALLS: Final = st.fixed_dictionaries(
    {
        "InputTokens": TOKENS,
        "CacheReadTokens": TOKENS,
        "CacheWriteTokens": TOKENS,
        "CacheWrite1hTokens": TOKENS,
        "OutputTokens": TOKENS,
        "CostUsd": st.one_of(st.none(), st.floats(0, 5)),
        "Model": st.sampled_from(["", "claude-opus-4-5", "gpt-5", "no-such"]),
        "Provider": st.sampled_from(["", "anthropic", "openai"]),
        "Error": st.sampled_from(["", "", "overloaded"]),
    }
)
TOOLS: Final = st.fixed_dictionaries(
    {
        "ArgumentsHash": st.sampled_from(["", "a", "b"]),
        "ResultHash": st.sampled_from(["", "r", "s"]),
        "ResultBytes": TOKENS,
        "Success": st.sampled_from([None, 0, 1]),
        "Error": st.sampled_from(["", "failed 12", "failed 13"]),
        "tool": st.sampled_from(["Bash", "", "Read"]),
    }
)
OWNERS: Final = st.sampled_from([*AGENTS, "unheard-of", ""])


@st.composite
def buildings(draw: st.DrawFn) -> Building:
    """Draw a run: agents in any relation, calls and tool calls of anybody."""
    made = Building()
    for name in AGENTS[: draw(st.integers(0, 3))]:
        start = draw(TIMES)
        end = draw(st.one_of(st.none(), TIMES))
        parent = draw(st.sampled_from([None, *AGENTS, "nobody"]))
        spawned = draw(st.sampled_from([None, "tool-1", "tool-9"]))
        task = draw(st.sampled_from(["", "Summarise this log."]))
        made.agent(name, start, end, parent=parent, spawned_by=spawned, Task=task)
    for billed in draw(st.lists(CALLS, max_size=12)):
        _add_call(made, draw(OWNERS), draw(TIMES), draw(SECONDS), billed)
    for told in draw(st.lists(TOOLS, max_size=12)):
        _add_tool(made, draw(OWNERS), draw(TIMES), draw(SECONDS), told)
    return made


def _add_call(
    made: Building, owner: str, at: float, took: float | None, given: Mapping[str, Any]
) -> None:
    made.call(owner, at, took, **given)


def _add_tool(
    made: Building, owner: str, at: float, took: float | None, given: Mapping[str, Any]
) -> None:
    made.tool(owner, at, took, **given)


def looked_at(processor: Processor, run: Run) -> list[tuple[object, ...]]:
    """Check the findings of a run; return what tells them apart."""
    findings = list(processor.findings(run))
    locations = [finding.location for finding in findings]
    assert len(set(locations)) == len(locations)
    for finding in findings:
        assert finding.what.endswith(".")
        assert finding.advice.endswith(".")
        assert all(0 <= row < run.agents.count for row in finding.agents)
        assert all(0 <= row < run.llm_calls.count for row in finding.calls)
        assert all(0 <= row < run.tool_calls.count for row in finding.tools)
        assert finding.agents or finding.calls or finding.tools
        for saving in (finding.seconds, finding.usd):
            assert saving is None or math.isfinite(saving)
    return [
        (each.location, each.what, each.seconds, each.usd, each.calls, each.tools)
        for each in findings
    ]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(made=buildings())
def test_findings_are_well_formed_and_the_same_each_time(
    name: str, made: Building
) -> None:
    """Unknown numbers, cycles, negative durations, 1970, 2100: always an answer."""
    processor = PROCESSORS[name](SETTINGS)
    assert looked_at(processor, made.run()) == looked_at(processor, made.run())


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_run_has_no_findings(name: str) -> None:
    """Nothing is known of it."""
    assert looked_at(PROCESSORS[name](ProcessorSettings()), Building().run()) == []
