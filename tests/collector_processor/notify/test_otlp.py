"""Findings, run summaries and metrics as OTLP, to receivers that speak it."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import prometheus_client
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ..embedded import Embedded
from ..running import poll
from .conftest import Announce
from .telling import (
    SPAN_ID,
    TRACE_ID,
    Receiver,
    analysis,
    batch,
    facts,
    finding,
    receiving,
    store,
)
from .test_webhooks import outcomes, wait_for

pytestmark = pytest.mark.integration


def requests_of(receiver: Receiver, path: str, kind: Any) -> list[Any]:
    """Return the requests that a receiver got on a path, read."""
    return [
        kind.FromString(each.body) for each in receiver.received if each.path == path
    ]


def logs_in(requests: Sequence[ExportLogsServiceRequest]) -> list[LogRecord]:
    """Return the log records of some requests."""
    return [
        record
        for request in requests
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def logs_of(receiver: Receiver) -> list[LogRecord]:
    """Return the log records that have come over HTTP."""
    return logs_in(requests_of(receiver, "/v1/logs", ExportLogsServiceRequest))


def plain(value: AnyValue) -> object:
    """Return a value of OTLP as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(pairs: Sequence[KeyValue]) -> dict[str, object]:
    """Return attributes by name."""
    return {each.key: plain(each.value) for each in pairs}


def ids(records: Sequence[LogRecord]) -> list[object]:
    """Return the ids of the findings that records tell of."""
    return [attributes(each.attributes)["fleetspan.finding.id"] for each in records]


class TestEvents:
    """What a log event says."""

    def test_a_finding(self, announce: Announce) -> None:
        """Its name, severity, trace, span and attributes; the resource is the collector."""
        before_ns = time.time_ns()
        with receiving(body=b"") as receiver:
            announce(notify_otlp_endpoint=receiver.url).announce(batch(finding()))
            poll(lambda: logs_of(receiver), "the event has come")
        (request,) = requests_of(receiver, "/v1/logs", ExportLogsServiceRequest)
        (resource,) = request.resource_logs
        assert attributes(resource.resource.attributes)["service.name"] == (
            "fleetspan-collector"
        )
        (record,) = logs_in([request])
        assert record.event_name == "fleetspan.finding"
        assert (record.severity_number, record.severity_text) == (17, "HIGH")
        assert record.trace_id.hex() == TRACE_ID
        assert record.span_id.hex() == SPAN_ID
        assert plain(record.body) == "The model was asked 9 times."
        assert before_ns - 10**9 < record.time_unix_nano < time.time_ns()
        assert attributes(record.attributes) == {
            "fleetspan.finding.id": "f-1",
            "fleetspan.finding.detector": "retry_storm",
            "fleetspan.finding.severity": "high",
            "fleetspan.finding.at": "2026-09-21T14:13:20.123456Z",
            "fleetspan.finding.seconds": 12.5,
            "fleetspan.finding.advice": "Wait longer between attempts.",
            "fleetspan.finding.details": '{"attempts": 9}',
            "fleetspan.finding.run_open": False,
            "fleetspan.finding.span_ids": [SPAN_ID],
            "fleetspan.finding.agent_ids": ["agent-1"],
            "fleetspan.finding.call_ids": ["call-1", "call-2"],
            "fleetspan.run.id": "run-1",
            "fleetspan.run.name": "research",
            "gen_ai.conversation.id": "session-1",
            "fleetspan.agent.id": "agent-1",
            "gen_ai.agent.name": "scout",
            "service.name": "planner",
            "deployment.environment.name": "staging",
            "fleetspan.project": "atlas",
            "user.id": "ada",
        }

    def test_severities_have_numbers_that_rules_can_compare(
        self, announce: Announce
    ) -> None:
        """From INFO to FATAL, in order."""
        with receiving(body=b"") as receiver:
            announce(notify_otlp_endpoint=receiver.url).announce(
                batch(*(finding(f"f-{rank}", Severity=rank) for rank in range(5)))
            )
            poll(lambda: len(logs_of(receiver)) == 5, "all events have come")
        assert [each.severity_number for each in logs_of(receiver)] == [
            9,
            10,
            13,
            17,
            21,
        ]

    def test_ids_that_are_none_are_left_out(self, announce: Announce) -> None:
        """A session without spans has no trace to link."""
        with receiving(body=b"") as receiver:
            announce(notify_otlp_endpoint=receiver.url).announce(
                batch(finding(TraceId="session-1", SpanIds=["not hexadecimal!"]))
            )
            poll(lambda: logs_of(receiver), "the event has come")
        (record,) = logs_of(receiver)
        assert (record.trace_id, record.span_id) == (b"", b"")

    def test_a_run_that_has_ended(self, announce: Announce) -> None:
        """One summary with ledger, cost and savings; none while it goes on."""
        with receiving(body=b"") as receiver:
            announce(notify_otlp_endpoint=receiver.url).announce(
                batch(
                    analyses=[analysis(), analysis("run-2", RunOpen=1)],
                    runs=[facts(), facts("run-2", status="running")],
                )
            )
            poll(lambda: logs_of(receiver), "the event has come")
        (record,) = logs_of(receiver)
        assert record.event_name == "fleetspan.run.summary"
        assert record.trace_id.hex() == TRACE_ID
        assert plain(record.body) == "run research: ok, 60.0 s, 1.5000 USD"
        assert attributes(record.attributes) == {
            "fleetspan.run.id": "run-1",
            "fleetspan.run.name": "research",
            "gen_ai.conversation.id": "session-1",
            "fleetspan.run.status": "ok",
            "fleetspan.run.started_at": "2026-09-21T14:13:20.123456Z",
            "fleetspan.run.task_kind": "debug",
            "fleetspan.run.wall_s": 60.0,
            "fleetspan.run.model_s": 45.0,
            "fleetspan.run.tool_s": 15.0,
            "fleetspan.run.cost_usd": 1.5,
            "fleetspan.run.saved_s": 12.5,
            "fleetspan.run.saved_usd": 0.25,
            "fleetspan.run.files_touched": 2,
            "fleetspan.run.version": 7,
            "service.name": "planner",
            "deployment.environment.name": "staging",
            "fleetspan.project": "atlas",
            "user.id": "ada",
        }

    def test_a_run_that_has_more_to_say_is_told_again(self, announce: Announce) -> None:
        """A newer version of the run makes another summary, the same one does not."""
        with receiving(body=b"") as receiver:
            announcer = announce(notify_otlp_endpoint=receiver.url)
            # Each is told before the next: a newer one replaces one that waits.
            for count, version in enumerate((7, 9), 1):
                for _ in range(2):
                    announcer.announce(
                        batch(analyses=[analysis(RunVersion=version)], runs=[facts()])
                    )
                poll(lambda n=count: len(logs_of(receiver)) >= n, "it has come")
        told = [attributes(each.attributes) for each in logs_of(receiver)]
        assert [each["fleetspan.run.version"] for each in told] == [7, 9]

    def test_headers_are_sent(
        self, announce: Announce, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the setting says goes with every request, and nobody else's key."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-other=secret")
        with receiving(body=b"") as receiver:
            announce(
                notify_otlp_endpoint=receiver.url,
                notify_otlp_headers="authorization=Bearer%20k3y,x-team=a",
            ).announce(batch(finding()))
            poll(lambda: logs_of(receiver), "the event has come")
        for request in receiver.received:
            assert request.headers["authorization"] == "Bearer k3y"
            assert request.headers["x-team"] == "a"
            assert "x-other" not in request.headers

    def test_hostile_texts(self, announce: Announce, stored: Embedded) -> None:
        """Long texts are cut, and say so; many of them go in several requests."""
        with receiving(body=b"") as receiver:
            rows = [
                finding(f"f-{number}", What="x" * 1_000_000, AgentName='"\n\0')
                for number in range(8)
            ]
            announce(notify_otlp_endpoint=receiver.url).announce(batch(*rows))
            poll(lambda: len(logs_of(receiver)) == 8, "all events have come")
        body = plain(logs_of(receiver)[0].body)
        assert body == "x" * 16_000 + "… (cut, of 1000000 characters)"


class TestNothingIsLost:
    """What the exporters would keep to themselves."""

    def test_a_receiver_that_is_down_for_a_while(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """What could not be sent is sent when it can be; each attempt is on record."""
        with receiving(500, 500, 200, body=b"") as receiver:
            announce(
                notify_otlp_endpoint=receiver.url, notify_otlp_interval_s="3600"
            ).announce(batch(finding(), finding("f-2")))
            wait_for(stored, 4)
        assert outcomes(stored) == [
            (1, "retry", 500),
            (2, "retry", 500),
            (3, "delivered", 200),
            (3, "delivered", 200),
        ]
        rows = stored.rows("deliveries", "Outcome = 'retry'")
        assert [(row["Kind"], row["Items"]) for row in rows] == [("batch", 2)] * 2

    def test_a_redirect_is_no_success(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """The exporter takes 302 for a success; here it is tried again."""
        with receiving(302, 200, body=b"", headers={"location": "/login"}) as receiver:
            announce(
                notify_otlp_endpoint=receiver.url, notify_otlp_interval_s="3600"
            ).announce(batch(finding()))
            wait_for(stored, 2)
        assert outcomes(stored) == [(1, "retry", 302), (2, "delivered", 200)]

    def test_one_bad_record_does_not_take_its_neighbours_with_it(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """Of a batch that is refused, the record that is at fault is found."""

        def picky(handler: Any) -> None:
            body = handler.server.receiver.received[-1].body
            status = 400 if b"poison" in body else 200
            handler.send_response(status)
            handler.send_header("content-length", "0")
            handler.end_headers()

        with receiving(picky) as receiver:
            rows = [finding(f"f-{number}") for number in range(8)]
            rows[5] = finding("f-5", What="poison")
            announce(
                notify_otlp_endpoint=receiver.url, notify_otlp_interval_s="3600"
            ).announce(batch(*rows))
            wait_for(stored, 8)
        refused = stored.rows("deliveries", "Outcome = 'refused'")
        assert [(row["Subject"], row["Code"]) for row in refused] == [("f-5", 400)]
        assert len(stored.rows("deliveries", "Outcome = 'delivered'")) == 7

    def test_a_partial_success_is_counted_and_on_record(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """What the receiver says that it has not taken is not silent."""
        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = 1
        answer.partial_success.error_message = "too old"
        registry = prometheus_client.CollectorRegistry()
        with receiving(body=answer.SerializeToString()) as receiver:
            announce(registry=registry, notify_otlp_endpoint=receiver.url).announce(
                batch(finding())
            )
            wait_for(stored, 1)
        (row,) = stored.rows("deliveries")
        assert row["Outcome"] == "delivered"
        assert row["Answer"] == "1 of 1 not taken: too old"
        assert registry.get_sample_value("fleetspan_notify_otlp_rejected_total") == 1.0

    def test_over_a_restart(self, announce: Announce, stored: Embedded) -> None:
        """Findings and summaries that were not sent are read from the store."""
        rows = batch(finding(), analyses=[analysis()], runs=[facts()])
        with receiving(500) as receiver:
            first = announce(notify_otlp_endpoint=receiver.url)
            store(stored.engine, rows)
            first.announce(rows)
            wait_for(stored, 1)
            first.stop()
        with receiving(body=b"") as receiver:
            announce(notify_otlp_endpoint=receiver.url)
            poll(lambda: len(logs_of(receiver)) == 2, "both have come")
            wait_for(stored, 2, "Outcome = 'delivered'")
        names = sorted(each.event_name for each in logs_of(receiver))
        assert names == ["fleetspan.finding", "fleetspan.run.summary"]


class TestMetrics:
    """Counters and histograms."""

    def test_findings_and_runs_in_figures(self, announce: Announce) -> None:
        """Each finding and each run counts once, by bounded labels."""
        with receiving(body=b"") as receiver:
            announcer = announce(notify_otlp_endpoint=receiver.url)
            rows = batch(
                finding(),
                finding("f-2", Severity=1),
                analyses=[analysis()],
                runs=[facts()],
            )
            announcer.announce(rows)
            announcer.announce(rows)
            announcer.stop()
        points = _points(
            requests_of(receiver, "/v1/metrics", ExportMetricsServiceRequest)
        )
        assert points == {
            ("fleetspan.findings", "retry_storm", "high"): 1,
            ("fleetspan.findings", "retry_storm", "low"): 1,
            ("fleetspan.run.duration", "ok"): (1, 60.0),
            ("fleetspan.run.cost", "ok"): (1, 1.5),
            ("fleetspan.run.savings", "ok"): (1, 0.25),
            ("fleetspan.run.time_savings", "ok"): (1, 12.5),
        }

    def test_a_failed_export_is_counted_and_made_up_for(
        self, announce: Announce
    ) -> None:
        """Sums are cumulative: the next export has what the failed one had."""
        registry = prometheus_client.CollectorRegistry()

        def fails_once(handler: Any) -> None:
            ours = [
                each
                for each in handler.server.receiver.received
                if each.path == "/v1/metrics"
            ]
            failing = handler.path == "/v1/metrics" and len(ours) == 1
            handler.send_response(400 if failing else 200)
            handler.send_header("content-length", "0")
            handler.end_headers()

        with receiving(fails_once) as receiver:
            announcer = announce(
                registry=registry,
                notify_otlp_endpoint=receiver.url,
                notify_otlp_interval_s="0.1",
            )
            announcer.announce(batch(finding()))

            def exported() -> list[Any]:
                kind = ExportMetricsServiceRequest
                return requests_of(receiver, "/v1/metrics", kind)

            poll(lambda: len(exported()) > 1, "two exports were made")
        name = "fleetspan_notify_otlp_metric_failures_total"
        assert registry.get_sample_value(name) == 1.0
        assert _points(exported()[1:2]) == {
            ("fleetspan.findings", "retry_storm", "high"): 1
        }


def _points(
    requests: Sequence[ExportMetricsServiceRequest],
) -> Mapping[tuple[object, ...], object]:
    """Return the latest value of each of our series: a sum, or count and sum."""
    found: dict[tuple[object, ...], object] = {}
    for request in requests:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                if scope.scope.name != "fleetspan.notify":
                    continue
                for metric in scope.metrics:
                    for point in metric.sum.data_points:
                        labels = sorted(attributes(point.attributes).items())
                        key = (metric.name, *(value for _, value in labels))
                        found[key] = point.as_int
                    for size in metric.histogram.data_points:
                        labels = sorted(attributes(size.attributes).items())
                        key = (metric.name, *(value for _, value in labels))
                        found[key] = (size.count, size.sum)
    return found


class _Logs(LogsServiceServicer):
    """Answers as planned: a code of an error, or what is to be said of a success."""

    def __init__(self, plan: Sequence[Any]) -> None:
        self.plan = plan
        self.received: list[ExportLogsServiceRequest] = []
        self.metadata: list[dict[str, str]] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC names it
        self.received.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        step = self.plan[min(len(self.received), len(self.plan)) - 1]
        if isinstance(step, grpc.StatusCode):
            context.abort(step, "as planned")
        return step


class _Metrics(MetricsServiceServicer):
    """Takes everything."""

    def __init__(self) -> None:
        self.received: list[ExportMetricsServiceRequest] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC names it
        self.received.append(request)
        return ExportMetricsServiceResponse()


@contextmanager
def grpc_receiver(*plan: Any) -> Generator[tuple[str, _Logs, _Metrics]]:
    """Run an OTLP receiver over gRPC."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    logs, metrics = _Logs(plan or [ExportLogsServiceResponse()]), _Metrics()
    add_LogsServiceServicer_to_server(logs, server)  # type: ignore[no-untyped-call]
    add_MetricsServiceServicer_to_server(metrics, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", logs, metrics
    finally:
        server.stop(None).wait()


class TestGrpc:
    """The other protocol."""

    @pytest.mark.parametrize("headers", ["x-key=k3y", ""])
    def test_events_metrics_and_headers(
        self, announce: Announce, monkeypatch: pytest.MonkeyPatch, headers: str
    ) -> None:
        """All that HTTP has."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-other=secret")
        with grpc_receiver() as (url, logs, metrics):
            announcer = announce(
                notify_otlp_endpoint=url,
                notify_otlp_protocol="grpc",
                notify_otlp_headers=headers,
            )
            announcer.announce(batch(finding()))
            poll(lambda: logs.received, "the event has come")
            announcer.stop()
        assert ids(logs_in(logs.received)) == ["f-1"]
        assert logs.metadata[0].get("x-key") == (headers[6:] or None)
        assert "x-other" not in logs.metadata[0]
        assert _points(metrics.received) == {
            ("fleetspan.findings", "retry_storm", "high"): 1
        }

    def test_refusals_retries_and_partial_success(
        self, announce: Announce, stored: Embedded
    ) -> None:
        """UNAUTHENTICATED is tried again, INVALID_ARGUMENT is not."""
        partial = ExportLogsServiceResponse()
        partial.partial_success.rejected_log_records = 1
        plan = (
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.INVALID_ARGUMENT,
            partial,
        )
        with grpc_receiver(*plan) as (url, _, _):
            announcer = announce(notify_otlp_endpoint=url, notify_otlp_protocol="grpc")
            announcer.announce(batch(finding()))
            wait_for(stored, 2)
            announcer.announce(batch(finding("f-2")))
            wait_for(stored, 3)
        assert outcomes(stored) == [
            (1, "retry", 16),
            (2, "refused", 3),
            (1, "delivered", 0),
        ]
        (row,) = stored.rows("deliveries", "Subject = 'f-2'")
        assert row["Answer"] == "1 of 1 not taken: "
