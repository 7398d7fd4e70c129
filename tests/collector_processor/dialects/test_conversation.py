"""One conversation, recorded from the real packages in every convention.

A lead agent asks for the weather with a tool, then asks the researcher, an agent behind
a tool, then answers: four calls, two tools, two agents (`record/provider.py`). What a
convention does not tell is written down as a difference from the others.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from fleetspan_collector._signals import Signal, Submission
from tests.collector_processor.dialects import recordings
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.running import Collector

pytestmark = pytest.mark.integration

# Owner, input without cache, cache reads, cache writes, output, reasoning.
_ANTHROPIC: Final = (
    ("lead", 200, 1000, 400, 40, 0),
    ("lead", 120, 1400, 0, 35, 0),
    ("researcher", 150, 0, 0, 25, 0),
    ("lead", 90, 1500, 0, 55, 0),
)
# OpenAI has no cache writes: what is written is input like any other.
_OPENAI: Final = (
    ("lead", 600, 1000, 0, 40, 0),
    ("lead", 120, 1400, 0, 35, 0),
    ("researcher", 150, 0, 0, 25, 0),
    ("lead", 90, 1500, 0, 55, 20),
)
_CLAUDE: Final = "claude-sonnet-4-5-20250929"
_GPT: Final = "gpt-5-mini-2025-08-07"
_AGENTS: Final = (("lead", None), ("researcher", "lead"))
_TOOLS: Final = (("lead", "get_weather", 1), ("lead", "ask_researcher", 1))
# One hash of the same arguments, whatever blanks the JSON has.
_HASHES: Final = ("379fb5a5a08b5887", "f99aef1772c5a11c")
_FINISH: Final = {
    "": ("", "", "", ""),
    "tool_calls": ("tool_calls", "tool_calls", "stop", "stop"),
    "tool_call": ("tool_call", "tool_call", "stop", "stop"),
    "tool-calls": ("tool-calls", "tool-calls", "stop", "stop"),
    "tool_use": ("tool_use", "tool_use", "end_turn", "end_turn"),
    "stop": ("stop", "stop", "stop", "stop"),
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a recording tells beyond owners and tokens.

    Attributes:
        cost_usd: Of the four calls. Writes to the cache of unknown lifetime are priced
            as 5-minute ones, so Anthropic's cost more where the lifetime is told.
        lifetimes: 5-minute and 1-hour writes of the first call.
        finish: Why the model stopped, in the source's words.
        ids: How response ids begin; none where "".
        requests: Whether requests have ids.
        tier: Service tier.
        session: Of the run.
        user: Of the run.
        call_ids: The model's ids of the tool calls; none where "".
        hashes: Of the arguments of the tool calls.
        result_bytes: Of their results, as the source writes them.
        reported_usd: What the source says the run cost.
        model: Of all calls.
        provider: Of all calls.
        calls: As above.
        agents: Name and parent, in the order of starting.
        tools: Owner, name and success, in the order of starting.
    """

    calls: tuple[tuple[Any, ...], ...] = _ANTHROPIC
    model: str = _CLAUDE
    provider: str = "anthropic"
    cost_usd: float | None = 0.006675
    lifetimes: tuple[int | None, int | None] = (None, None)
    finish: str = ""
    ids: str = "msg_"
    requests: bool = False
    tier: str = ""
    session: str = "session-1"
    user: str = ""
    call_ids: str = "toolu_lead-"
    hashes: tuple[str, str] = _HASHES
    result_bytes: tuple[int | None, int | None] = (20, 41)
    reported_usd: float | None = None
    agents: tuple[tuple[str, str | None], ...] = _AGENTS
    tools: tuple[tuple[str, str, int], ...] = _TOOLS


def _openai(**given: Any) -> Told:
    plain = {
        "calls": _OPENAI,
        "model": _GPT,
        "provider": "openai",
        "cost_usd": 0.0006475,
        "lifetimes": (0, 0),
        "ids": "chatcmpl-",
        "call_ids": "call_lead-",
    }
    return Told(**{**plain, **given})


def _split(**given: Any) -> Told:
    return Told(**{"cost_usd": 0.0069, "lifetimes": (300, 100), **given})


# Without arguments or results, which Strands has as span events and others not at all.
_NO_CONTENT: Final[dict[str, Any]] = {
    "hashes": ("", ""),
    "result_bytes": (None, None),
}
# OpenLLMetry records a function's arguments as it was called, results as JSON.
_TRACELOOP: Final[dict[str, Any]] = {
    "user": "user-1",
    "call_ids": "",
    "hashes": ("256355038f9751a8", "5a759ac9b1108a4d"),
    "result_bytes": (22, 43),
    "finish": "tool_call",
}
_VERCEL: Final[dict[str, Any]] = {
    "user": "user-1",
    "finish": "tool-calls",
    "result_bytes": (22, 43),
}
# Its spans for agents and tools say nothing of what they are.
_NO_AGENTS: Final[dict[str, Any]] = {
    "agents": (),
    "tools": (),
    "session": "",
    "call_ids": "",
}

EXPECTED: Final[dict[str, Told]] = {
    "otel_genai/openai": _openai(finish="tool_calls", tier="default"),
    "otel_genai/openai-responses": _openai(
        finish="tool_calls", tier="default", ids="resp_"
    ),
    "otel_genai/anthropic": Told(finish="tool_call"),
    "otel_genai/anthropic-layers": _split(
        finish="tool_use", requests=True, tier="standard"
    ),
    # That generation had no names for cached or reasoning tokens.
    "otel_genai_v1_36/openai": _openai(
        calls=(
            ("lead", 1600, 0, 0, 40, 0),
            ("lead", 1520, 0, 0, 35, 0),
            ("researcher", 150, 0, 0, 25, 0),
            ("lead", 1590, 0, 0, 55, 0),
        ),
        cost_usd=0.001525,
        finish="tool_calls",
        **_NO_CONTENT,
    ),
    "openinference/openai": _openai(finish="tool_calls", ids="", user="user-1"),
    "openinference/anthropic": Told(finish="tool_use", ids="", user="user-1"),
    "openinference_agents/openai-responses": _openai(
        finish="stop",
        ids="",
        user="user-1",
        call_ids="",
        # The framework names the argument of an agent as a tool.
        hashes=("379fb5a5a08b5887", "4c6f9075336c3fdd"),
    ),
    "openllmetry/openai": _openai(tier="default", **_TRACELOOP),
    "openllmetry/anthropic": Told(**_TRACELOOP),
    "vercel/openai": _openai(tier="default", ids="resp_", **_VERCEL),
    "vercel/anthropic": _split(tier="standard", **_VERCEL),
    "vercel/own-openai": _openai(tier="default", ids="resp_", **_VERCEL),
    "vercel/own-anthropic": _split(tier="standard", **_VERCEL),
    "langfuse/openai": _openai(
        provider="", finish="", ids="", user="user-1", call_ids=""
    ),
    "langfuse/anthropic": Told(
        provider="", finish="", ids="", user="user-1", call_ids="", reported_usd=0.012
    ),
    "pydantic_ai/openai": _openai(finish="tool_call", reported_usd=0.0006475),
    "pydantic_ai/anthropic": _split(finish="tool_call", reported_usd=0.0069),
    # Its tool runner is an agent without a name.
    "anthropic/anthropic": _split(
        finish="tool_use",
        requests=True,
        tier="standard",
        calls=tuple(("anthropic.messages.tool_runner", *c[1:]) for c in _ANTHROPIC),
        agents=(
            ("anthropic.messages.tool_runner", None),
            ("anthropic.messages.tool_runner", "anthropic.messages.tool_runner"),
        ),
        tools=tuple(("anthropic.messages.tool_runner", *t[1:]) for t in _TOOLS),
        **_NO_CONTENT,
    ),
    "anthropic/anthropic-api": _split(
        finish="tool_use", requests=True, tier="standard"
    ),
    # No reasoning, provider, response or finish reason among its attributes.
    "strands/openai": _openai(
        calls=tuple((*call[:5], 0) for call in _OPENAI),
        model="gpt-5-mini",
        provider="",
        ids="",
        user="user-1",
        **_NO_CONTENT,
    ),
    "strands/anthropic": Told(
        model="claude-sonnet-4-5", provider="", ids="", user="user-1", **_NO_CONTENT
    ),
    # A conversation is named by its first response; a result is told twice over.
    "agent_framework/openai": _openai(
        finish="tool_calls", ids="resp_", session="resp_0001", result_bytes=(20, 82)
    ),
    "agent_framework/anthropic": Told(finish="tool_calls", session=""),
    # LiteLLM counts reasoning as output, and this adds it once more.
    "google_adk/openai": _openai(
        calls=(*_OPENAI[:3], ("lead", 90, 1500, 0, 75, 20)),
        model="gpt-5-mini",
        cost_usd=0.0006875,
        finish="stop",
        ids="",
        tools=(("lead", "get_weather", 1), ("lead", "researcher", 1)),
        **_NO_CONTENT,
    ),
    "openlit/openai": _openai(
        calls=tuple(("", *call[1:5], 0) for call in _OPENAI),
        finish="tool_calls",
        tier="default",
        **_NO_AGENTS,
    ),
    "openlit/anthropic": Told(
        calls=tuple(("", *call[1:]) for call in _ANTHROPIC),
        finish="tool_use",
        **_NO_AGENTS,
    ),
    "openlit_coding/anthropic": Told(
        # Spans of calls do not say whose they are.
        calls=tuple(("claude-code", *call[1:]) for call in _ANTHROPIC),
        agents=(("claude-code", None), ("researcher", "claude-code")),
        tools=(("claude-code", "get_weather", 1), ("claude-code", "Task", 1)),
        finish="tool_use",
        user="user-1",
        reported_usd=0.004,
        result_bytes=(None, None),
    ),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store with every recording in it, each under a tenant of its name."""
    with embedded(tmp_path_factory.mktemp("dialects")) as store:
        *others, last = recordings.names()
        # One segment and one window for all: a statement each would take a minute.
        for name in others:
            submission = Submission(
                signal=Signal.TRACES,
                tenant=name,
                payload=recordings.load(name).SerializeToString(),
                rows=1,
                record_id=os.urandom(16),
            )
            store.journal.append(submission)
        windows = store.insert([recordings.load(last)], tenant=last)
        assert len(windows) == 1
        _, failed = store.derivation.derive(windows)
        assert not failed
        yield store


def test_every_recording_is_expected() -> None:
    """A recording that nothing is expected of would test nothing."""
    assert set(recordings.names()) == {*EXPECTED, "openinference_agents/hand-off"} | {
        "openllmetry/anthropic-layers"
    }


def _rows(store: Embedded, table: str, tenant: str) -> list[dict[str, Any]]:
    rows = store.rows(table, f"Tenant = '{tenant}'")
    return sorted(rows, key=lambda row: row["StartTime"])


def _names(store: Embedded, tenant: str) -> dict[str, str]:
    """Names of agents by their ids."""
    found = {row["AgentId"]: row["Name"] for row in _rows(store, "agents", tenant)}
    return {"": "", **found}


@pytest.mark.parametrize("recording", sorted(EXPECTED))
def test_calls(store: Embedded, recording: str) -> None:
    """The same calls, tokens by kind and cost, whatever names they come under."""
    told = EXPECTED[recording]
    names = _names(store, recording)
    rows = _rows(store, "llm_calls", recording)
    vectors = tuple(
        (
            names[row["AgentId"]],
            row["InputTokens"],
            row["CacheReadTokens"],
            row["CacheWriteTokens"],
            row["OutputTokens"],
            row["ReasoningTokens"],
        )
        for row in rows
    )
    assert vectors == told.calls
    assert {(row["Provider"], row["Model"]) for row in rows} == {
        (told.provider, told.model)
    }
    lifetimes = [(r["CacheWrite5mTokens"], r["CacheWrite1hTokens"]) for r in rows]
    assert lifetimes == [told.lifetimes, (0, 0), (0, 0), (0, 0)]
    assert tuple(row["FinishReason"] for row in rows) == _FINISH[told.finish]
    ids = [row["ResponseId"] for row in rows]
    assert len(set(ids)) == (4 if told.ids else 1)
    assert all(
        each.startswith(told.ids) and bool(each) == bool(told.ids) for each in ids
    )


@pytest.mark.parametrize("recording", sorted(EXPECTED))
def test_agents_and_tools(store: Embedded, recording: str) -> None:
    """The same agents under each other, and the same tool calls of theirs."""
    told = EXPECTED[recording]
    names = _names(store, recording)
    agents = _rows(store, "agents", recording)
    parents = [row["ParentAgentId"] for row in agents]
    assert (
        tuple(
            (row["Name"], names[parent] if parent else None)
            for row, parent in zip(agents, parents, strict=True)
        )
        == told.agents
    )
    tools = _rows(store, "tool_calls", recording)
    owned = tuple((names[r["AgentId"]], r["Tool"], r["Success"]) for r in tools)
    assert owned == told.tools
    if told.tools:
        assert tuple(row["ArgumentsHash"] for row in tools) == told.hashes
        assert tuple(row["ResultBytes"] for row in tools) == told.result_bytes
        spawned = [row["SpawnToolCallId"] for row in agents]
        assert spawned == [None, tools[1]["ToolCallId"]]
    if told.call_ids:
        ids = [row["ToolCallId"] for row in tools]
        assert ids == [f"{told.call_ids}1", f"{told.call_ids}2"]


@pytest.mark.parametrize("recording", sorted(EXPECTED))
def test_run(store: Embedded, recording: str) -> None:
    """One run with the totals of its calls, and nothing counted twice."""
    told = EXPECTED[recording]
    (run,) = _rows(store, "runs", recording)
    assert (run["SessionId"], run["User"], run["Status"], run["OrphanSpans"]) == (
        (told.session, told.user, "ok", 0)
    )
    assert (run["Agents"], run["LlmCalls"], run["ToolCalls"], run["UnpricedCalls"]) == (
        (len(told.agents), 4, len(told.tools), 0)
    )
    assert run["CostUsd"] == pytest.approx(told.cost_usd)
    reported = run["ReportedCostUsd"]
    assert reported == (told.reported_usd and pytest.approx(told.reported_usd))


@pytest.mark.parametrize("recording", sorted(EXPECTED))
def test_evidence_says_where_it_comes_from(store: Embedded, recording: str) -> None:
    """Evidence of a call has its trace and span, and the provider's ids and tier."""
    told = EXPECTED[recording]
    rows = store.rows(
        "evidence",
        f"Tenant = '{recording}' AND Kind = 'call' AND RequestId {'!=' if told.requests else '='} ''",
    )
    assert {row["TraceId"] == row["GroupKey"] for row in rows} == {True}
    assert {row["SpanId"] == row["Key"] for row in rows} == {True}
    assert {row["ServiceTier"] for row in rows} == {told.tier}
    if told.requests:
        ids = {row["RequestId"] for row in rows}
        assert ids == {"req_0001", "req_0002", "req_0003", "req_0004"}


def test_a_hand_off_has_its_parent_by_id(store: Embedded) -> None:
    """An agent that is handed the conversation is a sibling in the trace, and a child.

    The trace around the agents says that it is an agent, too, and is the run.
    """
    tenant = "openinference_agents/hand-off"
    names = _names(store, tenant)
    agents = _rows(store, "agents", tenant)
    assert [(r["Name"], names[r["ParentAgentId"] or ""]) for r in agents] == [
        ("lead", ""),
        ("researcher", "lead"),
    ]
    calls = _rows(store, "llm_calls", tenant)
    owners = [names[row["AgentId"]] for row in calls]
    assert owners == ["lead", "lead", "researcher"]
    (run,) = _rows(store, "runs", tenant)
    assert (run["Name"], run["Depth"], run["LlmCalls"]) == ("Agent workflow", 2, 3)


@pytest.mark.parametrize(
    "recording",
    [
        "otel_genai/anthropic-layers",
        "openllmetry/anthropic-layers",
        "anthropic/anthropic-api",
    ],
)
def test_a_request_told_by_several_layers_is_priced_once(
    store: Embedded, recording: str
) -> None:
    """An application's span, the SDK's in it or beside it, and the API's are one call."""
    spans = store.rows("evidence", f"Tenant = '{recording}' AND Kind = 'call'", "Key")
    assert len(spans) == (12 if recording.endswith("api") else 8)
    (run,) = _rows(store, "runs", recording)
    assert run["LlmCalls"] == 4
    tokens = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens")
    assert [run[name] for name in tokens] == [560, 3900, 400, 155]
    assert run["CostUsd"] in (pytest.approx(0.0069), pytest.approx(0.006675))


def test_a_running_collector_takes_them_all(tmp_path: Path) -> None:
    """Sent over HTTP as their packages send them, recordings become the same calls.

    The one that was put together from another has its traces, and is left out.
    """
    names = [name for name in recordings.names() if name != "anthropic/anthropic-api"]
    with Collector(tmp_path / "data") as collector:
        for name in names:
            collector.post("traces", recordings.load(name).SerializeToString())
        collector.settle()
        hand_offs = 3
        assert collector.count("llm_calls") == 4 * (len(names) - 1) + hand_offs
        assert collector.count("evidence", "Kind NOT IN ('other')") > 0
        quarantined = collector.metric("fleetspan_journal_quarantined_records_total")
        assert (quarantined, collector.stop()) == (0, 0)
