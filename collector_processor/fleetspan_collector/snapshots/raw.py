"""What raw rows know of runs at moments: todo lists, messages, transcripts, files.

Read for all runs and moments of a capture together: the cost of a statement is its
analysis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from fleetspan_collector.processors.batch import RunKey
from fleetspan_collector.processors.run import NONE, Run
from fleetspan_collector.snapshots.amounts import end_ns
from fleetspan_collector.snapshots.standing import LONGEST_TEXT, MOST_AGENTS
from fleetspan_collector.snapshots.statements import rows_of
from fleetspan_collector.snapshots.todos import todos_at
from fleetspan_collector.snapshots.transcripts import Transcripts
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.conditions import condition_on

MOST_FILES: Final = 1000

_LAST_S: Final = 2**32 - 2


class Raw:
    """What the raw rows of some runs tell, up to any of some moments.

    Args:
        engine: A connection that its owner uses from one thread at a time.
        wanted: Runs, each with its moments in Unix nanoseconds.

    Raises:
        ClickHouseError: When the store fails.
    """

    def __init__(
        self, engine: Engine, wanted: Sequence[tuple[Run, Sequence[int]]]
    ) -> None:
        self._engine = engine
        runs = [run for run, _ in wanted]
        self._todos = self._read_todos(runs)
        self._files = self._read_files(runs)
        sessions = set(_sessions(runs))
        self._transcripts = Transcripts(
            engine,
            {_key(run): moments for run, moments in wanted if _key(run) in sessions},
        )
        self._messages = self._read_messages(wanted)

    def at(self, run: Run, at_ns: int) -> dict[str, Any]:
        """Return todos, transcripts, messages and files, as JSON holds them."""
        key = _key(run)
        return {
            "todos": todos_at(self._todos.get(key, ()), at_ns),
            "transcripts": self._transcripts.at(key, at_ns),
            "messages": self._messages_at(run, at_ns),
            "files": _files_at(self._files.get(key, ()), at_ns),
        }

    # --- todo lists

    def _read_todos(self, runs: Sequence[Run]) -> dict[RunKey, list[dict[str, Any]]]:
        sessions = _sessions(runs)
        if not sessions:
            return {}
        rows = rows_of(
            self._engine,
            "snapshot_todos",
            sessions=condition_on(sessions, "SessionId"),
            files=condition_on(sessions, "FileSessionId"),
        )
        found: dict[RunKey, list[dict[str, Any]]] = {}
        for row in sorted(rows, key=lambda row: row["At"]):
            found.setdefault((row["Tenant"], row["SessionId"]), []).append(row)
        return found

    # --- files

    def _read_files(self, runs: Sequence[Run]) -> dict[RunKey, list[dict[str, Any]]]:
        of_group: dict[RunKey, list[Run]] = {}
        traces: list[RunKey] = []
        sessions: list[RunKey] = []
        for run in runs:
            tenant = run.facts.tenant
            for group, listed in (
                (run.facts.trace_id, traces),
                (run.facts.session_id, sessions),
            ):
                if group:
                    of_group.setdefault((tenant, group), []).append(run)
                    listed.append((tenant, group))
        if not of_group:
            return {}
        first, last = _bounds(runs)
        rows = rows_of(
            self._engine,
            "analyse_files",
            traces=condition_on(traces, "TraceId"),
            sessions=condition_on(sessions, "SessionId"),
            first=str(first),
            last=str(last),
        )
        found: dict[RunKey, list[dict[str, Any]]] = {}
        for row in rows:
            row["At"] = row.pop("StartTime")
            for run in of_group.get((row["Tenant"], row["GroupKey"]), ()):
                key = _key(run)
                found.setdefault(key, []).append(row)
        return found

    # --- messages of spans

    def _read_messages(
        self, wanted: Sequence[tuple[Run, Sequence[int]]]
    ) -> dict[tuple[str, str], str]:
        spans: dict[RunKey, set[str]] = {}
        runs = []
        for run, moments in wanted:
            if run.facts.trace_id:
                latest = {span for at in moments for _, span in _latest_calls(run, at)}
                if latest:
                    runs.append(run)
                    spans[run.facts.tenant, run.facts.trace_id] = latest
        if not spans:
            return {}
        condition = " OR ".join(
            f"({condition_on([trace], 'TraceId')}"
            f" AND {condition_on(((trace[0], span) for span in ids), 'SpanId')})"
            for trace, ids in spans.items()
        )
        first, last = _bounds(runs)
        rows = rows_of(
            self._engine,
            "snapshot_messages",
            spans=condition,
            first=str(first),
            last=str(last),
            longest=str(LONGEST_TEXT),
        )
        return {(row["TraceId"], row["SpanId"]): row["Text"] for row in rows}

    def _messages_at(self, run: Run, at_ns: int) -> list[dict[str, Any]]:
        found = []
        for agent, span in _latest_calls(run, at_ns):
            text = self._messages.get((run.facts.trace_id, span))
            if text:
                found.append({"agent_id": agent, "span_id": span, "text": text})
        return found


def _key(run: Run) -> RunKey:
    return run.facts.tenant, run.facts.run_id


def _sessions(runs: Iterable[Run]) -> list[RunKey]:
    """The runs that are sessions of Claude Code."""
    return [_key(run) for run in runs if run.facts.session_id == run.facts.run_id]


def _bounds(runs: Iterable[Run]) -> tuple[int, int]:
    """The first and the last second of some runs, as the engine can compare them."""
    first = min(run.facts.start_ns for run in runs) // 10**9 - 1
    last = max(run.facts.last_activity_ns for run in runs) // 10**9 + 1
    return min(max(first, 0), _LAST_S), min(max(last, 0), _LAST_S)


def _latest_calls(run: Run, at_ns: int) -> list[tuple[str, str]]:
    """For each agent that was at work its latest answered call: agent and span."""
    calls, agents, owner = run.llm_calls, run.agents, run.tree.call_agent
    ends = agents.nanoseconds("EndTime")
    at_work = (agents.nanoseconds("StartTime") <= at_ns) & ((ends > at_ns) | (ends < 0))
    spans = calls.strings("SpanId")
    answered = (end_ns(calls) <= at_ns) & (calls.nanoseconds("StartTime") <= at_ns)
    latest: dict[int, str] = {}
    for row in np.flatnonzero(answered & (owner != NONE) & (spans != "")).tolist():
        if at_work[owner[row]]:
            latest[int(owner[row])] = spans[row]
    ids = agents.strings("AgentId")
    return [(ids[row], span) for row, span in latest.items()][-MOST_AGENTS:]


def _files_at(rows: Sequence[Mapping[str, Any]], at_ns: int) -> list[dict[str, Any]]:
    """What was done last to each file by a moment; files that were only read last."""
    latest: dict[str, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["At"]):
        if row["At"] > at_ns or not row["Path"]:
            continue
        before = latest.get(row["Path"])
        # That it was read later does not undo that it was changed.
        if before is None or row["Operation"] != "read":
            latest[row["Path"]] = row
    ordered = sorted(
        latest.values(), key=lambda row: (row["Operation"] == "read", row["Path"])
    )
    return [
        {
            "path": row["Path"],
            "operation": row["Operation"],
            "agent_id": row["AgentId"],
            "at_ns": row["At"],
        }
        for row in ordered[:MOST_FILES]
    ]
