"""How the agents of a Claude Code session stand: who is at work, who has ended.

Its feeds tell of turns rather than of lives: an agent that has ended may be asked to go
on, an agent that was killed reports nothing, and the session's end is the end of all.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns, codes

SESSION_END: Final = "session_end"
"""In the ``FinishReason`` of a main agent: its client said that the session is over."""

_GRACE_NS: Final = 2_000_000_000
"""What happens so soon after an end belongs to it: hooks run, reports are flushed."""

_UNKNOWN_TIME: Final = np.iinfo(np.int64).min


def with_sessions_settled(evidence: pa.Table) -> pa.Table:
    """Evidence in which each agent of a session stands as all of its rows say.

    An agent that did something after it ended is at work again; one that nobody saw
    end, in a session that is over, is abandoned.
    """
    columns = Columns(evidence)
    if not columns.of_session.any():
        return evidence
    evidence = _with_known_times(Columns(_without_copied_agents(columns)))
    columns = Columns(evidence)
    agents = np.flatnonzero(columns.of_session & (columns.strings("Kind") == "agent"))
    active = _last_own_activity(columns, agents)
    status = columns.strings("Status").copy()
    end = columns.nanoseconds("EndTime").copy()
    ended = np.isin(status[agents], ("ok", "error"))
    known_end = end[agents] != _UNKNOWN_TIME
    again = agents[ended & known_end & (active > end[agents] + _GRACE_NS)]
    status[again] = "running"
    end[again] = _UNKNOWN_TIME
    over = _over_at(columns, agents, status, end)
    left = (status[agents] == "running") & (active <= over + _GRACE_NS)
    status[agents[left]] = "abandoned"
    return _set(
        _set(evidence, "Status", pa.array(status, pa.string())),
        "EndTime",
        pa.array(
            end.astype("datetime64[ns]"), pa.timestamp("ns"), mask=end == _UNKNOWN_TIME
        ),
    )


def _without_copied_agents(columns: Columns) -> pa.Table:
    """Evidence without agents of another session, of which only a result was copied.

    A fork copies the results of tool calls without saying whose they were. An agent of
    which nothing is known but that a tool call answered with it, and that call is not
    of this session, is not of it either.
    """
    kind = columns.strings("Kind")
    spawn = columns.strings("SpawnToolCallId")
    asking = np.flatnonzero(
        columns.of_session
        & (kind == "agent")
        & (spawn != "")
        & (columns.nanoseconds("StartTime") <= 0)
    )
    if not len(asking):
        return columns.table
    tools = np.flatnonzero(
        columns.of_session & (kind == "tool") & columns.known("Name")
    )
    both = np.concatenate([tools, asking])
    number, count = codes(
        columns.strings("Tenant")[both],
        columns.strings("GroupKey")[both],
        np.concatenate([columns.strings("ToolCallId")[tools], spawn[asking]]),
    )
    made_here = np.zeros(count, dtype=bool)
    made_here[number[: len(tools)]] = True
    kept = np.ones(columns.count, dtype=bool)
    kept[asking] = made_here[number[len(tools) :]]
    return columns.table if kept.all() else columns.table.filter(pa.array(kept))


def _with_known_times(columns: Columns) -> pa.Table:
    """Evidence whose rows all have a start; what a session has no time for is left out.

    Some lines of a transcript have no time. A row is written under the hour of its
    start for good, so a guess that no feed supports must not be written at all.
    """
    start = columns.nanoseconds("StartTime").copy()
    untimed = columns.of_session & (start <= 0)
    if not untimed.any():
        return columns.table
    number, count = codes(columns.strings("Tenant"), columns.strings("GroupKey"))
    earliest = np.full(count, np.iinfo(np.int64).max)
    timed = np.flatnonzero(start > 0)
    np.minimum.at(earliest, number[timed], start[timed])
    start[untimed] = earliest[number[untimed]]
    known = start != np.iinfo(np.int64).max
    times = pa.array(start.astype("datetime64[ns]"), pa.timestamp("ns"))
    filled = _set(columns.table, "StartTime", times)
    return filled if known.all() else filled.filter(pa.array(known))


def _last_own_activity(
    columns: Columns, agents: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each agent row when it, or a call or tool call of its, was last active."""
    kind = columns.strings("Kind")
    doing = np.flatnonzero(
        np.isin(kind, ("agent", "call", "tool")) & columns.known("AgentId")
    )
    both = np.concatenate([agents, doing])
    number, count = codes(
        columns.strings("Tenant")[both],
        columns.strings("GroupKey")[both],
        columns.strings("AgentId")[both],
    )
    last = np.full(count, _UNKNOWN_TIME)
    np.maximum.at(
        last, number[len(agents) :], columns.nanoseconds("LastActivity")[doing]
    )
    active: NDArray[np.int64] = last[number[: len(agents)]]
    return active


def _over_at(
    columns: Columns,
    agents: NDArray[np.int64],
    status: NDArray[np.object_],
    end: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each agent row when its session was over; the minimum when it is not."""
    number, count = codes(
        columns.strings("Tenant")[agents], columns.strings("GroupKey")[agents]
    )
    main = columns.strings("AgentId")[agents] == columns.strings("GroupKey")[agents]
    over = (
        main
        & (columns.strings("FinishReason")[agents] == SESSION_END)
        & (status[agents] != "running")
    )
    at = np.full(count, _UNKNOWN_TIME)
    at[number[over]] = end[agents[over]]
    # The minimum must not wrap when the grace is added.
    return np.where(at[number] == _UNKNOWN_TIME, _UNKNOWN_TIME + _GRACE_NS, at[number])


def _set(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(
        index, name, pc.cast(values, table.schema.field(index).type)
    )
