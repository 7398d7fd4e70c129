"""The OTLP checklist over HTTP; the numbers are those of the reliability reference."""

import asyncio
import gzip
from typing import Any

import orjson
import pytest
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
TRACES = "/v1/traces"


def status_of(answer: Any) -> tuple[int, str]:
    """Read the Status of an error answer, in the encoding that it says it has."""
    status = status_pb2.Status()
    if answer.content_type == PROTOBUF:
        status.ParseFromString(answer.body)
        return status.code, status.message
    assert answer.content_type == JSON
    document = orjson.loads(answer.body)
    return document["code"], document["message"]


class TestTransport:
    """Paths, methods, types and encodings (items 1 to 9)."""

    async def test_otlp_02_all_three_signals_are_taken(self, collector):
        """Traces, logs and metrics each have a path, and arrive as that signal."""
        for signal in ("traces", "logs", "metrics"):
            answer = await collector.post(f"/v1/{signal}", Content_Type=PROTOBUF)
            assert (answer.status, answer.body) == (200, b"")

    async def test_otlp_02_another_path_is_not_found(self, collector):
        """A signal that is not ours is a clean 404 with a Status."""
        answer = await collector.post(
            "/v1development/profiles", b"", Content_Type=PROTOBUF
        )
        assert answer.status == 404
        assert status_of(answer) == (
            5,
            (
                "there is no /v1development/profiles; "
                "expected one of: /v1/claude-code/hooks, /v1/claude-code/transcripts, "
                "/v1/fleetspan/snapshot-chunks, /v1/fleetspan/snapshots, "
                "/v1/logs, /v1/metrics, /v1/traces"
            ),
        )

    async def test_otlp_03_gzip_and_plain_give_the_same_bytes(
        self, collector, trace_request
    ):
        """What is journaled does not depend on compression."""
        body = trace_request().SerializeToString()
        await collector.post(TRACES, body, Content_Type=PROTOBUF)
        await collector.post(
            TRACES, gzip.compress(body), Content_Type=PROTOBUF, Content_Encoding="gzip"
        )
        assert [s.payload for s in collector.sink.submissions] == [body, body]

    async def test_otlp_03_gzip_of_several_members(self, collector, trace_request):
        """A gzip body may have several members and zeros after the last (RFC 1952)."""
        body = trace_request().SerializeToString()
        members = gzip.compress(body[:20]) + gzip.compress(body[20:]) + bytes(8)
        answer = await collector.post(
            TRACES, members, Content_Type=PROTOBUF, Content_Encoding="gzip"
        )
        assert answer.status == 200
        assert collector.sink.submissions[0].payload == body

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "deflate"])
    async def test_otlp_04_unknown_content_encoding_is_415(self, collector, encoding):
        """Only gzip and none are taken, and gzip only once."""
        answer = await collector.post(
            TRACES, b"x", Content_Type=PROTOBUF, Content_Encoding=encoding
        )
        assert answer.status == 415
        assert status_of(answer)[1] == (
            f"the Content-Encoding is '{encoding}'; expected gzip or none"
        )

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "text/json", ""]
    )
    async def test_otlp_04_unknown_content_type_is_415(self, collector, kind):
        """A type that a browser sends without asking first is refused as well."""
        answer = await collector.post(TRACES, b"{}", Content_Type=kind)
        assert answer.status == 415
        assert status_of(answer)[0] == 3
        assert collector.sink.submissions == []

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
    async def test_otlp_05_other_methods_are_405(self, collector, method):
        """Only POST is answered; OPTIONS too is refused, so CORS stays off."""
        answer = await collector.request(method, TRACES, Content_Type=JSON)
        assert answer.status == 405
        assert answer.headers["allow"] == "POST"
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert status_of(answer) == (12, f"the method is {method}, expected POST")

    async def test_otlp_06_content_type_may_have_parameters(
        self, collector, trace_request
    ):
        """Protobuf and JSON share the port, told apart by media type alone."""
        body = trace_request().SerializeToString()
        one = await collector.post(TRACES, body, Content_Type=f"{PROTOBUF}; a=b")
        two = await collector.post(
            TRACES, b"{}", Content_Type="Application/JSON; charset=utf-8"
        )
        assert (one.status, one.content_type) == (200, PROTOBUF)
        assert (two.status, two.content_type) == (200, JSON)

    async def test_otlp_07_response_type_is_the_requests(self, collector):
        """Success and failure are told in the encoding of the request."""
        for kind, bad in ((PROTOBUF, b"\xff"), (JSON, b"{")):
            for body in (b"" if kind == PROTOBUF else b"{}", bad):
                answer = await collector.post(TRACES, body, Content_Type=kind)
                assert answer.content_type == kind

    async def test_otlp_08_connections_are_kept(self, collector):
        """Two requests travel on one connection."""
        head = (
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n"
        )
        received = await collector.raw(
            head + b"\r\n{}" + head + b"Connection: close\r\n\r\n{}"
        )
        assert received.count(b"HTTP/1.1 200 OK") == 2

    async def test_otlp_09_chunked_bodies(self, collector, trace_request):
        """A body may come in chunks, without a length."""
        body = trace_request().SerializeToString()
        answer = await collector.post(
            TRACES, iter([body[:7], body[7:]]), Content_Type=PROTOBUF
        )
        assert answer.status == 200
        assert collector.sink.submissions[0].payload == body

    async def test_malformed_http_has_a_status_too(self, collector):
        """What the HTTP parser itself refuses is answered with a Status."""
        received = await collector.raw(b"NONSENSE\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert received.endswith(
            b'{"code":3,"message":"Invalid HTTP request received."}'
        )


class TestLimits:
    """How much is too much (items 10 to 14)."""

    async def test_otlp_10_limit_applies_after_decompression(self, start):
        """A few bytes of gzip that become more than the limit are refused."""
        collector = await start(max_request_bytes=100_000)
        bomb = gzip.compress(bytes(100_001))
        assert len(bomb) < 1000
        answer = await collector.post(
            TRACES, bomb, Content_Type=PROTOBUF, Content_Encoding="gzip"
        )
        assert answer.status == 413
        assert status_of(answer) == (
            8,
            "the request has more than 100000 bytes, the most that are allowed",
        )

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_otlp_12_over_the_limit_is_413(self, start, chunked):
        """The client reads the answer although it was still sending."""
        collector = await start(max_request_bytes=100_000)
        body = bytes(150_000)
        answer = await collector.post(
            TRACES, iter([body]) if chunked else body, Content_Type=PROTOBUF
        )
        assert answer.status == 413
        assert "retry-after" not in answer.headers
        refused = collector.metric(
            "fleetspan_receiver_refused_requests_total",
            signal="traces",
            protocol="http/protobuf",
            reason="request_bytes",
        )
        assert refused == 1

    async def test_otlp_10_a_request_of_the_limit_is_taken(self, start, trace_request):
        """The limit itself is allowed."""
        request = trace_request({"name": "x" * 50_000})
        body = request.SerializeToString()
        collector = await start(max_request_bytes=len(body))
        answer = await collector.post(TRACES, body, Content_Type=PROTOBUF)
        assert answer.status == 200

    async def test_otlp_13_answers_are_short(self, collector):
        """An error message does not grow with what the client sent."""
        body = b'{"resourceSpans":[{"schemaUrl":["' + b"x" * 100_000 + b'"]}]}'
        answer = await collector.post(TRACES, body, Content_Type=JSON)
        assert answer.status == 400
        assert len(answer.body) < 1000

    async def test_a_body_that_does_not_come_is_408(self, start):
        """A client that stops sending does not hold its place for ever."""
        collector = await start(body_timeout_s=0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", collector.http.port)
        writer.write(
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        writer.close()
        await writer.wait_closed()


class TestSuccess:
    """Answers to accepted requests (items 15 to 19)."""

    @pytest.mark.parametrize(
        ("path", "response"),
        [
            (TRACES, trace_service_pb2.ExportTraceServiceResponse),
            ("/v1/logs", logs_service_pb2.ExportLogsServiceResponse),
            ("/v1/metrics", metrics_service_pb2.ExportMetricsServiceResponse),
        ],
    )
    async def test_otlp_15_success_leaves_partial_success_unset(
        self, collector, path, response
    ):
        """The answer to a fully accepted request is the empty response."""
        answer = await collector.post(path, b"", Content_Type=PROTOBUF)
        assert answer.status == 200
        assert not response.FromString(answer.body).HasField("partial_success")
        answer = await collector.post(path, b"{}", Content_Type=JSON)
        assert (answer.status, answer.body) == (200, b"{}")

    async def test_otlp_16_an_empty_request_is_a_success(self, collector):
        """Nothing to do is done well, and nothing is journaled."""
        for body in (b'{"resourceSpans":[]}', b'{"resourceSpans":[{}]}'):
            answer = await collector.post(TRACES, body, Content_Type=JSON)
            assert answer.status == 200
        assert collector.sink.submissions == []

    async def test_otlp_17_partial_success_has_an_exact_count(
        self, collector, trace_request
    ):
        """Sound spans are kept; the answer counts and describes the others."""
        request = trace_request({"name": "a"}, {"trace_id": bytes(16)}, {"name": "b"})
        answer = await collector.post(
            TRACES, request.SerializeToString(), Content_Type=PROTOBUF
        )
        response = trace_service_pb2.ExportTraceServiceResponse.FromString(answer.body)
        assert answer.status == 200
        assert response.partial_success.rejected_spans == 1
        assert response.partial_success.error_message == (
            "1 rejected: resource_spans[0].scope_spans[0].spans[1]: "
            "trace_id must be 16 bytes and not all zero"
        )
        (submission,) = collector.sink.submissions
        assert submission.rows == 2
        kept = trace_service_pb2.ExportTraceServiceRequest.FromString(
            submission.payload
        )
        assert [s.name for s in kept.resource_spans[0].scope_spans[0].spans] == [
            "a",
            "b",
        ]
        assert (
            collector.metric(
                "fleetspan_receiver_rejected_items_total",
                signal="traces",
                reason="trace_id",
            )
            == 1
        )

    async def test_otlp_17_in_json_the_count_is_a_string(self, collector):
        """Protobuf's JSON writes 64-bit integers as strings (item 31)."""
        body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{},{}]}]}]}'
        answer = await collector.post(TRACES, body, Content_Type=JSON)
        assert answer.status == 200
        partial = orjson.loads(answer.body)["partialSuccess"]
        assert partial["rejectedSpans"] == "2"
        assert collector.sink.submissions == []
