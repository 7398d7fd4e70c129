"""What a capture says of a session, fact by fact, found and true.

A fact is ``(kind, id, field)`` with a value, or `None` where a feed cannot know it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry

from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.receivers import (
    Intake,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
)
from tests.collector_processor.claude_code import captures
from tests.collector_processor.claude_code.captures import Delivery
from tests.collector_processor.embedded import Embedded

Facts = dict[tuple[str, str, str], Any]


class Rows(Protocol):
    """Where canonical rows can be asked for."""

    def rows(self, table: str, condition: str, /) -> list[dict[str, Any]]:
        """Return the rows of a table."""


TOKENS: Final = (
    "InputTokens",
    "OutputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "CacheWrite5mTokens",
    "CacheWrite1hTokens",
)
_USD_PER_MILLION: Final = (4.0, 20.0, 0.2, None, 5.0, 8.0)
"""What the client that was captured charges for its model, in the order of `TOKENS`."""

NEVER_ANSWERED: Final = {"crash": "a8b1f2a1ad6f2bf1f"}
"""An agent that was started and killed before any answer; the truth omits it."""


def truth(name: str) -> Facts:
    """Return what really happened in a capture."""
    return truth_of(captures.expected(name))


def truth_of(expected: Mapping[str, Any]) -> Facts:
    """Return what really happened, from what the fake provider answered."""
    facts: Facts = {}
    for agent in expected["agents"]:
        session = agent["session_id"]
        agent_id = agent["agent_id"] or session
        sub = agent["agent_id"] is not None
        facts["agent", agent_id, "run"] = session
        facts["agent", agent_id, "type"] = agent["agent_type"] if sub else "main"
        if sub:
            parent = agent["parent_agent_id"] or session
            facts["agent", agent_id, "parent"] = parent
            facts["agent", agent_id, "spawn"] = agent["spawn_tool_use_id"]
        for request in agent["requests"]:
            facts |= _call(request["request_id"], agent_id)
        for tool_use_id, tool in agent["tool_use_ids"]:
            facts["tool", tool_use_id, "agent"] = agent_id
            facts["tool", tool_use_id, "tool"] = tool
    return facts


def refused(name: str) -> dict[str, str]:
    """Return who made each request that was refused, by its id.

    The client tells of those that it gave up on, and rightly so: calls without usage.
    """
    listed = captures.expected(name).get("refused", [])
    return {each["request_id"]: each["agent_id"] for each in listed}


def _call(request_id: str, agent_id: str) -> Facts:
    """Reply n of the fake provider has usage from which n can be told."""
    n = int(request_id[-4:])
    tokens = (10 + n, 100 + n, 20_000 + n, 1_000 + n, 600, 400 + n)
    usd = sum(
        count * price / 1e6
        for count, price in zip(tokens, _USD_PER_MILLION, strict=True)
        if price is not None
    )
    return {
        ("call", request_id, "agent"): agent_id,
        ("call", request_id, "cost"): usd,
        **{
            ("call", request_id, name): count
            for name, count in zip(TOKENS, tokens, strict=True)
        },
    }


def found(store: Rows, tenant: str) -> Facts:
    """Return what the canonical rows of a tenant say, ``None`` for unknown."""
    facts: Facts = {}
    for row in store.rows("agents", f"Tenant = '{tenant}'"):
        agent_id = row["AgentId"]
        facts["agent", agent_id, "run"] = row["RunId"]
        # User-defined agents are 'custom' where the client may not name them.
        known_type = row["Type"] if row["Type"] != "custom" else ""
        facts["agent", agent_id, "type"] = known_type or None
        if agent_id != row["RunId"]:
            facts["agent", agent_id, "parent"] = row["ParentAgentId"]
            facts["agent", agent_id, "spawn"] = row["SpawnToolCallId"]
        else:
            assert row["ParentAgentId"] is None
            assert row["SpawnToolCallId"] is None
    # A request that failed is a call too, but no answer that the truth could list.
    answered = f"Tenant = '{tenant}' AND NOT (Error != '' AND InputTokens IS NULL)"
    for row in store.rows("llm_calls", answered):
        call_id = row["CallId"]
        facts["call", call_id, "agent"] = row["AgentId"] or None
        facts["call", call_id, "cost"] = row["CostUsd"]
        facts |= {
            ("call", call_id, name): row[name] and int(row[name]) for name in TOKENS
        }
    for row in store.rows("tool_calls", f"Tenant = '{tenant}'"):
        tool_id = row["ToolCallId"]
        facts["tool", tool_id, "agent"] = row["AgentId"] or None
        facts["tool", tool_id, "tool"] = row["Tool"] or None
    return facts


def known(facts: Facts) -> Facts:
    """Return the facts that are known."""
    return {key: value for key, value in facts.items() if value is not None}


def counts(facts: Facts) -> dict[str, int]:
    """Return how many facts of each kind are known, as the documentation lists them."""
    fields = ("type", "parent", "spawn", "agent", "tool", *TOKENS, "cost")
    counted = {
        f"{kind}s": len({key[1] for key in facts if key[0] == kind})
        for kind in ("agent", "call", "tool")
    }
    for kind, _, field in known(facts):
        if field in fields:
            name = f"{kind}.{field}"
            counted[name] = counted.get(name, 0) + 1
    return counted


def take_apart(store: Embedded, given: Mapping[str, Sequence[Delivery]]) -> None:
    """Take deliveries of several tenants at once, and derive from all of them.

    One derivation serves many cases, each a tenant of its own. A repeat is journaled
    again, as it would be when it came long after.
    """
    tenants: list[str] = []
    intake = Intake(
        captures.Forgetful(store.journal),
        ReceiverSettings(),
        ReceiverMetrics(CollectorRegistry()),
        tenant_of=lambda headers: tenants[-1],
    )
    app = OtlpHttpApp(intake)
    for tenant, deliveries in given.items():
        tenants.append(tenant)
        asyncio.run(captures.post_all(app, deliveries))
    store.journal.seal()
    windows = []
    for segment in store.journal.sealed():
        store.writer.insert(segment)
        store.journal.remove(segment)
        if segment.signal is not Signal.METRICS:
            windows.append(Window.of_batches(segment.signal, [segment.batch_id]))
    if windows:
        store.derivation.derive(windows)


_NAMES: Final = {
    "runs": "RunId",
    "agents": "AgentId",
    "llm_calls": "CallId",
    "tool_calls": "ToolCallId",
}


def rows(store: Embedded, tenant: str) -> Facts:
    """Return every field of all canonical rows of a tenant, comparable with others'."""
    return {
        (table, row[_NAMES[table]], field): json.dumps(value)
        for table, listed in store.canonical(tenant).items()
        for row in map(json.loads, listed)
        for field, value in row.items()
    }
