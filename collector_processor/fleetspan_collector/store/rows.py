"""What the commands, the web port and the page read of a run: plain rows.

These are the documents of ``ls --json`` and ``show RUN --json`` and so a contract:
a field is added, never renamed. ``None`` is unknown, which is not zero.
"""

from __future__ import annotations

from typing import Literal, TypedDict

Status = Literal["running", "ok", "error", "abandoned"]


class UsageRow(TypedDict):
    """Counts, tokens and cost of a run or of one agent.

    Attributes:
        llm_calls: Provider requests, each counted once.
        tool_calls: Tool calls, each counted once.
        errors: Failed calls and tool calls; of a run also failed agents that these do not
            explain.
        input_tokens: Input tokens that were neither read from nor written to a cache.
        cache_read_tokens: Input tokens read from the provider's prompt cache.
        cache_write_tokens: Input tokens written to it, whatever their lifetime.
        cache_write_5m_tokens: Of these, the ones kept for 5 minutes.
        cache_write_1h_tokens: Of these, the ones kept for an hour.
        output_tokens: Generated tokens, reasoning included.
        reasoning_tokens: Of these, the ones spent on reasoning.
        cost_usd: Cost of the priced calls in US dollars; ``None`` when none is priced.
        reported_cost_usd: What providers, or clients, say that their calls cost;
            ``None`` when they say nothing.
        unpriced_calls: Calls whose price is not known and that ``cost_usd`` leaves out.
    """

    llm_calls: int
    tool_calls: int
    errors: int
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    reported_cost_usd: float | None
    unpriced_calls: int


class SpellRow(UsageRow):
    """What a run and an agent have in common.

    Attributes:
        run_id: Unique id of the run.
        session_id: The conversation that it belongs to.
        name: What the run, or the agent, is called.
        status: How it stands; ``abandoned`` is silent for longer than the idle setting.
        started_at: RFC 3339 in UTC, such as ``2026-01-02T03:04:05.678901Z``.
        duration_s: Seconds from start to end, or to the last activity while it runs.
    """

    run_id: str
    session_id: str | None
    name: str | None
    status: Status
    started_at: str | None
    duration_s: float | None


class RunRow(SpellRow):
    """One run.

    Attributes:
        agents: Number of agents, the main one included.
    """

    agents: int


class AgentRow(SpellRow):
    """One agent of a run; its counts are its own, without its sub-agents'.

    Attributes:
        agent_id: Id of the agent, unique in its session.
        type: What kind it is, such as ``Explore``.
        parent: ``agent_id`` of the agent that started it; ``None`` for a main agent.
        spawn_tool_call_id: The tool call of the parent that started it.
        agents: Number of agents in its sub-tree, itself included.
        failed_tools: Names of its tools that failed, most failures first.
        cost_difference_usd: Our cost less the reported one, of the calls that have both.
    """

    agent_id: str
    type: str | None
    parent: str | None
    spawn_tool_call_id: str | None
    agents: int
    failed_tools: list[str]
    cost_difference_usd: float | None


class RunDetail(SpellRow):
    """One run and its agents.

    Attributes:
        agents: Its agents in a flat list, parents before children, then by start.
        cost_difference_usd: Our cost less the reported one, of the calls that have both.
    """

    agents: list[AgentRow]
    cost_difference_usd: float | None
