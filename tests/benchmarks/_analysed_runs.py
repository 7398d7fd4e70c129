"""Runs of a given size as canonical rows, for the analysis part."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fleetspan_collector.store._engine import Engine

_SPANS_OF_AN_AGENT: Final = 25
_CALL_NS: Final = 3_000_000_000
_TOOL_NS: Final = 1_500_000_000
_HOUR_NS: Final = 3_600_000_000_000
_MODELS: Final = np.array(["claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5"])
_TOOLS: Final = np.array(["Read", "Bash", "Grep", "Edit", "WebFetch"])


def fill(engine: Engine, runs: int, spans: int, *, seed: int = 1) -> int:
    """Write canonical rows of ended runs.

    Of a run's spans, one in 25 is an agent: a main agent, and sub-agents that its tool
    calls start one after the other or side by side. Each agent asks its model and uses a
    tool in turns; contexts grow and are read from the cache.

    Args:
        engine: A migrated store.
        runs: How many runs.
        spans: Agents, calls and tool calls of each.
        seed: Of durations, tokens and results.

    Returns:
        How many rows were written, but for those of runs.
    """
    rng = np.random.default_rng(seed)
    agents = max(1, spans // _SPANS_OF_AN_AGENT)
    turns = max(1, (spans - agents) // (2 * agents))
    # All end within the last hours, so that they are of one or two partitions.
    first_ns = (time.time_ns() // _HOUR_NS - 4) * _HOUR_NS
    begin = first_ns + np.arange(runs) * (2 * _HOUR_NS // max(runs, 1))
    version = time.time_ns()

    run_of_agent = np.repeat(np.arange(runs), agents)
    number = np.tile(np.arange(agents), runs)
    agent_ns = turns * (_CALL_NS + _TOOL_NS)
    # The main agent first; of the others three start together.
    start_of_agent = begin[run_of_agent] + np.where(
        number == 0, 0, ((number + 2) // 3) * agent_ns // max(agents, 1)
    )
    step = np.tile(np.arange(turns), runs * agents)
    agent_of_step = np.repeat(np.arange(runs * agents), turns)
    jitter = rng.lognormal(0, 0.3, len(step))
    call_start = start_of_agent[agent_of_step] + step * (_CALL_NS + _TOOL_NS)
    call_ms = np.minimum(_CALL_NS * jitter, _CALL_NS) / 1e6
    tool_start = call_start + _CALL_NS
    tool_ms = np.minimum(_TOOL_NS * jitter, _TOOL_NS) / 1e6

    run_of_step = run_of_agent[agent_of_step]
    common = _Common(begin, version)
    engine.insert_arrow(
        "canonical_agents",
        common.table(
            run_of_agent,
            AgentId=_names("agent", run_of_agent, number),
            ParentAgentId=pa.array(
                np.where(number == 0, "", _names("agent", run_of_agent, 0 * number)),
                pa.string(),
                mask=number == 0,
            ),
            SpawnToolCallId=pa.array(
                np.where(
                    number == 0,
                    "",
                    _names("tool", run_of_agent * agents, number % turns),
                ),
                pa.string(),
                mask=number == 0,
            ),
            Name=np.where(number == 0, "lead", "worker"),
            Type=np.where(number == 0, "lead", "worker"),
            Model=_MODELS[number % 3],
            Task=np.full(len(number), "fix the failing test in the checkout module"),
            SpanId=_names("a", run_of_agent, number),
            StartTime=_times(start_of_agent),
            EndTime=_times(start_of_agent + agent_ns),
            LastActivity=_times(start_of_agent + agent_ns),
            Status=np.full(len(number), "ok"),
            Activations=np.ones(len(number), np.uint32),
        ),
    )
    cached = 4_000 + step * 900
    engine.insert_arrow(
        "canonical_llm_calls",
        common.table(
            run_of_step,
            CallId=_names("call", agent_of_step, step),
            AgentId=_names("agent", run_of_step, agent_of_step % agents),
            Model=_MODELS[agent_of_step % agents % 3],
            Provider=np.where(agent_of_step % agents % 3 == 2, "openai", "anthropic"),
            InputTokens=rng.integers(50, 300, len(step)),
            CacheReadTokens=cached,
            CacheWriteTokens=np.full(len(step), 900),
            OutputTokens=rng.integers(50, 600, len(step)),
            CostUsd=rng.lognormal(-4.5, 0.5, len(step)),
            SpanId=_names("c", agent_of_step, step),
            StartTime=_times(call_start),
            DurationMs=call_ms,
            Attempts=np.ones(len(step), np.uint32),
            FinishReason=np.full(len(step), "tool_use"),
        ),
    )
    engine.insert_arrow(
        "canonical_tool_calls",
        common.table(
            run_of_step,
            ToolCallId=_names("tool", agent_of_step, step),
            AgentId=_names("agent", run_of_step, agent_of_step % agents),
            Tool=_TOOLS[rng.integers(0, len(_TOOLS), len(step))],
            ArgumentsHash=_hashes(rng, len(step)),
            ResultHash=_hashes(rng, len(step)),
            ResultBytes=rng.integers(100, 8_000, len(step)),
            SpanId=_names("t", agent_of_step, step),
            StartTime=_times(tool_start),
            DurationMs=tool_ms,
            Success=(rng.random(len(step)) > 0.03).astype(np.uint8),
        ),
    )
    everyone = np.arange(runs)
    end = begin + ((agents + 2) // 3 + agents) * agent_ns // max(agents, 1) + agent_ns
    engine.insert_arrow(
        "canonical_runs",
        common.table(
            everyone,
            Name=np.full(runs, "bench"),
            Status=np.full(runs, "ok"),
            StartTime=_times(begin),
            EndTime=_times(end),
            LastActivity=_times(end),
            Agents=np.full(runs, agents, np.uint32),
            LlmCalls=np.full(runs, agents * turns, np.uint32),
            ToolCalls=np.full(runs, agents * turns, np.uint32),
        ),
    )
    return len(number) + 2 * len(step)


class _Common:
    """The columns that all canonical tables have."""

    def __init__(self, begin: np.ndarray[Any, Any], version: int) -> None:
        self._hours = begin // _HOUR_NS * 3600
        self._version = version

    def table(self, run: np.ndarray[Any, Any], **columns: Any) -> pa.Table:
        count = len(run)
        trace = _names("", run, None)
        return pa.table(
            {
                "Tenant": pa.array([""] * count),
                "RunId": pa.array(np.char.add("run-", trace)),
                "SessionId": pa.array(np.char.add("session-", trace)),
                "TraceId": pa.array(trace),
                "Service": pa.array(["bench"] * count),
                "Bucket": pa.array(self._hours[run], pa.int64()).cast(
                    pa.timestamp("s")
                ),
                "Version": pa.array(np.full(count, self._version, np.uint64)),
                "IsDeleted": pa.array(np.zeros(count, np.uint8)),
                **columns,
            }
        )


def _names(
    kind: str, first: np.ndarray[Any, Any], second: np.ndarray[Any, Any] | None
) -> np.ndarray[Any, Any]:
    if second is None:
        return np.char.mod("%032x", first)
    head = np.char.mod(f"{kind}-%d-", first)
    return np.char.add(head, np.char.mod("%d", second))


def _times(nanoseconds: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(nanoseconds.astype(np.int64), pa.int64()).cast(pa.timestamp("ns"))


def _hashes(rng: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    return np.char.mod("%016x", rng.integers(0, 2**62, count))
