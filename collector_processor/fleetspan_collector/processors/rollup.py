"""What each agent did itself, and what its whole sub-tree did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run
from fleetspan_collector.processors.sums import sum_by_row

_TOKENS: Final = (
    "InputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "OutputTokens",
)

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums per agent, in the order of ``run.agents``.

    Attributes:
        agents: Agents: 1 for an agent alone.
        llm_calls: Calls to models.
        tool_calls: Tool calls.
        errors: Failed calls and tool calls.
        tokens: All four kinds of tokens; NaN where calls are known and no usage is.
        usd: US dollars; NaN where calls are known and none is priced.
    """

    agents: Counts
    llm_calls: Counts
    tool_calls: Counts
    errors: Counts
    tokens: Floats
    usd: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """Sums of each agent and of its sub-tree.

    Attributes:
        own: Its own.
        tree: Its own and those of all agents below it.
        fan_out: How many agents each has started.
    """

    own: Sums
    tree: Sums
    fan_out: Counts


@per_run
def rollup_of(run: Run) -> Rollup:
    """Add up what the agents of a run did."""
    tree, count = run.tree, run.agents.count
    calls, tools = run.llm_calls, run.tool_calls
    parts = np.column_stack([calls.floats(name) for name in _TOKENS])
    no_usage = np.isnan(parts).all(axis=1)
    tokens = np.where(no_usage, np.nan, np.nansum(parts, axis=1))
    usd = calls.floats("CostUsd")
    failed_calls = calls.strings("Error") != ""
    failed_tools = tools.floats("Success") == 0
    of_call, of_tool = tree.call_agent, tree.tool_agent
    own = np.column_stack(
        [
            np.ones(count),
            sum_by_row(of_call, None, count),
            sum_by_row(of_tool, None, count),
            sum_by_row(of_call, failed_calls, count)
            + sum_by_row(of_tool, failed_tools, count),
            sum_by_row(of_call, np.nan_to_num(tokens), count),
            sum_by_row(of_call, ~np.isnan(tokens), count),
            sum_by_row(of_call, np.nan_to_num(usd), count),
            sum_by_row(of_call, ~np.isnan(usd), count),
        ]
    )
    whole = own.copy()
    for level in _levels(tree.depth):
        np.add.at(whole, tree.parent[level], whole[level])
    children = tree.parent[tree.parent != NONE]
    return Rollup(
        own=_sums(own),
        tree=_sums(whole),
        fan_out=np.bincount(children, minlength=count),
    )


def _levels(depth: Indexes) -> list[Indexes]:
    """Agents by depth, deepest first, without those that have no parent."""
    order = np.argsort(depth, kind="stable")
    edges = np.flatnonzero(np.diff(depth[order])) + 1
    return np.split(order, edges)[:0:-1]


def _sums(columns: Floats) -> Sums:
    agents, calls, tools, errors, tokens, with_tokens, usd, with_usd = columns.T
    return Sums(
        agents=agents.astype(np.int64),
        llm_calls=calls.astype(np.int64),
        tool_calls=tools.astype(np.int64),
        errors=errors.astype(np.int64),
        tokens=np.where((calls > 0) & (with_tokens == 0), np.nan, tokens),
        usd=np.where((calls > 0) & (with_usd == 0), np.nan, usd),
    )
