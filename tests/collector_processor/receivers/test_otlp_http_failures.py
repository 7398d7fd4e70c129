"""The failure items of the OTLP checklist over HTTP (20 to 28)."""

import asyncio
import gzip
import zlib
from typing import Any

import orjson
import pytest
from google.rpc import error_details_pb2, status_pb2

from fleetspan_collector._errors import Refused
from fleetspan_collector._signals import Accepted

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


class TestFailure:
    """Answers to the others (items 20 to 28)."""

    @pytest.mark.parametrize(
        "body", [b"\xff", b"\n\x05abc", b"not protobuf", b"\x0a\x02\x12\x7f"]
    )
    async def test_otlp_20_undecodable_protobuf_is_400(self, collector, body):
        """The Status names the problem, with a BadRequest detail."""
        answer = await collector.post(TRACES, body, Content_Type=PROTOBUF)
        assert answer.status == 400
        status = status_pb2.Status.FromString(answer.body)
        assert status.code == 3
        assert status.message.startswith(
            "the body is not a protobuf ExportTraceServiceRequest: "
        )
        detail = error_details_pb2.BadRequest()
        assert status.details[0].Unpack(detail)
        assert detail.field_violations[0].field == "body"

    async def test_otlp_20_undecodable_json_names_the_path(self, collector):
        """The field violation is the path of the wrong value."""
        body = b'{"resourceSpans":[{},{"scopeSpans":[{"spans":[{"name":7}]}]}]}'
        answer = await collector.post(TRACES, body, Content_Type=JSON)
        assert answer.status == 400
        assert orjson.loads(answer.body) == {
            "code": 3,
            "message": "resourceSpans[1].scopeSpans[0].spans[0].name: "
            "expected a string, got 7",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [
                        {
                            "field": "resourceSpans[1].scopeSpans[0].spans[0].name",
                            "description": "resourceSpans[1].scopeSpans[0].spans[0]"
                            ".name: expected a string, got 7",
                        }
                    ],
                }
            ],
        }

    @pytest.mark.parametrize(
        "body",
        [
            b"not gzip",
            gzip.compress(b"\n\x00")[:-4],
            gzip.compress(b"\n\x00") + b"garbage",
            gzip.compress(gzip.compress(b"\n\x00")),
            zlib.compress(b"\n\x00"),
        ],
        ids=["plain", "cut", "trailing", "gzip-in-gzip", "zlib"],
    )
    async def test_otlp_20_bad_gzip_is_400(self, collector, body):
        """What is not one gzip stream of a request is undecodable."""
        answer = await collector.post(
            TRACES, body, Content_Type=PROTOBUF, Content_Encoding="gzip"
        )
        assert answer.status == 400
        assert status_of(answer)[0] == 3

    async def test_gzip_members_are_bounded(self, collector):
        """A body of very many empty members is refused before it costs time."""
        answer = await collector.post(
            TRACES,
            gzip.compress(b"") * 1001,
            Content_Type=PROTOBUF,
            Content_Encoding="gzip",
        )
        assert answer.status == 400
        assert status_of(answer)[1] == "the gzip body has over 1000 members"

    async def test_otlp_23_an_internal_fault_is_503_and_logged_once(
        self, start, trace_request, caplog
    ):
        """500 would make a client drop its data; the log has the cause, once."""

        class Broken:
            async def accept(self, submission):
                raise ZeroDivisionError("boom")

        collector = await start(Broken())
        body = trace_request().SerializeToString()
        for _ in range(3):
            answer = await collector.post(TRACES, body, Content_Type=PROTOBUF)
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            assert status_of(answer) == (
                14,
                "the collector failed on this request; its log says why",
            )
        assert len([r for r in caplog.records if r.name == "fleetspan"]) == 1
        assert "ZeroDivisionError: boom" in caplog.text
        faults = collector.metric(
            "fleetspan_receiver_internal_faults_total",
            signal="traces",
            protocol="http/protobuf",
        )
        assert faults == 3

    @pytest.mark.parametrize(("asked_s", "header"), [(0.2, "1"), (1.5, "2"), (60, "2")])
    async def test_otlp_25_overload_is_503_with_retry_after(
        self, collector, trace_request, asked_s, header
    ):
        """A refusal says when to try again: whole seconds, at most 2."""
        collector.sink.refusal = Refused(
            "disk_floor", "the disk is full", retry_after_s=asked_s
        )
        body = trace_request().SerializeToString()
        answer = await collector.post(TRACES, body, Content_Type=PROTOBUF)
        assert answer.status == 503
        assert answer.headers["retry-after"] == header
        status = status_pb2.Status.FromString(answer.body)
        assert (status.code, status.message) == (14, "the disk is full")
        info = error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(info)
        assert 0 < info.retry_delay.ToMilliseconds() <= 2000

    async def test_otlp_28_no_answer_before_the_sink_has_it(self, start, trace_request):
        """The answer waits for the sink to return."""
        waiting, release = asyncio.Event(), asyncio.Event()

        class Slow:
            async def accept(self, submission):
                waiting.set()
                await release.wait()
                return Accepted()

        collector = await start(Slow())
        body = trace_request().SerializeToString()
        post = asyncio.ensure_future(
            collector.post(TRACES, body, Content_Type=PROTOBUF)
        )
        await waiting.wait()
        assert not post.done()
        release.set()
        assert (await post).status == 200
