"""From evidence to canonical rows: agents, llm calls, tool calls and runs.

A pure function over Arrow: the same evidence gives the same rows, whatever the order
in which it arrived. The tables carry two columns for the writer: ``GroupKey`` and
``Fingerprint``, equal when a row need not be written again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns, Strings, codes
from fleetspan_collector.derive import tree
from fleetspan_collector.derive._activations import latest_reports
from fleetspan_collector.derive._coverage import unattributed_usd
from fleetspan_collector.derive._mentioned import with_mentioned_agents
from fleetspan_collector.derive._runs import roll_up
from fleetspan_collector.derive._sessions import with_sessions_settled
from fleetspan_collector.derive._strays import believable_times
from fleetspan_collector.derive.call_costs import lifetime_unknown, price_calls
from fleetspan_collector.derive.ownership import Indexes, Ownership, find_owners
from fleetspan_collector.derive.prices import PriceBook

_HOUR_NS: Final = 3_600_000_000_000
_TOKENS: Final = (
    "InputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "CacheWrite5mTokens",
    "CacheWrite1hTokens",
    "OutputTokens",
    "ReasoningTokens",
)
_LABELS: Final = ("SessionId", "Environment", "Project", "User", "Service")
_TIME: Final = pa.timestamp("ns")


@dataclass(frozen=True, slots=True)
class Canonical:
    """The rows of some groups, as they stand.

    Attributes:
        agents: Rows of ``canonical_agents``.
        llm_calls: Rows of ``canonical_llm_calls``.
        tool_calls: Rows of ``canonical_tool_calls``.
        runs: Rows of ``canonical_runs``.
    """

    agents: pa.Table
    llm_calls: pa.Table
    tool_calls: pa.Table
    runs: pa.Table


def resolve(evidence: pa.Table, prices: PriceBook) -> Canonical:
    """Resolve whole groups of evidence.

    Args:
        evidence: The rows of `read_evidence.sql` for these groups.
        prices: What tokens cost.
    """
    columns = Columns(with_mentioned_agents(with_sessions_settled(evidence)))
    owners = find_owners(columns)
    labels = _Labels(columns, owners)
    calls = _calls(columns, owners, labels, prices)
    tools = _tools(columns, owners, labels)
    agents = _agents(columns, owners, labels)
    claimed = unattributed_usd(
        columns, owners, calls, prices, labels.run_code, labels.run_count
    )
    runs = roll_up(
        columns, owners, labels.run_code, labels, labels.times, calls, tools, claimed
    )
    return Canonical(agents=agents, llm_calls=calls, tool_calls=tools, runs=runs)


class _Labels(Mapping[str, Strings]):
    """Session, environment, project, user and service of every row, and its times.

    A row's own word holds; else its agent's, else its run's: the run row's own, or
    the smallest that any of its rows states.
    """

    def __init__(self, columns: Columns, owners: Ownership) -> None:
        self.run_code, self.run_count = codes(columns.strings("Tenant"), owners.run_id)
        self.times = believable_times(columns, self.run_code, self.run_count)
        self._values = {name: self._spread(columns, owners, name) for name in _LABELS}

    def __getitem__(self, name: str) -> Strings:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _spread(self, columns: Columns, owners: Ownership, name: str) -> Strings:
        own = columns.strings(name)
        of_agent = np.where(owners.agent_of == tree.NONE, "", own[owners.agent_of])
        stated = np.flatnonzero(own != "")
        of_run = np.full(self.run_count, "", dtype=object)
        # Smallest last, so that it is the one that stays.
        order = stated[np.argsort(own[stated].astype(str), kind="stable")[::-1]]
        of_run[self.run_code[order]] = own[order]
        rows = np.flatnonzero(owners.run_row != tree.NONE)
        tops = owners.run_row[rows]
        said = own[tops] != ""
        of_run[self.run_code[rows[said]]] = own[tops[said]]
        value = np.where(own != "", own, of_agent)
        return np.where(value != "", value, of_run[self.run_code])


def _text(values: Strings) -> pa.Array:
    return pa.array(values, type=pa.string())


def _optional(values: Strings) -> pa.Array:
    return pa.array(values, type=pa.string(), mask=values == "")


def _time(nanoseconds: NDArray[np.int64]) -> pa.Array:
    return pa.array(nanoseconds.astype("datetime64[ns]"), type=_TIME)


def _optional_time(nanoseconds: NDArray[np.int64]) -> pa.Array:
    unknown = nanoseconds == np.iinfo(np.int64).min
    return pa.array(nanoseconds.astype("datetime64[ns]"), type=_TIME, mask=unknown)


def _hour(nanoseconds: NDArray[np.int64]) -> NDArray[np.int64]:
    return nanoseconds // _HOUR_NS * 3600


def _mixed(*parts: NDArray[Any]) -> NDArray[np.uint64]:
    """One 64-bit number per row from several (splitmix64's finisher)."""
    state = np.zeros(len(parts[0]), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            state = (state ^ part.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state ^= state >> np.uint64(31)
    return state


def _hashed(values: Strings) -> NDArray[np.uint64]:
    """A number per string, the same in every process."""
    encoded = pa.array(values, type=pa.string()).dictionary_encode()
    words = [_digest(text) for text in encoded.dictionary.to_pylist()]
    numbers = np.frombuffer(b"".join(words) or bytes(8), dtype=np.uint64)
    hashed: NDArray[np.uint64] = numbers[encoded.indices.to_numpy(zero_copy_only=False)]
    return hashed


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _shared(
    columns: Columns, owners: Ownership, labels: _Labels, rows: Indexes
) -> dict[str, Any]:
    return {
        "Tenant": _text(columns.strings("Tenant")[rows]),
        "GroupKey": _text(columns.strings("GroupKey")[rows]),
        "RunId": _text(owners.run_id[rows]),
        **{name: _text(labels[name][rows]) for name in _LABELS},
        "TraceId": _text(columns.strings("GroupKey")[rows]),
        "SpanId": _text(columns.strings("Key")[rows]),
        "Bucket": _hour(labels.times[0][rows]),
        **_otel_ids(columns, rows),
    }


def _otel_ids(columns: Columns, rows: Indexes) -> dict[str, pa.Array]:
    """Trace and span where the group is not the trace: what its feeds name, if any."""
    mine = columns.of_session[rows]
    return {
        f"Otel{name}": _text(np.where(mine, columns.strings(name)[rows], ""))
        for name in ("TraceId", "SpanId")
    }


def _owner_ids(columns: Columns, owners: Ownership, rows: Indexes) -> Strings:
    agent = owners.agent_of[rows]
    return np.where(agent == tree.NONE, "", columns.strings("AgentId")[agent])


def _derived_fingerprint(
    columns: Columns, owners: Ownership, labels: _Labels, rows: Indexes
) -> NDArray[np.uint64]:
    return _mixed(
        columns.ids("Content")[rows],
        _hashed(owners.run_id[rows]),
        _hashed(_owner_ids(columns, owners, rows)),
        *(_hashed(labels[name][rows]) for name in _LABELS),
    )


def _duration_ms(columns: Columns, rows: Indexes) -> pa.Array:
    start = columns.nanoseconds("StartTime")[rows]
    end = columns.nanoseconds("EndTime")[rows]
    unknown = end == np.iinfo(np.int64).min
    return pa.array(np.where(unknown, 0, end - start) / 1e6, mask=unknown)


def _take(columns: Columns, name: str, rows: Indexes) -> pa.ChunkedArray:
    return columns.table.column(name).take(pa.array(rows))


def _calls(
    columns: Columns, owners: Ownership, labels: _Labels, prices: PriceBook
) -> pa.Table:
    rows = owners.calls
    usage_rows = owners.usage_of[rows]
    unknown = columns.integers("UsageKnown")[usage_rows] == 0
    tokens: dict[str, pa.Array] = {}
    for name in _TOKENS:
        values = columns.floats(name)[usage_rows]
        gone = unknown | np.isnan(values)
        tokens[name] = pa.array(np.where(gone, 0, values).astype(np.int64), mask=gone)
    told: dict[str, pa.Array] = {
        "Model": _text(columns.strings("Model")[rows]),
        "Provider": _text(columns.strings("Provider")[rows]),
        **tokens,
        "ServiceTier": _text(columns.strings("ServiceTier")[usage_rows]),
        "WebSearches": _take(columns, "WebSearches", usage_rows),
        "StartTime": _time(columns.nanoseconds("StartTime")[rows]),
    }
    costs = price_calls(
        prices, told, cost_unknown=lifetime_unknown(told, columns.of_session[rows])
    )
    fingerprint = _mixed(
        _derived_fingerprint(columns, owners, labels, rows),
        columns.ids("Content")[usage_rows],
    )
    return pa.table(
        {
            **_shared(columns, owners, labels, rows),
            "CallId": _text(columns.strings("Key")[rows]),
            "AgentId": _text(_owner_ids(columns, owners, rows)),
            **told,
            "ReportedCostUsd": pc.coalesce(
                _take(columns, "ReportedCostUsd", rows),
                _take(columns, "ReportedCostUsd", usage_rows),
            ),
            "CostUsd": costs.cost_column,
            "PriceVersion": costs.version_column,
            "ResponseId": _text(columns.strings("ResponseId")[rows]),
            "RequestId": _text(columns.strings("RequestId")[rows]),
            "DurationMs": _duration_ms(columns, rows),
            "TimeToFirstTokenMs": _take(columns, "TimeToFirstTokenMs", rows),
            "Attempts": _take(columns, "Attempts", rows),
            "FinishReason": _text(columns.strings("FinishReason")[rows]),
            "Error": _text(columns.strings("Error")[rows]),
            "Sources": _take(columns, "Sources", rows),
            "Fingerprint": fingerprint ^ costs.fingerprint,
        }
    )


def _permission_waits(columns: Columns, owners: Ownership) -> pa.Array:
    """For each row how long it waited for permission, in ms: said, or its wait spans."""
    said = columns.floats("PermissionWaitMs")
    waits = np.flatnonzero(owners.waits_of != tree.NONE)
    if not len(waits):
        return pa.array(said, from_pandas=True)
    start = columns.nanoseconds("StartTime")[waits]
    took = (columns.nanoseconds("LastActivity")[waits] - start) / 1e6
    of_tool = owners.waits_of[waits]
    summed = np.bincount(of_tool, weights=took, minlength=columns.count)
    waited = np.bincount(of_tool, minlength=columns.count) > 0
    return pa.array(np.where(np.isnan(said) & waited, summed, said), from_pandas=True)


def _tools(columns: Columns, owners: Ownership, labels: _Labels) -> pa.Table:
    rows = owners.tools
    keys = columns.strings("Key")[rows]
    ids = columns.strings("ToolCallId")[rows]
    waits = _permission_waits(columns, owners).take(pa.array(rows))
    return pa.table(
        {
            **_shared(columns, owners, labels, rows),
            "ToolCallId": _text(np.where(ids == "", keys, ids)),
            "AgentId": _text(_owner_ids(columns, owners, rows)),
            "Tool": _text(columns.strings("Name")[rows]),
            "ArgumentsHash": _text(columns.strings("ArgumentsHash")[rows]),
            "ResultHash": _text(columns.strings("ResultHash")[rows]),
            "ResultBytes": _take(columns, "ResultBytes", rows),
            "StartTime": _time(columns.nanoseconds("StartTime")[rows]),
            "DurationMs": _duration_ms(columns, rows),
            "PermissionWaitMs": waits,
            "Success": _take(columns, "Success", rows),
            "Error": _text(columns.strings("Error")[rows]),
            "TimeSource": _text(columns.strings("TimeSource")[rows]),
            "Sources": _take(columns, "Sources", rows),
            "Fingerprint": _mixed(
                _derived_fingerprint(columns, owners, labels, rows),
                pc.fill_null(waits, -1).to_numpy(zero_copy_only=False).view(np.uint64),
            ),
        }
    )


def _agents(columns: Columns, owners: Ownership, labels: _Labels) -> pa.Table:
    rows = owners.agents
    ids = columns.strings("AgentId")
    parent_ids = _parent_ids(columns, owners, rows)
    spawn = owners.spawn_of[rows]
    tool_ids = np.where(
        columns.known("ToolCallId"),
        columns.strings("ToolCallId"),
        columns.strings("Key"),
    )
    stated_spawn = columns.strings("SpawnToolCallId")[rows]
    by_span = np.where(spawn == tree.NONE, "", tool_ids[spawn])
    activity = _last_activity(columns, owners)
    latest, end = latest_reports(columns, owners)
    status = columns.strings("Status")[latest]
    names, types = _names_and_types(columns, rows, spawn)
    return pa.table(
        {
            **_shared(columns, owners, labels, rows),
            "AgentId": _text(ids[rows]),
            "ParentAgentId": _optional(parent_ids),
            "SpawnToolCallId": _optional(
                np.where(stated_spawn != "", stated_spawn, by_span)
            ),
            "Name": _text(names),
            "Type": _text(types),
            "Model": _text(columns.strings("Model")[rows]),
            "Task": _text(columns.strings("Task")[rows]),
            "StartTime": _time(columns.nanoseconds("StartTime")[rows]),
            "EndTime": _optional_time(end),
            "LastActivity": _time(activity[rows]),
            "Status": _text(status),
            "Error": _text(
                np.where(status == "error", columns.strings("Error")[latest], "")
            ),
            "TimeSource": _text(columns.strings("TimeSource")[rows]),
            "Activations": owners.activations[rows].astype(np.uint32),
            "Sources": _take(columns, "Sources", rows),
            "Fingerprint": _mixed(
                _derived_fingerprint(columns, owners, labels, rows),
                _hashed(parent_ids),
                _hashed(np.where(stated_spawn != "", stated_spawn, by_span)),
                activity[rows],
                columns.ids("Content")[latest],
                owners.activations[rows],
                _hashed(status),
                _hashed(names),
                _hashed(types),
            ),
        }
    )


def _parent_ids(columns: Columns, owners: Ownership, rows: Indexes) -> Strings:
    """Ids of the agents' parents, of one, too, that closed a circle or never came."""
    ids, stated = columns.strings("AgentId"), columns.strings("ParentAgentId")[rows]
    parent, cut = owners.parent_of[rows], owners.cut_of[rows]
    above = np.where(parent == tree.NONE, cut, parent)
    told = (stated != "") & (parent == tree.NONE)
    return np.where(told | (above == tree.NONE), stated, ids[above])


def _names_and_types(
    columns: Columns, rows: Indexes, spawn: Indexes
) -> tuple[Strings, Strings]:
    """Names and types of agents; where none is known, as the tool that started it says."""
    names, types = columns.strings("Name")[rows], columns.strings("Type")[rows]
    asked = np.where(spawn == tree.NONE, "", columns.strings("Type")[spawn])
    better = np.isin(types, ("", "custom")) & (asked != "")
    types = np.where(better, asked, types)
    names = np.where(np.isin(names, ("", "custom")) & (types != ""), types, names)
    return names, types


def _last_activity(columns: Columns, owners: Ownership) -> NDArray[np.int64]:
    """For each agent row the last thing that it, or a call or tool of its, did."""
    activity = columns.nanoseconds("LastActivity").copy()
    owned = np.flatnonzero(owners.agent_of != tree.NONE)
    np.maximum.at(
        activity, owners.agent_of[owned], columns.nanoseconds("LastActivity")[owned]
    )
    return activity
