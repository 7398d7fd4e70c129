"""A real Jaeger over a store, and one that is forwarded to.

It takes minutes to build: ``FLEETSPAN_TEST_JAEGER=1`` does, and the path of a Jaeger that
was built before (see `real_jaeger`) takes that.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import grpc
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceStub,
)
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from fleetspan_collector.access.key_gate import KeyGate
from fleetspan_collector.access.keys import KeyFile
from tests.collector_processor.access.keyed import make_key
from tests.collector_processor.claude_code import captures
from tests.collector_processor.jaeger import compliance, real_jaeger
from tests.collector_processor.jaeger.building import one, trace_id
from tests.collector_processor.jaeger.plain import plain
from tests.collector_processor.jaeger.real_jaeger import Jaeger
from tests.collector_processor.jaeger.serving import Served, served
from tests.collector_processor.running import poll

WANTED = os.environ.get("FLEETSPAN_TEST_JAEGER", "")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.go,
    pytest.mark.slow,
    pytest.mark.timeout(4000),
    pytest.mark.skipif(
        not WANTED,
        reason="needs FLEETSPAN_TEST_JAEGER=1, which builds Jaeger, or the path of one",
    ),
    pytest.mark.skipif(WANTED == "1" and shutil.which("go") is None, reason="needs Go"),
]

ALL_TIMES = {"start": 1_000_000, "end": 4_000_000_000_000_000}
"""In microseconds, as Jaeger takes them."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program."""
    if WANTED != "1":
        return Path(WANTED)
    return real_jaeger.build(tmp_path_factory.mktemp("jaeger"))


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A session of Claude Code, traces of Jaeger's tests, and one of another tenant."""
    folder = tmp_path_factory.mktemp("store")
    key = make_key(folder, "team")
    with served(folder, KeyGate(KeyFile(folder / "keys.json"))) as opened:
        captures.take(opened.store, captures.deliveries("tree"), tenant="team")
        names = ["example_trace", "span_tags_trace", "log_tags_trace"]
        opened.take(*map(compliance.trace, names), tenant="team")
        opened.take(
            one(9001, 1, service="front", name="ask"),
            one(9001, 2, service="back", name="answer", parent=1),
            tenant="team",
        )
        opened.take(one(9002, service="hidden"), tenant="others")
        opened.key = key
        yield opened


@pytest.fixture(scope="module")
def jaeger(
    program: Path, serving: Served, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Jaeger]:
    """A Jaeger with the configuration that we ship."""
    log = tmp_path_factory.mktemp("log") / "jaeger.log"
    variables = {"FLEETSPAN_JAEGER": serving.address, "FLEETSPAN_KEY": serving.key}
    with Jaeger(program, "remote-storage.yaml", log, variables) as started:
        yield started


def rows(serving: Served, columns: str, condition: str = "1") -> list[dict[str, Any]]:
    """Return rows of the tenant's spans."""
    return serving.store.rows(
        "otel_traces", f"Tenant = 'team' AND ({condition})", f"DISTINCT {columns}"
    )


def spans_of_service(serving: Served, service: str) -> dict[str, set[str]]:
    """Return the ids of all spans of traces that a service is part of, by trace."""
    found: dict[str, set[str]] = {}
    condition = (
        "TraceId IN (SELECT TraceId FROM otel.otel_traces"
        f" WHERE Tenant = 'team' AND ServiceName = '{service}')"
    )
    for row in rows(serving, "TraceId, SpanId", condition):
        found.setdefault(row["TraceId"], set()).add(row["SpanId"])
    return found


def test_services_and_operations(jaeger: Jaeger, serving: Served) -> None:
    """It lists the services and operations of the tenant whose key it has."""
    services = {row["ServiceName"] for row in rows(serving, "ServiceName")}
    assert "claude-code" in services
    assert set(jaeger.data("/api/services")) == services
    assert set(jaeger.get("/api/v3/services")[1]["services"]) == services
    for service in services:
        names = {
            (row["SpanName"], row["SpanKind"].lower().replace("unspecified", ""))
            for row in rows(serving, "SpanName, SpanKind", f"ServiceName = '{service}'")
        }
        found = jaeger.data(f"/api/operations?service={quote(service)}")
        assert {(each["name"], each["spanKind"]) for each in found} == names


def test_a_session_of_claude_code(jaeger: Jaeger, serving: Served) -> None:
    """A search lists each of its traces, with all spans."""
    stored = spans_of_service(serving, "claude-code")
    asked = {"service": "claude-code", "limit": 1000, **ALL_TIMES}
    found = jaeger.data(f"/api/traces?{urlencode(asked)}")
    assert {
        trace["traceID"]: {span["spanID"] for span in trace["spans"]} for trace in found
    } == stored
    for each in stored:
        (trace,) = jaeger.data(f"/api/traces/{each}")
        assert {span["spanID"] for span in trace["spans"]} == stored[each]


def test_a_trace_as_otlp(jaeger: Jaeger) -> None:
    """Its newer API gives the trace as it was sent, values with their types."""
    status, document = jaeger.get("/api/v3/traces/00000000000000000000000000000011")
    assert status == 200
    found = json_format.ParseDict(as_protobuf_json(document["result"]), TracesData())
    assert plain([found]) == plain([compliance.trace("example_trace")])


def as_protobuf_json(document: Any) -> Any:
    """OTLP's JSON has ids in hexadecimal digits; protobuf's own has base64."""
    if isinstance(document, list):
        return [as_protobuf_json(each) for each in document]
    if not isinstance(document, dict):
        return document
    ids = {"traceId", "spanId", "parentSpanId"}
    return {
        key: (
            base64.b64encode(bytes.fromhex(value)).decode()
            if key in ids
            else as_protobuf_json(value)
        )
        for key, value in document.items()
    }


@pytest.mark.parametrize(
    ("service", "tags", "expected"),
    [
        ("query01-service", '{"sameplacetag2":"123","sameplacetag4":"true"}', 1),
        ("query01-service", '{"sameplacetag3":"72.5"}', 1),
        ("query01-service", '{"sameplacetag3":"72"}', 0),
        ("query02-service", '{"sameplacetag1":"sameplacevalue"}', 1),
        ("example-service-1", '{"span.kind":"server"}', 1),
        ("example-service-1", '{"error":"true"}', 0),
    ],
)
def test_tags(jaeger: Jaeger, service: str, tags: str, expected: int) -> None:
    """A search by tags finds what has them, in spans, resources and events."""
    asked = {"service": service, "tags": tags, **ALL_TIMES}
    assert len(jaeger.data(f"/api/traces?{urlencode(asked)}")) == expected


def test_what_is_not_there(jaeger: Jaeger) -> None:
    """A trace that is not there, or another tenant's, is 404."""
    for number in (9404, 9002):
        status, document = jaeger.get(f"/api/traces/{trace_id(number).hex()}")
        assert (status, document["errors"][0]["msg"]) == (404, "trace not found")
    assert "hidden" not in jaeger.data("/api/services")


def test_dependencies(jaeger: Jaeger) -> None:
    """Its graph of services has the calls between them."""
    asked = {"endTs": 4_000_000_000_000, "lookback": 3_900_000_000_000}
    found = jaeger.data(f"/api/dependencies?{urlencode(asked)}")
    calls = {(each["parent"], each["child"], each["callCount"]) for each in found}
    assert ("front", "back", 1) in calls


def test_it_does_not_report_its_own_work(jaeger: Jaeger, serving: Served) -> None:
    """With our configuration it sends no traces of itself to the collector's port."""
    jaeger.data("/api/services")
    assert "4317" not in jaeger.log


def test_a_wrong_key(program: Path, serving: Served, tmp_path: Path) -> None:
    """With a key that is none it shows why it shows nothing."""
    variables = {"FLEETSPAN_JAEGER": serving.address, "FLEETSPAN_KEY": "wrong"}
    log = tmp_path / "jaeger.log"
    with Jaeger(program, "remote-storage.yaml", log, variables) as started:
        status, document = started.get("/api/services")
        assert status == 500
        assert "this collector wants a key" in document["errors"][0]["msg"]


def test_the_ordinary_way(program: Path, tmp_path: Path) -> None:
    """With the other configuration it keeps what is sent to it over OTLP."""
    with Jaeger(program, "forwarding.yaml", tmp_path / "jaeger.log", {}) as started:
        with grpc.insecure_channel(started.otlp) as channel:
            sent = compliance.trace("example_trace")
            stub: Any = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
            stub.Export(sent, timeout=30, wait_for_ready=True)

        def spans() -> int:
            status, document = started.get(
                "/api/traces/00000000000000000000000000000011"
            )
            return len(document["data"][0]["spans"]) if status == 200 else 0

        poll(lambda: spans() == 5, "Jaeger has all spans")
