"""The moments of a run of which a snapshot is taken, found in its canonical rows.

Each is named by its trigger and a place (which crossing it was, of which agent or tool
call), so that it is the same moment when the run is looked at again with more rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from fleetspan_collector._columns import Columns
from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.model_facts import context_window
from fleetspan_collector.processors.run import UNKNOWN_NS, Indexes, Run
from fleetspan_collector.snapshots.amounts import (
    Floats,
    end_ns,
    failures_ns,
    new_tokens,
    summed,
)
from fleetspan_collector.snapshots.moment import Moment, Trigger


def moments(run: Run, settings: ProcessorSettings) -> list[Moment]:
    """The moments of a run, trigger by trigger, in order of time within each.

    Of more than `snapshot_limit` by one trigger the latest.
    """
    limit = settings.snapshot_limit
    return [m for find in _FINDERS for m in list(find(run, settings))[-limit:]]


def _agents(run: Run, settings: ProcessorSettings) -> Iterator[Moment]:
    every = settings.snapshot_every_agents
    if not every or run.agents.count < every:
        return
    starts = np.sort(run.agents.nanoseconds("StartTime"))
    for count in range(every, run.agents.count + 1, every):
        yield Moment(
            trigger=Trigger.AGENTS,
            place=str(count // every),
            at_ns=int(starts[count - 1]),
            reason=f"{count} agents have started",
        )


def _tokens(run: Run, settings: ProcessorSettings) -> Iterator[Moment]:
    every, budget = (
        settings.snapshot_every_tokens,
        settings.snapshot_budget_tokens,
    )
    if not (every or budget) or not run.llm_calls.count:
        return
    new = new_tokens(run.llm_calls)
    total = float(new.sum())
    share = settings.snapshot_budget_share
    threshold = share * budget if budget else np.inf
    if (not every or total < every) and total < threshold:
        return
    ends, order = _ends(run.llm_calls)
    used = np.cumsum(new[order])
    if every:
        for number, row in _crossings(used, every):
            yield Moment(
                trigger=Trigger.TOKENS,
                place=str(number),
                at_ns=int(ends[row]),
                reason=f"{used[row]:,.0f} new tokens have been used",
                agent_id=_agent_of(run.llm_calls, order[row]),
            )
    if total >= threshold:
        row = int(np.searchsorted(used, threshold))
        yield Moment(
            trigger=Trigger.BUDGET_TOKENS,
            place="1",
            at_ns=int(ends[row]),
            reason=f"{used[row]:,.0f} of a budget of {budget:,} new tokens have been used",
            agent_id=_agent_of(run.llm_calls, order[row]),
        )


def _usd(run: Run, settings: ProcessorSettings) -> Iterator[Moment]:
    budget, share = settings.snapshot_budget_usd, settings.snapshot_budget_share
    if not budget or not run.llm_calls.count:
        return
    cost = np.nan_to_num(run.llm_calls.floats("CostUsd"))
    # Sums of cents miss their mark by a rounding error.
    threshold = share * budget * (1 - 1e-9)
    if cost.sum() < threshold:
        return
    ends, order = _ends(run.llm_calls)
    spent = np.cumsum(cost[order])
    row = min(int(np.searchsorted(spent, threshold)), len(spent) - 1)
    yield Moment(
        trigger=Trigger.BUDGET_USD,
        place="1",
        at_ns=int(ends[row]),
        reason=f"${spent[row]:,.2f} of a budget of ${budget:,.2f} have been spent",
        agent_id=_agent_of(run.llm_calls, order[row]),
    )


def _context(run: Run, settings: ProcessorSettings) -> list[Moment]:
    """Requests that fill their context window beyond the share, after one that did not."""
    share, calls = settings.snapshot_context_share, run.llm_calls
    if not share or not calls.count:
        return []
    windows = _windows(calls)
    size = summed(calls, ("InputTokens", "CacheReadTokens", "CacheWriteTokens"))
    full = size >= share * windows
    if not np.any(full):
        return []
    found = []
    was_full: dict[str, bool] = {}
    crossed: dict[str, int] = {}
    agents, starts = calls.strings("AgentId"), calls.nanoseconds("StartTime")
    for row in np.flatnonzero(size > 0).tolist():
        agent = agents[row]
        if full[row] and not was_full.get(agent):
            crossed[agent] = crossed.get(agent, 0) + 1
            found.append(
                Moment(
                    trigger=Trigger.CONTEXT_WINDOW,
                    place=f"{agent}/{crossed[agent]}",
                    at_ns=int(starts[row]),
                    reason=f"a request has {size[row]:,.0f} of the"
                    f" {windows[row]:,.0f} tokens that its model takes",
                    agent_id=agent,
                )
            )
        was_full[agent] = bool(full[row])
    return found


def _windows(calls: Columns) -> Floats:
    """The context window of each call's model, in tokens; infinite when not known."""
    known: dict[tuple[str, str], float] = {}
    models = zip(
        calls.strings("Provider").tolist(), calls.strings("Model").tolist(), strict=True
    )
    windows = np.empty(calls.count)
    for row, model in enumerate(models):
        if model not in known:
            known[model] = context_window(*model) or np.inf
        windows[row] = known[model]
    return windows


def _errors(run: Run, settings: ProcessorSettings) -> Iterator[Moment]:
    """The first moment of each stretch with enough failures close together."""
    count = settings.snapshot_error_count
    if not count:
        return
    times = failures_ns(run)
    if len(times) < count:
        return
    window_ns = int(min(settings.snapshot_error_window_s, 1e9) * 1e9)
    first = times[: len(times) - count + 1]
    last = times[count - 1 :]
    dense = last - first <= window_ns
    begins = np.flatnonzero(dense & ~np.concatenate([[False], dense[:-1]]))
    for number, row in enumerate(begins.tolist(), start=1):
        seconds = (last[row] - first[row]) / 1e9
        yield Moment(
            trigger=Trigger.ERROR_BURST,
            place=str(number),
            at_ns=int(last[row]),
            reason=f"{count} failures within {seconds:.1f} s",
        )


def _risky_tools(run: Run, settings: ProcessorSettings) -> Iterator[Moment]:
    wanted, tools = settings.snapshot_before_tools, run.tool_calls
    if not wanted or not tools.count:
        return
    starts, ids = tools.nanoseconds("StartTime"), tools.strings("ToolCallId")
    for row in np.flatnonzero(np.isin(tools.strings("Tool"), wanted)).tolist():
        yield Moment(
            trigger=Trigger.TOOL,
            place=ids[row],
            # Just before: the call itself is not among what runs.
            at_ns=int(starts[row]) - 1,
            reason=f"{tools.strings('Tool')[row]} is about to be called",
            agent_id=_agent_of(tools, row),
        )


def _abandoned(run: Run, settings: ProcessorSettings) -> Iterator[Moment]:
    if settings.snapshot_when_abandoned and run.facts.status == "abandoned":
        yield Moment(
            trigger=Trigger.ABANDONED,
            place="",
            at_ns=run.facts.last_activity_ns,
            reason="nobody ended the run: its process died, or it fell silent",
        )


_FINDERS: Final[tuple[Callable[[Run, ProcessorSettings], Iterable[Moment]], ...]] = (
    _agents,
    _tokens,
    _usd,
    _context,
    _errors,
    _risky_tools,
    _abandoned,
)


def _ends(calls: Columns) -> tuple[Indexes, Indexes]:
    """When calls ended, ascending, and their rows; one without an end ends as it starts."""
    ended = end_ns(calls)
    ended = np.where(ended == UNKNOWN_NS, calls.nanoseconds("StartTime"), ended)
    order = np.argsort(ended, kind="stable")
    return ended[order], order


def _crossings(total: Floats, every: int) -> Iterator[tuple[int, int]]:
    """Numbers of the thresholds that a growing total crosses, and the rows that do it.

    Of thresholds that one row crosses together the last.
    """
    reached = np.floor(total / every).astype(np.int64)
    before = np.concatenate([[0], reached[:-1]])
    for row in np.flatnonzero(reached > before).tolist():
        yield int(reached[row]), row


def _agent_of(rows: Columns, row: int) -> str:
    agent: str = rows.strings("AgentId")[row]
    return agent
