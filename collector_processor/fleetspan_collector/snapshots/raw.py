"""What raw rows know of runs at moments: todo lists, messages, transcripts, files.

Read for all runs and moments of a capture together: the cost of a statement is its
analysis.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from fleetspan_collector._columns import Columns
from fleetspan_collector.processors.batch import RunKey
from fleetspan_collector.processors.conditions import condition_on
from fleetspan_collector.processors.run import NONE, Run
from fleetspan_collector.snapshots.requests import exact_rows
from fleetspan_collector.snapshots.standing import LONGEST_TEXT, MOST_AGENTS
from fleetspan_collector.snapshots.triggers import end_ns
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

MOST_FILES: Final = 1000
MOST_TODOS: Final = 200

_Line = tuple[str, int]
"""Path of a transcript and offset of a line in it."""

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
        self._database = engine.address.database
        runs = [run for run, _ in wanted]
        self._todos = self._read_todos(runs)
        self._files = self._read_files(runs)
        self._lines = self._read_lines(runs)
        self._bodies = self._read_bodies(wanted)
        self._messages = self._read_messages(wanted)

    def at(self, run: Run, at_ns: int) -> dict[str, Any]:
        """Return todos, transcripts, messages and files, as JSON holds them."""
        key = (run.facts.tenant, run.facts.run_id)
        return {
            "todos": _todos_at(self._todos.get(key, ()), at_ns),
            "transcripts": self._transcripts_at(key, at_ns),
            "messages": self._messages_at(run, at_ns),
            "files": _files_at(self._files.get(key, ()), at_ns),
        }

    # --- todo lists

    def _read_todos(self, runs: Sequence[Run]) -> dict[RunKey, list[dict[str, Any]]]:
        sessions = _sessions(runs)
        if not sessions:
            return {}
        rows = self._rows(
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
        rows = self._rows(
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
                key = (run.facts.tenant, run.facts.run_id)
                found.setdefault(key, []).append(row)
        return found

    # --- transcripts

    def _read_lines(self, runs: Sequence[Run]) -> dict[RunKey, dict[str, Columns]]:
        """Lines by session and agent, in order of time."""
        sessions = _sessions(runs)
        if not sessions:
            return {}
        table = self._engine.arrow(
            _sql.render(
                "snapshot_lines",
                database=self._database,
                files=condition_on(sessions, "FileSessionId"),
            )
        )
        rows = Columns(table)
        names = zip(
            rows.strings("Tenant").tolist(),
            rows.strings("SessionId").tolist(),
            rows.strings("AgentId").tolist(),
            strict=True,
        )
        of_agent: dict[tuple[str, str, str], list[int]] = {}
        for row, name in enumerate(names):
            of_agent.setdefault(name, []).append(row)
        found: dict[RunKey, dict[str, Columns]] = {}
        for (tenant, session, agent), taken in of_agent.items():
            agents = found.setdefault((tenant, session), {})
            agents[agent] = Columns(table.take(taken))
        return found

    def _lines_at(
        self, key: RunKey, at_ns: int
    ) -> dict[str, tuple[_Line, _Line | None]]:
        """For each agent its latest line by a moment, and the latest one in words."""
        found: dict[str, tuple[_Line, _Line | None]] = {}
        for agent, lines in self._lines.get(key, {}).items():
            times = lines.nanoseconds("At")
            count = int(np.searchsorted(times, at_ns, side="right"))
            if not count:
                continue
            words = np.flatnonzero(lines.integers("Speaks")[:count])
            spoken = _line(lines, int(words[-1])) if len(words) else None
            found[agent] = _line(lines, count - 1), spoken
            if len(found) == MOST_AGENTS:
                break
        return found

    def _read_bodies(
        self, wanted: Sequence[tuple[Run, Sequence[int]]]
    ) -> dict[tuple[RunKey, _Line], dict[str, Any]]:
        lines: set[_Line] = set()
        sessions: list[RunKey] = []
        for run, moments in wanted:
            key = (run.facts.tenant, run.facts.run_id)
            if key in self._lines:
                sessions.append(key)
                for at_ns in moments:
                    for pair in self._lines_at(key, at_ns).values():
                        lines.update(line for line in pair if line is not None)
        if not lines:
            return {}
        pairs = ", ".join(
            f"('{_sql.quote(path)}', {offset})" for path, offset in sorted(lines)
        )
        rows = self._rows(
            "snapshot_line_bodies",
            files=condition_on(sessions, "FileSessionId"),
            lines=pairs,
            longest=str(LONGEST_TEXT),
        )
        return {
            ((row["Tenant"], row["SessionId"]), (row["Path"], row["Offset"])): row
            for row in rows
        }

    def _transcripts_at(self, key: RunKey, at_ns: int) -> list[dict[str, Any]]:
        found = []
        for agent, (last, spoken) in self._lines_at(key, at_ns).items():
            body = self._bodies.get((key, last), {})
            said = self._bodies.get((key, spoken), {}) if spoken else {}
            found.append(
                {
                    "agent_id": agent,
                    "path": last[0],
                    "offset": last[1],
                    "bytes": body.get("Bytes"),
                    "sha256": body.get("Hash"),
                    "last_message": said.get("Text") or None,
                }
            )
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
        rows = self._rows(
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

    def _rows(self, name: str, **tokens: str) -> list[dict[str, Any]]:
        statement = _sql.render(name, database=self._database, **tokens)
        return exact_rows(self._engine.arrow(statement))


def _sessions(runs: Iterable[Run]) -> list[RunKey]:
    """The runs that are sessions of Claude Code."""
    return [
        (run.facts.tenant, run.facts.run_id)
        for run in runs
        if run.facts.session_id == run.facts.run_id
    ]


def _bounds(runs: Iterable[Run]) -> tuple[int, int]:
    """The first and the last second of some runs, as the engine can compare them."""
    first = min(run.facts.start_ns for run in runs) // 10**9 - 1
    last = max(run.facts.last_activity_ns for run in runs) // 10**9 + 1
    return min(max(first, 0), _LAST_S), min(max(last, 0), _LAST_S)


def _line(lines: Columns, row: int) -> _Line:
    return lines.strings("Path")[row], int(lines.integers("Offset")[row])


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


def _todos_at(rows: Sequence[Mapping[str, Any]], at_ns: int) -> list[dict[str, Any]]:
    """The latest list of each agent, and its tasks as they stood."""
    lists: dict[str, list[dict[str, Any]]] = {}
    tasks: dict[tuple[str, str], dict[str, Any]] = {}
    count = bisect.bisect_right(rows, at_ns, key=lambda row: row["At"])
    for row in rows[:count]:
        agent, given, result = (
            row["AgentId"],
            _object(row["Input"]),
            _object(row["Result"]),
        )
        if row["Tool"] == "TodoWrite":
            listed = given.get("todos")
            lists[agent] = [
                _todo(agent, each.get("content"), each.get("status"))
                for each in (listed if isinstance(listed, list) else [])
                if isinstance(each, dict)
            ]
        elif row["Tool"] == "TaskCreate":
            made = result.get("task")
            task_id = made.get("id") if isinstance(made, dict) else None
            tasks[agent, str(task_id or len(tasks) + 1)] = _todo(
                agent, given.get("subject"), "pending"
            )
        else:
            task = tasks.get((agent, str(given.get("taskId"))))
            if task is not None and isinstance(given.get("status"), str):
                task["status"] = given["status"]
    found = [todo for listed in lists.values() for todo in listed]
    found += [task for task in tasks.values() if task["status"] != "deleted"]
    return found[:MOST_TODOS]


def _todo(agent: str, content: object, status: object) -> dict[str, Any]:
    return {
        "agent_id": agent,
        "content": str(content or "")[:LONGEST_TEXT],
        "status": status if isinstance(status, str) else "pending",
    }


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


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
