"""What a real session of Claude Code sent, read as Jaeger reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.collector_processor.claude_code import captures
from tests.collector_processor.jaeger.plain import plain, traces_in
from tests.collector_processor.jaeger.serving import Client, Served, served

pytestmark = pytest.mark.integration

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")


def test_the_traces_of_a_session_equal_the_store(tmp_path: Path) -> None:
    """Every span of every trace is read as it stands in the store, and no other."""
    with served(tmp_path) as serving:
        captures.take(serving.store, captures.deliveries("tree"))
        stored = stored_spans(serving)
        ids = sorted({bytes.fromhex(span["trace"]) for span in stored})
        messages = serving.client.get_ids(*ids)
        read = [as_stored(span) for span in plain(messages)]
        assert sorted(read, key=place) == sorted(stored, key=place)
        assert len(read) > 20
        found = dict.fromkeys(trace for trace, _ in traces_in(messages))
        assert list(found) == [each.hex() for each in ids]
        assert set(serving.client.hex_ids(search_depth=1000)) == set(found)
        check_names(serving.client, stored)


def place(span: dict[str, Any]) -> tuple[str, str]:
    """Where a span stands when all are sorted."""
    return span["trace"], span["id"]


def check_names(client: Client, stored: list[dict[str, Any]]) -> None:
    """See that its service and its operations can be chosen and searched for."""
    services = {span["resource"]["service.name"] for span in stored}
    assert client.services() == sorted(services)
    (service,) = services
    names = {name for name, _ in client.operations(service)}
    assert names == {span["name"] for span in stored}
    for name in names:
        having = {span["trace"] for span in stored if span["name"] == name}
        found = client.hex_ids(
            service_name=service, operation_name=name, search_depth=1000
        )
        assert set(found) == having
    summaries = client.summaries(search_depth=1000)
    assert sum(each.span_count for each in summaries) == len(stored)


def stored_spans(serving: Served) -> list[dict[str, Any]]:
    """Return the spans of the store."""
    rows = serving.store.rows(
        "otel_traces",
        columns="TraceId AS trace, SpanId AS id, ParentSpanId AS parent, "
        "TraceState AS state, SpanName AS name, SpanKind AS kind, "
        "toString(toUnixTimestamp64Nano(Timestamp)) AS start, "
        "toString(Duration) AS duration, StatusCode AS status, "
        "StatusMessage AS message, ScopeName AS scope, ScopeVersion AS version, "
        "ResourceAttributes AS resource, SpanAttributes AS attributes, "
        "Events.Name AS events, Events.Attributes AS of_events, Links.SpanId AS links",
    )
    assert len(rows) > 20
    return rows


def as_stored(span: dict[str, Any]) -> dict[str, Any]:
    """Write a span as the store has it."""
    return {
        **{name: span[name] for name in ("trace", "id", "parent", "state", "name")},
        "kind": KINDS[span["kind"]],
        "start": str(span["start"]),
        "duration": str(span["end"] - span["start"]),
        "status": ("Unset", "Ok", "Error")[span["status"][0]],
        "message": span["status"][1],
        "scope": span["scope"][0],
        "version": span["scope"][1],
        "resource": texts(span["resource"]),
        "attributes": texts(span["attributes"]),
        "events": [name for _, name, _ in span["events"]],
        "of_events": [texts(attributes) for _, _, attributes in span["events"]],
        "links": [link[1] for link in span["links"]],
    }


def texts(attributes: dict[str, Any]) -> dict[str, str]:
    """Write attributes as the store has them."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in attributes.items()
    }
