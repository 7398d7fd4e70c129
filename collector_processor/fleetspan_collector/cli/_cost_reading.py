"""Where ``fleetspan cost`` reads from: a collector, a store, or transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetspan_collector.cli._source import Source
from fleetspan_collector.cli._spending import Spending, activity_of, within
from fleetspan_collector.config import Settings
from fleetspan_collector.insights.asking import ask

_BIN_NS: Final = 900_000_000_000
_COLUMNS: Final = {
    "session": ("SessionId", "session"),
    "project": ("toString(Project)", "project"),
    "model": ("toString(Model)", "model"),
    "run": ("RunId", "run"),
    "agent": ("AgentId", "agent"),
}
_NEEDED: Final = {
    "session": ("session", "project"),
    "agent": ("session", "run", "agent"),
    "agent-type": ("run", "agent"),
    "model": ("model",),
    "project": ("project",),
}
"""What of a call has to be read to group by it."""

_MAIN: Final = "main"
"""Type of an agent that no other one started."""


def read_store(
    source: Source, by: Sequence[str], since_ns: int, until_ns: int
) -> Spending:
    """Read what the calls of a store cost.

    Args:
        source: A collector, or the store itself.
        by: What it will be grouped by.
        since_ns: From this time on, Unix nanoseconds.
        until_ns: Before this time.
    """
    needed = dict.fromkeys(name for each in by for name in _NEEDED.get(each, ()))
    dimensions = "".join(
        f"{_COLUMNS[name][0]} AS {_COLUMNS[name][1]},\n    " for name in needed
    )
    bounds = {"since": str(since_ns), "until": str(until_ns)}
    rows = ask(source, "cost_bins", dimensions=dimensions, **bounds)
    if "agent" in needed:
        rows = _with_names(rows, ask(source, "cost_agents", since=str(since_ns)))
    activity = ask(source, "cost_activity") if "block" in by else activity_of(rows)
    return Spending(rows=rows, activity=activity)


def _with_names(rows: pa.Table, agents: pa.Table) -> pa.Table:
    """Add what agents are called; one that has no row is called nothing."""
    named = {
        (row["run_id"], row["agent_id"]): (row["name"], row["type"])
        for row in agents.to_pylist()
    }
    found = [
        named.get(key, ("", ""))
        for key in zip(rows["run"].to_pylist(), rows["agent"].to_pylist(), strict=True)
    ]
    names, types = zip(*found, strict=True) if found else ((), ())
    return rows.append_column("agent-name", pa.array(names, pa.string())).append_column(
        "agent-type", pa.array(types, pa.string())
    )


def read_transcripts(
    places: Sequence[Path], settings: Settings, since_ns: int, until_ns: int
) -> tuple[Spending, str, int, dict[Path, str]]:
    """Read what calls cost straight from transcripts, by the same prices.

    Args:
        places: Transcripts and folders of them.
        settings: Names the user's own prices.
        since_ns: From this time on, Unix nanoseconds.
        until_ns: Before this time.

    Returns:
        What was spent, the version of the prices, how many files there are, and what
        could not be read, with the reason.
    """
    # Here, because they bring the engine, which asking a collector does not need.
    from fleetspan_collector.derive.call_costs import lifetime_unknown, price_calls
    from fleetspan_collector.derive.prices import PriceBook
    from fleetspan_collector.transcripts import find_transcripts, read_found

    found = find_transcripts(places)
    calls = read_found(found)
    prices = PriceBook.load(settings.price_override_file)
    of_claude_code = np.ones(calls.num_rows, dtype=bool)
    costs = price_calls(
        prices, calls, cost_unknown=lifetime_unknown(calls, of_claude_code)
    )
    rows = _of_calls(calls, costs.cost_column)
    spending = Spending(
        rows=within(rows, since_ns, until_ns), activity=activity_of(rows)
    )
    files = sum(not each.is_meta for each in found.files.values())
    return spending, prices.version, files, found.unreadable


def _of_calls(calls: pa.Table, costs: pa.Array) -> pa.Table:
    start = calls["StartTime"].cast(pa.timestamp("ns")).cast(pa.int64())
    start = pc.fill_null(start, 0)
    session, agent = _texts(calls, "SessionId"), _texts(calls, "AgentId")
    is_main = pc.equal(session, agent)
    kind = pc.if_else(is_main, _MAIN, _texts(calls, "AgentType"))
    reported = calls["ReportedCostUsd"].cast(pa.float64())
    difference = pc.subtract(costs, reported)
    one = pa.array(np.ones(calls.num_rows, dtype=np.int64))
    return pa.table(
        {
            "bin": pa.array(start.to_numpy() // _BIN_NS * 900),
            "first": start,
            "last": start,
            "session": session,
            "run": session,
            "agent": agent,
            "agent-name": pc.if_else(is_main, "Claude Code", ""),
            "agent-type": kind,
            "model": _texts(calls, "Model"),
            "project": _texts(calls, "Project"),
            "calls": one,
            "unpriced": pc.is_null(costs).cast(pa.int64()),
            "input": calls["InputTokens"],
            "output": calls["OutputTokens"],
            "cache_read": calls["CacheReadTokens"],
            "cache_write": calls["CacheWriteTokens"],
            "cache_write_5m": calls["CacheWrite5mTokens"],
            "cache_write_1h": calls["CacheWrite1hTokens"],
            "cost": costs,
            "reported": reported,
            "difference": difference,
            "theirs": pc.if_else(pc.is_null(costs), None, reported),
        }
    )


def _texts(table: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.fill_null(table[name].cast(pa.string()), "")
