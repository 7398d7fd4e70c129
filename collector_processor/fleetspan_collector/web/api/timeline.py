"""The waterfall of one run: what it did, row by row, parents first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fleetspan_collector.web.api.rows import ReadsRows, rfc3339
from fleetspan_collector.web.api.runs import bounds_of, run_documents

MOST_ROWS: Final = 100_000
_COLUMNS: Final = (
    *("id", "kind", "parent", "agent", "name", "start_s", "duration_s", "status"),
    *("error", "model", "tokens", "cost_usd", "wait_s", "span_id", "trace_id"),
    "critical_s",
)


@dataclass(slots=True, kw_only=True, eq=False)
class _Row:
    id: str
    kind: str
    name: str
    start_ns: int
    duration_ns: float | None
    status: str
    error: str = ""
    model: str = ""
    tokens: int | None = None
    cost_usd: float | None = None
    wait_s: float = 0.0
    span_id: str = ""
    trace_id: str = ""
    critical_s: float = 0.0
    parent: _Row | None = None
    agent: _Row | None = None
    children: list[_Row] = field(default_factory=list)
    place: int = -1


def timeline(
    rows: ReadsRows,
    sees: str | None,
    run: Mapping[str, Any],
    *,
    offset: int,
    limit: int,
) -> dict[str, Any]:
    """Return the document of a run's waterfall.

    Args:
        rows: The store.
        sees: Whose rows.
        run: A row of ``page_run``.
        offset: How many rows to pass over.
        limit: How many to return; indices in them are of the whole list.
    """
    parameters = {"run_id": run["run_id"], **bounds_of(run)}
    ordered = _ordered(_read(rows, sees, parameters))
    origin_ns: int = run["start_ns"]
    path = _path(rows, sees, parameters, ordered, origin_ns)
    ledger: dict[str, float] = {}
    for segment in path:
        seconds = segment["end_s"] - segment["start_s"]
        ledger[segment["category"]] = ledger.get(segment["category"], 0.0) + seconds
    shown = ordered[offset : offset + limit]
    return {
        "run": run_documents(rows, sees, [run])[0],
        "started_at": rfc3339(origin_ns),
        "rows": _columns(shown, origin_ns),
        "total_rows": len(ordered),
        "path": path,
        "ledger": ledger,
    }


def _read(
    rows: ReadsRows, sees: str | None, parameters: Mapping[str, Any]
) -> list[_Row]:
    agents = rows.of(sees, "page_agents", parameters)
    by_agent: dict[str, _Row] = {}
    for row in agents:
        by_agent.setdefault(row["id"], _agent(row))
    calls = [
        _done(_llm(row), row["agent"], by_agent)
        for row in rows.of(sees, "page_llm_calls", parameters)
    ]
    tools = {
        row["id"]: _done(_tool(row), row["agent"], by_agent)
        for row in rows.of(sees, "page_tool_calls", parameters)
    }
    for row in agents:
        # Below the call that started it, where that is known, else below its parent.
        here = by_agent[row["id"]]
        spawn = tools.get(row["spawn"]) or _of_span(tools.values(), row["spawn"])
        here.parent = spawn or by_agent.get(row["parent"])
        here.agent = by_agent.get(row["parent"])
    found = [*by_agent.values(), *calls, *tools.values()]
    traces = sorted({row.trace_id for row in found if row.trace_id})
    if not traces:
        return found
    return found + _other_spans(rows, sees, parameters, traces, found)


def _of_span(rows: Iterable[_Row], span_id: str) -> _Row | None:
    if not span_id:
        return None
    return next((row for row in rows if row.span_id == span_id), None)


def _agent(row: Mapping[str, Any]) -> _Row:
    end_ns = row["end_ns"]
    if end_ns is None and row["status"] != "running":
        end_ns = row["activity_ns"]
    return _Row(
        id=row["id"],
        kind="agent",
        name=row["name"] or row["type"] or row["id"],
        start_ns=row["start_ns"],
        duration_ns=None if end_ns is None else end_ns - row["start_ns"],
        status=row["status"],
        error=row["error"],
        model=row["model"],
        span_id=row["span_id"],
        trace_id=row["trace_id"],
    )


def _llm(row: Mapping[str, Any]) -> _Row:
    duration = row["duration_ms"]
    return _Row(
        id=row["id"],
        kind="llm",
        name=row["model"] or "llm call",
        start_ns=row["start_ns"],
        duration_ns=None if duration is None else duration * 1e6,
        status="error" if row["error"] else "running" if duration is None else "ok",
        error=row["error"],
        model=row["model"],
        tokens=row["tokens"],
        cost_usd=row["cost_usd"],
        span_id=row["span_id"],
        trace_id=row["trace_id"],
    )


def _tool(row: Mapping[str, Any]) -> _Row:
    duration, success = row["duration_ms"], row["success"]
    failed = success == 0 or bool(row["error"])
    known = "running" if duration is None and success is None else "ok"
    return _Row(
        id=row["id"],
        kind="tool",
        name=row["tool"] or "tool",
        start_ns=row["start_ns"],
        duration_ns=None if duration is None else duration * 1e6,
        status="error" if failed else known,
        error=row["error"],
        wait_s=row["wait_ms"] / 1e3,
        span_id=row["span_id"],
        trace_id=row["trace_id"],
    )


def _done(row: _Row, agent_id: str, agents: Mapping[str, _Row]) -> _Row:
    row.agent = row.parent = agents.get(agent_id)
    return row


def _other_spans(
    rows: ReadsRows,
    sees: str | None,
    parameters: Mapping[str, Any],
    traces: list[str],
    found: list[_Row],
) -> list[_Row]:
    """Spans of the run's traces that tell of nothing that has a row already."""
    by_span = {(row.trace_id, row.span_id): row for row in found if row.span_id}
    read = rows.of(
        sees,
        "page_spans",
        {
            "traces": traces,
            "first": parameters["first"],
            "last": parameters["last"] + 1,
            "limit": MOST_ROWS,
        },
    )
    parents: dict[tuple[str, str], str] = {}
    others: list[_Row] = []
    for span in read:
        key = (span["trace_id"], span["span_id"])
        parents[key] = span["parent"]
        if key in by_span:
            continue
        row = _Row(
            id=span["span_id"],
            kind="span",
            name=span["name"],
            start_ns=span["start_ns"],
            duration_ns=span["duration_ns"],
            status="error" if span["failed"] else "ok",
            error=(span["message"] or "error") if span["failed"] else "",
            span_id=span["span_id"],
            trace_id=span["trace_id"],
        )
        by_span[key] = row
        others.append(row)
    for row in others:
        row.parent = by_span.get((row.trace_id, parents[row.trace_id, row.span_id]))
        above = row.parent
        row.agent = above if above is None or above.kind == "agent" else above.agent
    for row in found:
        # Work below a span that is no agent stands below it, if that is its agent's.
        above = by_span.get(
            (row.trace_id, parents.get((row.trace_id, row.span_id), ""))
        )
        if (
            row.kind == "agent"
            and row.parent is None
            or (
                row.kind != "agent"
                and above is not None
                and above.kind != "agent"
                and above.agent is row.agent
            )
        ):
            row.parent = above
    return others


def _ordered(found: list[_Row]) -> list[_Row]:
    """ReadsRows in the order of a walk through the tree; siblings by start."""
    found.sort(key=lambda row: (row.start_ns, row.kind != "agent", row.id))
    roots = []
    for row in found:
        if row.parent is None or row.parent is row:
            roots.append(row)
        else:
            row.parent.children.append(row)
    ordered = _walk(roots)
    if len(ordered) < len(found):
        # Parents in a circle: nobody leads to them, and they are still there.
        for row in found:
            if row.place < 0:
                if row.parent is not None:
                    row.parent.children.remove(row)
                row.parent = None
                ordered += _walk([row], len(ordered))
    return ordered


def _walk(roots: list[_Row], first: int = 0) -> list[_Row]:
    ordered: list[_Row] = []
    waiting = roots[::-1]
    while waiting:
        row = waiting.pop()
        if row.place >= 0:
            continue
        row.place = first + len(ordered)
        ordered.append(row)
        waiting.extend(row.children[::-1])
    return ordered


def _path(
    rows: ReadsRows,
    sees: str | None,
    parameters: Mapping[str, Any],
    ordered: list[_Row],
    origin_ns: int,
) -> list[dict[str, Any]]:
    read = rows.of(sees, "page_path", parameters)
    if not read:
        return []
    by_key = {row.id: row for row in ordered if row.kind in ("llm", "tool")}
    agents = {row.id: row for row in ordered if row.kind == "agent"}
    found = read[0]
    path = []
    for start, end, category, agent, key in zip(
        *(found[name] for name in ("starts", "ends", "categories", "agents", "keys")),
        strict=True,
    ):
        row = by_key.get(key) or agents.get(agent)
        if row is not None:
            row.critical_s += (end - start) / 1e9
        path.append(
            {
                "start_s": (start - origin_ns) / 1e9,
                "end_s": (end - origin_ns) / 1e9,
                "category": category,
                "row": -1 if row is None else row.place,
            }
        )
    return path


def _columns(shown: list[_Row], origin_ns: int) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for row in shown:
        duration = row.duration_ns
        values = (
            row.id,
            row.kind,
            -1 if row.parent is None else row.parent.place,
            -1 if row.agent is None else row.agent.place,
            row.name,
            (row.start_ns - origin_ns) / 1e9,
            None if duration is None else duration / 1e9,
            row.status,
            row.error,
            row.model,
            row.tokens,
            row.cost_usd,
            row.wait_s,
            row.span_id,
            row.trace_id,
            row.critical_s,
        )
        for name, value in zip(_COLUMNS, values, strict=True):
            columns[name].append(value)
    return columns
