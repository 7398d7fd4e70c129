"""Sending to each face of a collector with keys, and reading from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceStub,
)

from tests.collector_processor.access.keyed import KeyedCollector, bearer
from tests.collector_processor.fleet import RESOURCE, agent, traces

PROTOBUF = {"content-type": "application/x-protobuf"}
# What a client may say of itself, and what must not count.
FORGED_RESOURCE = {**RESOURCE, "tenant": "b", "tenant.id": "b", "fleetspan.tenant": "b"}


@dataclass
class Keyed:
    """A collector and its keys by name."""

    collector: KeyedCollector
    keys: dict[str, str]


def by_grpc(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a span over gRPC; return the code."""
    request = traces([agent(number, 10)], FORGED_RESOURCE)
    with grpc.insecure_channel(keyed.collector.endpoint("otlp_grpc")) as channel:
        try:
            stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
            stub.Export(request, timeout=20, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            code: str = error.code().name
            return code
    return "OK"


CODES = {200: "OK", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}


def post(keyed: Keyed, path: str, body: bytes, headers: dict[str, str]) -> str:
    """Post to the HTTP receiver; return the status as gRPC would call it."""
    status, received, _ = keyed.collector.ask("otlp_http", "POST", path, body, headers)
    challenge = received.get("www-authenticate", "")
    assert challenge.startswith("Bearer") == (status == 401)
    return CODES.get(status, str(status))


def by_http(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a span over HTTP."""
    body = traces([agent(number, 10)], FORGED_RESOURCE).SerializeToString()
    return post(keyed, "/v1/traces", body, PROTOBUF | headers)


def by_hook(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a hook."""
    hook = {"session_id": f"s{number}", "hook_event_name": "Stop", "tenant": "b"}
    media = {"content-type": "application/json"}
    path = "/v1/claude-code/hooks"
    return post(keyed, path, json.dumps(hook).encode(), media | headers)


def by_transcript(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a line of a transcript."""
    line = {"type": "user", "sessionId": f"s{number}", "uuid": f"u{number}"}
    where = {
        "content-type": "application/x-ndjson",
        "x-fleetspan-transcript-path": f"/p/s{number}.jsonl",
        "x-fleetspan-transcript-offset": "0",
    }
    path = "/v1/claude-code/transcripts"
    return post(keyed, path, json.dumps(line).encode() + b"\n", where | headers)


Send = Callable[[Keyed, dict[str, str], int], str]
# By the table in which what was sent is found, and its column that names it.
FACES: dict[str, tuple[Send, str, str]] = {
    "grpc": (by_grpc, "otel_traces", "TraceId"),
    "http": (by_http, "otel_traces", "TraceId"),
    "hooks": (by_hook, "claude_hooks", "SessionId"),
    "transcripts": (by_transcript, "claude_transcript_lines", "SessionId"),
}
numbers = iter(range(0xA000, 0xB000))


def read(keyed: Keyed, key: str, query: str) -> list[dict[str, object]]:
    """Run a statement with a key."""
    path = "/api/v1/sql?format=JSONEachRow"
    status, _, body = keyed.collector.ask(
        "web", "POST", path, query.encode(), bearer(key)
    )
    assert status == 200, body
    return [json.loads(line) for line in body.splitlines()]
