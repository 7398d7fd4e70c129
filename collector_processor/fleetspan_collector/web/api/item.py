"""One row of a timeline with everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fleetspan_collector.web.api.rows import ReadsRows, rfc3339
from fleetspan_collector.web.api.runs import bounds_of
from fleetspan_collector.web.lookup import ItemNotFoundError

_TABLES: Final = {
    "agent": ("agents", "AgentId"),
    "llm": ("llm_calls", "CallId"),
    "tool": ("tool_calls", "ToolCallId"),
}
_MOST_LOGS: Final = 200
_NOT_SHOWN: Final = frozenset({"Bucket", "RulesVersion", "Tenant"})


def item(
    rows: ReadsRows,
    sees: str | None,
    run: Mapping[str, Any],
    kind: str,
    item_id: str,
    trace_id: str | None = None,
) -> dict[str, Any]:
    """Return the document of one row.

    Args:
        rows: The store.
        sees: Whose rows.
        run: A row of ``page_run``.
        kind: ``agent``, ``llm``, ``tool`` or ``span``.
        item_id: Its id.
        trace_id: The trace of a span; the run's own unless given.

    Raises:
        ItemNotFoundError: When there is none.
    """
    bounds = bounds_of(run)
    facts: dict[str, Any] = {}
    span_id, trace = item_id, trace_id or run["trace_id"]
    if kind in _TABLES:
        table, key = _TABLES[kind]
        found = rows.of(
            sees,
            "page_item",
            {"run_id": run["run_id"], "id": item_id, **bounds},
            table=table,
            key=key,
        )
        if not found:
            raise ItemNotFoundError(kind, item_id)
        facts = found[0]
        span_id, trace = facts["SpanId"], facts["TraceId"]
    where = {"trace_id": trace, "span_id": span_id, **bounds}
    spans = rows.of(sees, "page_span", where) if span_id else []
    if kind == "span" and not spans:
        raise ItemNotFoundError(kind, item_id)
    logs = rows.of(sees, "page_span_logs", {**where, "limit": _MOST_LOGS})
    return {
        "id": item_id,
        "kind": kind,
        "facts": [
            {"key": name, "value": _text(value)}
            for name, value in facts.items()
            if name not in _NOT_SHOWN and value not in (None, "", [])
        ],
        "attributes": _pairs_of(spans, "attribute"),
        "resource": _pairs_of(spans, "resource"),
        "events": _events(spans, logs if span_id else []),
    }


def _pairs_of(spans: list[dict[str, Any]], what: str) -> list[dict[str, str]]:
    if not spans:
        return []
    return _pairs(spans[0][f"{what}_names"], spans[0][f"{what}_values"])


def _pairs(names: Iterable[str], values: Iterable[str]) -> list[dict[str, str]]:
    return [
        {"key": name, "value": value} for name, value in zip(names, values, strict=True)
    ]


def _events(
    spans: list[dict[str, Any]], logs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    found: list[tuple[int, dict[str, Any]]] = []
    for span in spans:
        for at_ns, name, keys, values in zip(
            *(span[f"event_{part}"] for part in ("ns", "names", "keys", "values")),
            strict=True,
        ):
            found.append((at_ns, _event(at_ns, name, "", _pairs(keys, values))))
    for log in logs:
        attributes = _pairs(log["names"], log["values"])
        event = _event(log["at_ns"], log["name"], log["body"], attributes)
        found.append((log["at_ns"], event))
    return [event for _, event in sorted(found, key=lambda each: each[0])]


def _event(
    at_ns: int, name: str, body: str, attributes: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "at": rfc3339(at_ns),
        "name": name,
        "body": body,
        "attributes": attributes,
    }


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
