"""The stock OpenTelemetry JavaScript SDK, which knows nothing of Fleetspan."""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tests.collector_processor.node import install_packages

FOLDER = Path(__file__).parent.parent / "javascript_sdk"

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def packages():
    """Install the JavaScript packages, once; skip where that cannot be done."""
    install_packages(FOLDER)


async def export(collector: Any, protocol: str) -> Any:
    """Run the script against the receivers; return what it says it exported."""
    port = collector.grpc.port if protocol == "grpc" else collector.http.port
    environment = os.environ | {
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
    }
    done = await asyncio.to_thread(
        subprocess.run,
        ["node", "export_spans.mjs"],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)["spans"]


async def test_otlp_35_all_protocols_give_the_same_spans(packages, collector):
    """The same four spans by gRPC, HTTP/protobuf and HTTP/JSON are the same messages."""
    expected = [
        ["5b8efff798038103d269b633813fc60c", span_id, parent_id, name]
        for span_id, parent_id, name in (
            ("aaaaaaaaaaaaaaa3", "aaaaaaaaaaaaaaa2", "chat gpt-5"),
            ("aaaaaaaaaaaaaaa4", "aaaaaaaaaaaaaaa2", "execute_tool search"),
            ("aaaaaaaaaaaaaaa2", "aaaaaaaaaaaaaaa1", "invoke_agent researcher"),
            ("aaaaaaaaaaaaaaa1", "", "invoke_workflow nightly"),
        )
    ]
    for protocol in ("grpc", "http/protobuf", "http/json"):
        assert await export(collector, protocol) == expected
    requests = [
        trace_service_pb2.ExportTraceServiceRequest.FromString(submission.payload)
        for submission in collector.sink.submissions
    ]
    assert [s.rows for s in collector.sink.submissions] == [4, 4, 4]
    assert requests[0] == requests[1] == requests[2]
    received = [
        [s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.name]
        for s in requests[0].resource_spans[0].scope_spans[0].spans
    ]
    assert received == expected
    chat = requests[0].resource_spans[0].scope_spans[0].spans[0]
    assert chat.start_time_unix_nano == 1_700_000_000_002_000_789
    assert chat.end_time_unix_nano == 1_700_000_000_040_000_789
