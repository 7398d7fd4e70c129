"""Planted secrets by every way in: none in the journal, the store, the logs, the answers."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from prometheus_client import CollectorRegistry

from fleetspan._redaction import Found
from fleetspan_collector._errors import UsageError
from fleetspan_collector._signals import Accepted, Signal, Submission
from fleetspan_collector.config import load
from fleetspan_collector.journal import Journal, JournalSettings
from fleetspan_collector.receivers import (
    GrpcReceiver,
    HttpServer,
    Intake,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
)
from fleetspan_collector.redact import (
    KEY_FILE,
    Protection,
    RedactionMetrics,
    RedactionSettings,
    load_key,
)

from .. import otlp_json
from ..claude_code.captures import HOOKS_PATH, TRANSCRIPTS_PATH
from ..fleet import START_NS, agent, attributes, logs, span, traces, value
from ..running import Collector
from .corpus import Planted, contexts, planted
from .guarding import Guard

TRACE_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
WAYS = 8


def _batches(seed: int) -> list[list[Planted]]:
    """Return as many lists as there are ways in, every kind in each, none twice."""
    return [planted(1, seed + way) for way in range(WAYS)]


def _wrapped(given: list[Planted]) -> dict[str, str]:
    """Return attributes with every secret in one of the contexts, by turns."""
    return {
        f"note.{number}": [*contexts(each.text).values()][number % 10]
        for number, each in enumerate(given)
    }


def _spans(trace: int, given: list[Planted]) -> ExportTraceServiceRequest:
    made = span(trace, 1, name=f"run {given[0].text}")
    made.attributes.extend(attributes(_wrapped(given)))
    made.events.add(name="e", attributes=attributes({"a": given[1].text}))
    made.links.add(
        trace_id=b"\1" * 16,
        span_id=b"\1" * 8,
        attributes=attributes({"b": given[2].text}),
    )
    made.status.message = given[3].text
    made.attributes.extend(
        attributes({given[9].text: 1, "inner": {"x": [given[10].text]}})
    )
    long = "x" * 900_000 + " " + given[11].text + " " + "y" * 300_000
    made.attributes.extend(attributes({"long": long}))
    return traces([made, agent(trace, 2, 1)], {"service.name": given[12].text})


def _logs(
    given: list[Planted], scope: str = "tests", **named: str
) -> ExportLogsServiceRequest:
    records = [
        LogRecord(
            time_unix_nano=START_NS,
            event_name=named.get("event.name", ""),
            body=value(text),
            attributes=attributes({**named, "prompt": text, "tool_input": text}),
        )
        for text in _wrapped(given).values()
    ]
    request = logs(records)
    request.resource_logs[0].scope_logs[0].scope.name = scope
    return request


def _metrics(given: list[Planted]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = (
        request.resource_metrics.add()
        .scope_metrics.add()
        .metrics.add(name="m", description=given[0].text)
    )
    for text in _wrapped(given).values():
        point = metric.gauge.data_points.add(time_unix_nano=START_NS, as_double=1)
        point.attributes.extend(attributes({"a": text}))
        point.exemplars.add(
            time_unix_nano=START_NS,
            as_double=1,
            filtered_attributes=attributes({"e": text}),
        )
    return request


def _hook(given: list[Planted]) -> bytes:
    texts = [*_wrapped(given).values()]
    return json.dumps(
        {
            "session_id": "s-1",
            "hook_event_name": "PostToolUse",
            "tool_name": "Bash",
            "tool_use_id": "toolu_1",
            "tool_input": {"command": texts[0], "env": texts[1:12]},
            "tool_response": {"stdout": "\n".join(texts[12:30]), "stderr": texts[30:]},
        }
    ).encode()


def _lines(given: list[Planted]) -> bytes:
    def line(number: int, text: str) -> str:
        return json.dumps(
            {
                "type": "user",
                "sessionId": "s-2",
                "uuid": f"u-{number}",
                "timestamp": "2026-11-22T10:00:00Z",
                "message": {
                    "role": "user",
                    "content": [{"type": "text", "text": text}],
                },
                "toolUseResult": {"stdout": text},
            }
        )

    lines = [line(number, text) for number, text in enumerate(_wrapped(given).values())]
    torn = line(99, given[0].text)[:-9]
    return "\n".join([*lines, torn]).encode()


def _requests(seed: int) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Return what is posted over HTTP: way, path, headers, body."""
    batches = _batches(seed)
    claude = _logs(
        batches[4],
        "com.anthropic.claude_code.events",
        **{"event.name": "user_prompt", "session.id": "s-3"},
    )
    transcript = {
        "content-type": "application/x-ndjson",
        "x-fleetspan-transcript-path": "/p/s-2.jsonl",
        "x-fleetspan-transcript-offset": "0",
    }
    as_json, as_protobuf = {"content-type": JSON}, {"content-type": PROTOBUF}
    return [
        ("protobuf", "/v1/logs", as_protobuf, _logs(batches[1]).SerializeToString()),
        ("json", "/v1/traces", as_json, otlp_json.encode(_spans(2, batches[2]))),
        (
            "gzip",
            "/v1/traces",
            {**as_protobuf, "content-encoding": "gzip"},
            gzip.compress(_spans(3, batches[3]).SerializeToString()),
        ),
        ("claude events", "/v1/logs", as_json, otlp_json.encode(claude)),
        (
            "metrics",
            "/v1/metrics",
            as_protobuf,
            _metrics(batches[5]).SerializeToString(),
        ),
        ("hooks", HOOKS_PATH, as_json, _hook(batches[6])),
        ("transcripts", TRANSCRIPTS_PATH, transcript, _lines(batches[7])),
    ]


def _malformed(seed: int) -> list[tuple[str, bytes]]:
    """Return requests that are refused, with secrets in what is wrong with them."""
    return [
        ("/v1/traces", json.dumps({"resourceSpans": each.text}).encode())
        for each in planted(1, seed + 50)
    ]


def _forms(each: Planted) -> tuple[bytes, ...]:
    return (each.secret.encode(), json.dumps(each.secret)[1:-1].encode())


def _left(seed: int, data: bytes) -> list[str]:
    """Return the kinds of planted secrets of which something is left in some bytes."""
    everything = [each for batch in _batches(seed) for each in batch]
    everything += planted(1, seed + 50)
    return [each.kind for each in everything if any(f in data for f in _forms(each))]


def _files(folder: Path) -> bytes:
    return b"\n".join(
        path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    )


@pytest.fixture
async def receivers(tmp_path: Path) -> AsyncIterator[tuple[GrpcReceiver, HttpServer]]:
    """Receivers before a journal that nobody empties."""
    settings = JournalSettings(min_free_bytes=0, reserve_bytes=0)
    with Journal(tmp_path / "journal", settings=settings) as journal:
        intake = Intake(
            journal, ReceiverSettings(), ReceiverMetrics(CollectorRegistry())
        )
        grpc_receiver = GrpcReceiver(intake, "127.0.0.1", 0)
        http = HttpServer(OtlpHttpApp(intake), "127.0.0.1", 0)
        await grpc_receiver.start()
        await http.start()
        yield grpc_receiver, http
        await grpc_receiver.stop(1)
        await http.stop(1)


async def test_none_reaches_the_journal(
    receivers: tuple[GrpcReceiver, HttpServer],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By every way in: none in the files on the disk, the answers, or the log."""
    grpc_receiver, http_server = receivers
    answers = bytearray()

    def post(path: str, headers: dict[str, str], body: bytes) -> int:
        connection = http.client.HTTPConnection(
            "127.0.0.1", http_server.port, timeout=60
        )
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answers.extend(answer.read())
        connection.close()
        return answer.status

    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_receiver.port}") as channel:
        export: Any = channel.unary_unary(TRACE_EXPORT)
        answers += await export(_spans(1, _batches(1)[0]).SerializeToString())
        for text in (each.text for each in planted(1, 51)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await export(text.encode() + b"\xff")
            answers += str(refused.value).encode()
    for way, path, headers, body in _requests(1):
        assert await asyncio.to_thread(post, path, headers, body) == 200, way
    for path, body in _malformed(1):
        assert await asyncio.to_thread(post, path, {"content-type": JSON}, body) == 400
    sent = b"".join(body for way, _, _, body in _requests(1) if way != "gzip")
    assert len(_left(1, sent)) > 200  # they were there to be found
    journal = _files(tmp_path / "journal")
    assert journal.count(b"[redacted:") > 300
    for way, data in (("journal", journal), ("answers", bytes(answers))):
        assert _left(1, data) == [], way
    assert _left(1, caplog.text.encode()) == []


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that was sent everything, was killed in the middle, and has settled."""
    data = tmp_path_factory.mktemp("secrets") / "data"
    requests = _requests(2)
    with Collector(data, "--set=cpu_budget_idle_cores=0.0001") as first:
        with grpc.insecure_channel(first.endpoint("otlp_grpc")) as channel:
            export: Any = channel.unary_unary(TRACE_EXPORT)
            export(_spans(1, _batches(2)[0]).SerializeToString())
        for way, path, headers, body in requests[:4]:
            status, _, said = first.request(
                "otlp_http",
                "POST",
                path,
                body,
                **{key.replace("-", "_"): text for key, text in headers.items()},
            )
            assert status == 200, (way, said)
        assert _left(2, _files(data / "journal")) == []
        first.kill()
    with Collector(data, "--set=cpu_budget_idle_cores=2") as second:
        for way, path, headers, body in requests:
            status, _, said = second.request(
                "otlp_http",
                "POST",
                path,
                body,
                **{key.replace("-", "_"): text for key, text in headers.items()},
            )
            assert status == 200, (way, said)
        for path, body in _malformed(2):
            status, _, said = second.request(
                "otlp_http", "POST", path, body, content_type=JSON
            )
            assert status == 400
            assert _left(2, said) == []
        # A group, which the engine cannot read: it would send the record to quarantine.
        unreadable = (
            _spans(9, planted(1, 52)).SerializeToString() + b"\xa3\x06\x08\x05\xa4\x06"
        )
        second.post("traces", unreadable)
        second.settle()
        yield second


@pytest.mark.integration
@pytest.mark.slow
def test_none_reaches_the_store(collector: Collector) -> None:
    """In no table, `large_values` included, is one of them: and the rows are there."""
    tables = collector.sql(
        "SELECT name FROM system.tables WHERE database = 'otel' ORDER BY name"
    )
    names = [row["name"] for row in tables]
    assert {"large_values", "claude_hooks", "claude_transcript_lines", "runs"} <= {
        *names
    }
    filled = set()
    for name in names:
        rows = collector.sql(f"SELECT * FROM otel.{name} LIMIT 100000")
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
        assert _left(2, text) == [], name
        plain = "\n".join(_texts(rows)).encode()
        assert _left(2, plain) == [], name
        if b"[redacted:" in text:
            filled.add(name)
    assert filled >= {
        *("otel_traces", "otel_logs", "otel_metrics_gauge", "large_values"),
        *("claude_hooks", "claude_transcript_lines"),
    }


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *_texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


@pytest.mark.integration
@pytest.mark.slow
def test_none_is_in_any_file_or_log(collector: Collector) -> None:
    """Journal, quarantine, the store's files, the log and the metrics are without them."""
    assert _left(2, _files(collector.data)) == []
    assert _left(2, collector.log.encode()) == []
    _, _, metrics = collector.request("web", "GET", "/metrics")
    assert _left(2, metrics) == []
    # With a secret in it the record lost the group, so that there was nothing to hold.
    assert collector.metric("fleetspan_journal_quarantined_records_total") == 0
    assert collector.count("otel_traces", f"TraceId = '{9:032x}'") == 2


@pytest.mark.integration
@pytest.mark.slow
def test_kinds_are_counted(collector: Collector) -> None:
    """What was redacted is in the metrics, by kind."""
    assert collector.metric("fleetspan_redaction_redacted_values_total") > 300
    _, _, metrics = collector.request("web", "GET", "/metrics")
    assert b'fleetspan_redaction_redacted_values_total{kind="github-token"}' in metrics


def test_a_retry_of_a_redacted_request_is_the_same_record(tmp_path: Path) -> None:
    """The key stays over a restart: the same bytes are redacted to the same bytes.

    So a request that is sent again after one is known by its hash, and stands once.
    """
    payload = _spans(5, planted(1, 60)).SerializeToString()
    made = []
    for _ in range(2):
        protection = Protection(
            RedactionSettings(),
            load_key(tmp_path),
            RedactionMetrics(CollectorRegistry()),
        )
        made.append(protection.apply(Signal.TRACES, payload, lambda text: text))
    assert made[0] == made[1] != payload
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(UsageError, match="cannot be used"):
        load_key(tmp_path)


def test_settings_are_checked_at_the_start() -> None:
    """A policy that is none, a word that is none, a pattern that cannot be: said at once."""
    for variable, wrong in (
        ("FLEETSPAN_CONTENT_POLICY", "some"),
        ("FLEETSPAN_REDACT", "secrets,everything"),
        ("FLEETSPAN_REDACT_PATTERNS", '{"order": "ORD-(?=x)"}'),
        ("FLEETSPAN_REDACT_PATTERNS", '{"order": "x*"}'),
        ("FLEETSPAN_REDACT_PATTERNS", '{"order": "(a)(b)"}'),
    ):
        with pytest.raises(UsageError) as refused:
            load(environ={variable: wrong})
        assert variable in str(refused.value.because), wrong
    assert load(environ={"FLEETSPAN_REDACT": "pii, secrets"}).settings.redact == (
        "secrets",
        "pii",
    )


async def test_a_fault_while_redacting_keeps_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It fails closed: 503, nothing journaled, and no word of the request in the log."""
    guard = Guard()
    settings = JournalSettings(min_free_bytes=0, reserve_bytes=0)
    token = "gh" + "p_" + "A1b2C3d4E5f6" * 3

    def broken(text: bytes) -> Sequence[Found]:
        raise ValueError(f"cannot read {text!r}")

    guard.protection._redactor._find = broken
    with Journal(tmp_path / "journal", settings=settings) as journal:
        intake = Intake(
            journal,
            ReceiverSettings(),
            ReceiverMetrics(CollectorRegistry()),
            protection=guard.protection,
        )
        server = HttpServer(OtlpHttpApp(intake), "127.0.0.1", 0)
        await server.start()

        def post() -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(
                "127.0.0.1", server.port, timeout=30
            )
            body = traces([span(1, 1, note=token)]).SerializeToString()
            connection.request("POST", "/v1/traces", body, {"content-type": PROTOBUF})
            answer = connection.getresponse()
            said = answer.read()
            connection.close()
            return answer.status, said

        status, said = await asyncio.to_thread(post)
        await server.stop(1)
    assert status == 503
    assert token.encode() not in said + _files(tmp_path / "journal")
    assert "ValueError in " in caplog.text
    assert token not in caplog.text


def test_the_event_loop_goes_on() -> None:
    """A large request full of secrets is gone through in a thread of its own."""
    texts = "\n".join(each.text for each in planted(50))
    payload = traces([span(1, 1, note=texts, rest="x" * (1 << 20))]).SerializeToString()

    class Sink:
        async def accept(self, submission: Submission) -> Accepted:
            return Accepted()

    async def run() -> tuple[int, bytes]:
        intake = Intake(
            Sink(), ReceiverSettings(), ReceiverMetrics(CollectorRegistry())
        )
        turns = 0
        task = asyncio.create_task(intake._protect(Signal.TRACES, payload))
        deadline_s = time.monotonic() + 60
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
            assert time.monotonic() < deadline_s
        return turns, task.result()

    turns, clean = asyncio.run(run())
    assert turns > 10
    assert clean.count(b"[redacted:") > 2_000
