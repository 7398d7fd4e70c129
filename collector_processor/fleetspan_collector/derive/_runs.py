"""One row per run: how it stands, and what its agents, calls and tools add up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns, Mask, Strings
from fleetspan_collector.derive import tree
from fleetspan_collector.derive.ownership import Indexes, Ownership

_TIME: Final = pa.timestamp("ns")
_UNKNOWN_TIME: Final = np.iinfo(np.int64).min
_SUMMED: Final = (
    "InputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "CacheWrite5mTokens",
    "CacheWrite1hTokens",
    "OutputTokens",
    "ReasoningTokens",
    "CostUsd",
    "ReportedCostUsd",
)
_NAME_LENGTH: Final = 80
_HOOKS: Final = "hook"
"""A feed that never tells of calls."""

_LABELS: Final = ("SessionId", "Environment", "Project", "User", "Service")


def roll_up(
    columns: Columns,
    owners: Ownership,
    run_code: Indexes,
    labels: Mapping[str, Strings],
    times: tuple[Indexes, Indexes],
    calls: pa.Table,
    tools: pa.Table,
    unattributed: NDArray[np.float64],
) -> pa.Table:
    """Rows of ``canonical_runs``.

    Args:
        columns: Evidence.
        owners: Who owns what.
        run_code: For each row of evidence the number of its run.
        labels: Session and so on of each row of evidence.
        times: When each row of evidence began and was last seen, as far as that can be.
        calls: Rows of ``canonical_llm_calls``, in the order of ``owners.calls``.
        tools: Rows of ``canonical_tool_calls``, in the order of ``owners.tools``.
        unattributed: For each run the cost that its client claims beyond its calls.
    """
    count = int(run_code.max()) + 1 if len(run_code) else 0
    kind = columns.strings("Kind")
    of_interest = np.zeros(count, dtype=bool)
    of_interest[run_code[kind != "other"]] = True
    kept = np.flatnonzero(of_interest)
    heads = _heads(columns, owners, run_code, count)
    head = heads[kept]

    start = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(start, run_code, times[0])
    last = np.full(count, _UNKNOWN_TIME)
    np.maximum.at(last, run_code, times[1])
    status = _status(columns, owners, run_code, heads)[kept]
    ended = np.isin(status, ("ok", "error"))
    call_run = run_code[owners.calls]
    per_call = np.bincount(call_run, minlength=count)
    depth, fan_out = _shape(owners, run_code, count)
    hours = start[kept] // 3_600_000_000_000 * 3600
    errors = _errors(columns, owners, run_code, count, calls, tools)
    unpriced = np.bincount(call_run, weights=_unpriced(calls), minlength=count)
    sources = _sources(columns, run_code, count)
    blind = np.array([names == [_HOOKS] for names in sources]) & (per_call == 0)
    return pa.table(
        {
            "Tenant": pa.array(columns.strings("Tenant")[head], pa.string()),
            "GroupKey": pa.array(columns.strings("GroupKey")[head], pa.string()),
            "RunId": pa.array(owners.run_id[head], pa.string()),
            **{name: pa.array(labels[name][head], pa.string()) for name in _LABELS},
            "Name": pa.array(_names(columns, head), pa.string()),
            "TraceId": pa.array(columns.strings("GroupKey")[head], pa.string()),
            "Status": pa.array(status, pa.string()),
            "StartTime": pa.array(start[kept].astype("datetime64[ns]"), _TIME),
            "EndTime": pa.array(
                last[kept].astype("datetime64[ns]"), _TIME, mask=~ended
            ),
            "LastActivity": pa.array(last[kept].astype("datetime64[ns]"), _TIME),
            "Agents": _tally(run_code[owners.agents], count, kept),
            "LlmCalls": _tally(call_run, count, kept),
            "ToolCalls": _tally(run_code[owners.tools], count, kept),
            "Errors": errors[kept].astype(np.uint32),
            "Depth": depth[kept].astype(np.uint16),
            "FanOut": fan_out[kept].astype(np.uint32),
            **{
                name: _sum(calls, name, call_run, per_call, kept, blind)
                for name in _SUMMED
            },
            "UnpricedCalls": unpriced[kept].astype(np.uint32),
            "OrphanSpans": _tally(run_code[owners.orphans], count, kept),
            "UnattributedUsd": pa.array(unattributed[kept], from_pandas=True),
            "OtelTraceId": _otel_trace(columns, head),
            "ClientVersion": pa.array(
                _largest(columns.strings("ClientVersion"), run_code, count)[kept],
                pa.string(),
            ),
            "Sources": pa.array([sources[run] for run in kept], pa.list_(pa.string())),
            "Bucket": hours,
        }
    )


def _names(columns: Columns, head: Indexes) -> Strings:
    """What its head is called; a session is known by what it was asked first."""
    names = columns.strings("Name")[head].copy()
    task = columns.strings("Task")[head]
    asked = np.flatnonzero(columns.of_session[head] & (task != ""))
    for row in asked.tolist():
        names[row] = task[row].strip().partition("\n")[0][:_NAME_LENGTH] or names[row]
    return names


def _otel_trace(columns: Columns, head: Indexes) -> pa.Array:
    """The trace of the head where the group is not the trace."""
    trace = columns.strings("TraceId")[head]
    return pa.array(np.where(columns.of_session[head], trace, ""), pa.string())


def _largest(values: Strings, run_code: Indexes, count: int) -> Strings:
    """For each run the largest word that any of its rows says, ``""`` for none."""
    found = np.full(count, "", dtype=object)
    said = np.flatnonzero(values != "")
    order = said[np.argsort(values[said].astype(str), kind="stable")]
    found[run_code[order]] = values[order]
    return found


def _sources(columns: Columns, run_code: Indexes, count: int) -> list[list[str]]:
    """For each run the feeds that told of it."""
    listed = columns.table["Sources"].combine_chunks()
    number = listed.flatten().dictionary_encode()
    of_row = np.repeat(run_code, pc.list_value_length(listed).to_numpy())
    words = number.dictionary.to_pylist()
    size = max(len(words), 1)
    pairs = np.unique(of_row * size + number.indices.to_numpy(zero_copy_only=False))
    found: list[list[str]] = [[] for _ in range(count)]
    for pair in pairs.tolist():
        found[pair // size].append(words[pair % size])
    return [sorted(names) for names in found]


def _unpriced(calls: pa.Table) -> Mask:
    """Calls that cost something unknown; one that failed without usage is none."""
    no_cost = calls["CostUsd"].is_null().to_numpy()
    no_usage = calls["InputTokens"].is_null().to_numpy()
    failed = calls["Error"].to_numpy(zero_copy_only=False) != ""
    unpriced: Mask = no_cost & ~(failed & no_usage)
    return unpriced


def _tally(codes: Indexes, count: int, kept: Indexes) -> NDArray[np.uint32]:
    return np.bincount(codes, minlength=count)[kept].astype(np.uint32)


def _sum(
    calls: pa.Table,
    name: str,
    call_run: Indexes,
    per_call: NDArray[Any],
    kept: Indexes,
    blind: Mask,
) -> pa.Array:
    """Sum over the calls that know it.

    Unknown when there are calls and none does, and where no feed tells of calls.
    """
    column = calls[name].combine_chunks()
    known = column.is_valid().to_numpy(zero_copy_only=False)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    sums = np.bincount(call_run, weights=values, minlength=len(per_call))[kept]
    knowing = np.bincount(call_run, weights=known, minlength=len(per_call))[kept]
    unknown = ((per_call[kept] > 0) & (knowing == 0)) | blind[kept]
    whole = pa.types.is_integer(column.type)
    return pa.array(sums.astype(np.int64) if whole else sums, mask=unknown)


def _heads(
    columns: Columns, owners: Ownership, run_code: Indexes, count: int
) -> Indexes:
    """The row that stands for each run: its workflow, its main agent, else its first.

    For a trace without agents that is the root span, or the earliest that is here.
    """
    kind = columns.strings("Kind")
    is_top = owners.run_row == np.arange(columns.count)
    own_name = columns.strings("AgentId") == columns.strings("RunId")
    standing = np.select(
        [is_top & (kind == "run"), is_top & own_name, is_top, kind == "agent"],
        [5, 4, 3, 2],
        default=np.where(columns.ids("ParentNode") == 0, 1, 0),
    )
    # Best last, so that it stays: high standing, then early, then the smallest key.
    order = np.lexsort(
        (-np.arange(columns.count), -columns.nanoseconds("StartTime"), standing)
    )
    head = np.zeros(count, dtype=np.int64)
    head[run_code[order]] = order
    return head


def _status(
    columns: Columns, owners: Ownership, run_code: Indexes, heads: Indexes
) -> Strings:
    """Error or ok once its head has ended and no agent is at work any more."""
    count = len(heads)
    kind = columns.strings("Kind")
    own = columns.strings("Status")
    contains = owners.run_row != tree.NONE
    with_agents = np.zeros(count, dtype=bool)
    with_agents[run_code[contains]] = True
    at_work = np.zeros(count, dtype=bool)
    running = np.flatnonzero((own == "running") & np.isin(kind, ("agent", "run")))
    at_work[run_code[running]] = True
    failed_call = np.zeros(count, dtype=bool)
    calls = np.flatnonzero((own == "error") & np.isin(kind, ("call", "tool")))
    failed_call[run_code[calls]] = True
    rooted = np.zeros(count, dtype=bool)
    rooted[run_code[columns.ids("ParentNode") == 0]] = True

    of_head = own[heads]
    of_trace = np.where(
        ~rooted, "running", np.where(failed_call, "error", "ok")
    ).astype(object)
    of_agents = np.where(
        at_work & (of_head != "error") & (of_head != "abandoned"), "running", of_head
    )
    return np.where(with_agents, of_agents, of_trace)


def _shape(
    owners: Ownership, run_code: Indexes, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Levels of agents, and the largest number of sub-agents of one agent."""
    depth = np.zeros(count, dtype=np.int64)
    fan_out = np.zeros(count, dtype=np.int64)
    agents = owners.agents
    if not len(agents):
        return depth, fan_out
    levels = tree.depths(owners.parent_of)
    np.maximum.at(depth, run_code[agents], levels[agents] + 1)
    parents = owners.parent_of[agents]
    children = parents[parents != tree.NONE]
    if len(children):
        number = np.bincount(children)
        rows = np.flatnonzero(number)
        np.maximum.at(fan_out, run_code[rows], number[rows])
    return depth, fan_out


def _failures(owners: Ownership, calls: pa.Table, tools: pa.Table) -> tuple[Mask, Mask]:
    failed_calls = calls["Error"].to_numpy(zero_copy_only=False) != ""
    success = tools["Success"].combine_chunks()
    failed_tools = success.fill_null(1).to_numpy(zero_copy_only=False) == 0
    return failed_calls, failed_tools


def _errors(
    columns: Columns,
    owners: Ownership,
    run_code: Indexes,
    count: int,
    calls: pa.Table,
    tools: pa.Table,
) -> NDArray[np.int64]:
    """Failed calls and tool calls, and failed agents whose failure these do not explain.

    A failed tool call that takes its agent and the agents above with it counts once.
    """
    failed_calls, failed_tools = _failures(owners, calls, tools)
    rows = np.concatenate([owners.calls[failed_calls], owners.tools[failed_tools]])
    errors = np.bincount(run_code[rows], minlength=count)
    beneath = np.bincount(
        owners.agent_of[rows][owners.agent_of[rows] != tree.NONE],
        minlength=columns.count,
    )
    levels = tree.depths(owners.parent_of)[owners.agents]
    status = columns.strings("Status")
    for row in owners.agents[np.argsort(-levels, kind="stable")].tolist():
        if status[row] == "error" and not beneath[row]:
            beneath[row] = 1
            errors[run_code[row]] += 1
        parent = owners.parent_of[row]
        if parent != tree.NONE:
            beneath[parent] += beneath[row]
    return errors
