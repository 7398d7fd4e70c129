"""OpenTelemetry-native instrumentation for AI agents and their sub-agents.

::

    import fleetspan

    with fleetspan.run("nightly-review", session="s-1"):
        with fleetspan.agent("reviewer", type="code-review"):
            with fleetspan.llm("claude-sonnet-4-5", provider="anthropic") as call:
                call.usage(input_tokens=120, cache_read_tokens=8000, output_tokens=340)
            with fleetspan.tool("read_file", arguments={"path": "a.py"}) as tool:
                tool.result("...")
"""

from fleetspan._api import (
    agent,
    configure,
    context_snapshot,
    current_agent,
    decision,
    error,
    file_operation,
    flush,
    llm,
    outcome,
    run,
    shutdown,
    tool,
    validation,
)
from fleetspan._budgets import Budget, BudgetSpentError, Spent
from fleetspan._calls import LLM, Tool
from fleetspan._config import Config
from fleetspan._errors import ConfigError, FleetspanError
from fleetspan._guard import suppressed_errors
from fleetspan._propagation import continue_from, inject, mcp_meta, subprocess_env
from fleetspan._snapshots import snapshot
from fleetspan._spans import Agent, Run
from fleetspan._subscribers import Notice, Subscription, subscribe
from fleetspan._threads import ContextExecutor, wrap

__all__ = [
    "LLM",
    "Agent",
    "Budget",
    "BudgetSpentError",
    "Config",
    "ConfigError",
    "ContextExecutor",
    "FleetspanError",
    "Notice",
    "Run",
    "Spent",
    "Subscription",
    "Tool",
    "agent",
    "configure",
    "context_snapshot",
    "continue_from",
    "current_agent",
    "decision",
    "error",
    "file_operation",
    "flush",
    "inject",
    "llm",
    "mcp_meta",
    "outcome",
    "run",
    "shutdown",
    "snapshot",
    "subprocess_env",
    "subscribe",
    "suppressed_errors",
    "tool",
    "validation",
    "wrap",
]
