"""What destinations may be: encrypted, hostile, too slow, for some tenants, enriched."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.collector_processor.access.keyed import Authority, bearer, make_key
from tests.collector_processor.fleet import agent, call, traces
from tests.collector_processor.forward.receiving import Receiver, request
from tests.collector_processor.running import command, poll

pytestmark = pytest.mark.integration

PROTOCOLS = ("grpc", "http/protobuf")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_both_ways(collector: Any, tmp_path: Path, protocol: str) -> None:
    """A destination is known by its authority, and may ask for a certificate."""
    authority = Authority(tmp_path)
    stranger = Authority(tmp_path, "stranger")
    client = authority.issue("client")
    with Receiver(
        protocol, authority.issue("server"), authority.certificate
    ) as receiver:
        common = {"url": receiver.url, "protocol": protocol, "timeout_s": 2}
        shown = {
            "cert_file": str(client.certificate),
            "key_file": str(client.private_key),
        }
        running = collector(
            {
                "good": {**common, **shown, "ca_file": str(authority.certificate)},
                "no-certificate": {**common, "ca_file": str(authority.certificate)},
                "wrong-authority": {
                    **common,
                    **shown,
                    "ca_file": str(stranger.certificate),
                },
            }
        )
        sent = request(1)
        running.post("traces", sent)
        poll(lambda: receiver.taken == [sent], "who is let in has sent it")
        retries = "fleetspan_forward_retries_total"
        poll(lambda: running.metric(retries) >= 2, "the others try in vain")
        assert receiver.taken == [sent]
        _, _, body = running.request("web", "GET", "/api/v1/coverage")
        lags = {each["destination"]: each for each in json.loads(body)["forwarding"]}
        assert lags["good"]["problem"] is None
        assert lags["no-certificate"]["problem"]
        assert lags["wrong-authority"]["problem"]
        done = command("--data", str(running.data), "doctor", "--json")
        (check,) = (
            each
            for each in json.loads(done.stdout)["checks"]
            if each["name"] == "forwarding"
        )
        assert check["status"] == "warn"
        assert "no-certificate takes nothing" in check["detail"]
        assert "good" not in check["detail"]


def test_a_certificate_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Said at the start, not in a log for ever."""
    destination = {"one": {"url": "https://127.0.0.1:1", "ca_file": "/nowhere.crt"}}
    done = command(
        *("--data", str(tmp_path / "data"), "up", "--grpc=off", "--http=off"),
        *("--web=off", "--clickhouse=off", "--jaeger=off"),
        FLEETSPAN_FORWARD=json.dumps(destination),
    )
    assert done.returncode == 2
    assert "destination one cannot be used" in done.stderr


def test_itself_is_no_destination(collector: Any, tmp_path: Path) -> None:
    """What it sends must not come back to it for ever."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = command(
        *("--data", str(tmp_path / "data"), "up", f"--grpc=127.0.0.1:{port}"),
        *("--http=off", "--web=off", "--clickhouse=off", "--jaeger=off"),
        FLEETSPAN_FORWARD=json.dumps({"me": {"url": f"http://localhost:{port}"}}),
    )
    assert done.returncode == 2
    assert "is this collector itself" in done.stderr


ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "not HTTP": b"\x00\x01\x02 hello\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n\r\n"
    + b"\xff" * (8 << 20),
    "garbage": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xff\xff",
    "bomb": b"HTTP/1.1 503 Service Unavailable\r\nContent-Encoding: gzip\r\n"
    b"Retry-After: 99999999999999999999\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
}


@contextlib.contextmanager
def answering(answer: bytes) -> Generator[str]:
    """Serve one answer to whoever connects; yield the address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.recv(65536)
                self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_hostile_destinations_hold_up_nobody(collector: Any) -> None:
    """Whatever they answer, the others get everything and the store has it."""
    with contextlib.ExitStack() as stack:
        good = stack.enter_context(Receiver("grpc"))
        destinations: dict[str, Any] = {"good": {"url": good.url}}
        for name, answer in ANSWERS.items():
            url = stack.enter_context(answering(answer))
            for protocol in PROTOCOLS:
                key = f"{name.replace(' ', '-')}-{protocol[:4]}"
                destinations[key] = {"url": url, "protocol": protocol, "timeout_s": 1}
        running = collector(destinations)
        sent = [request(number) for number in range(1, 31)]
        for each in sent:
            running.post("traces", each)
        poll(lambda: len(good.taken) == 30, "the good one has all")
        assert sorted(good.taken) == sorted(sent)
        assert running.count("otel_traces") == 30
        assert running.stop() == 0


def test_the_oldest_is_dropped_when_there_is_no_room(collector: Any) -> None:
    """With ``drop``, a destination that lags loses its oldest, counted; nobody else does."""
    with Receiver("grpc") as here, Receiver("grpc") as away:
        away.go()
        running = collector(
            {"here": {"url": here.url}, "away": {"url": away.url}},
            FLEETSPAN_FORWARD_WHEN_FULL="drop",
            FLEETSPAN_FORWARD_CAP_BYTES=str(64 << 20),
            FLEETSPAN_JOURNAL_SEGMENT_BYTES=str(8 << 20),
        )
        big = [large_request(number, 2_000_000) for number in range(1, 61)]
        for each in big:
            running.post("traces", each)
        poll(lambda: len(here.taken) == 60, "the other one has all")
        running.settle()
        dropped = "fleetspan_forward_dropped_records_total"
        poll(lambda: running.metric(dropped) > 0, "the oldest are dropped")
        away.come_back()
        poll(lambda: big[-1] in away.taken, "the newest arrive")
        poll(
            lambda: len(away.taken) + running.metric(dropped) == 60,
            "all are sent or counted",
        )
        assert len(set(away.taken)) == len(away.taken)
        assert running.count("otel_traces") == 60
    assert "lags behind" in running.log


def test_senders_wait_when_there_is_no_room(collector: Any) -> None:
    """With ``refuse``, senders are asked to come back, and nothing accepted is lost."""
    with Receiver("grpc") as away:
        away.go()
        running = collector(
            {"away": {"url": away.url}},
            FLEETSPAN_FORWARD_WHEN_FULL="refuse",
            FLEETSPAN_FORWARD_CAP_BYTES=str(64 << 20),
            FLEETSPAN_JOURNAL_SEGMENT_BYTES=str(8 << 20),
        )
        accepted = []
        refused = None
        # What the store is done with counts, and it has other things to do first.
        for number in range(1, 1000):
            sent = large_request(number, 2_000_000)
            status, headers, body = running.request(
                "otlp_http",
                "POST",
                "/v1/traces",
                sent,
                content_type="application/x-protobuf",
            )
            if status == 200:
                accepted.append(sent)
                time.sleep(0.1)
                continue
            refused = (status, headers.get("retry-after"), body)
            break
        assert refused is not None
        assert refused[0] == 503
        assert refused[1]
        assert b"behind" in refused[2]
        away.come_back()
        poll(lambda: len(away.taken) == len(accepted), "all that was accepted arrives")
        assert sorted(away.taken) == sorted(accepted)

        def accepts() -> bool:
            status, _, _ = running.request(
                "otlp_http",
                "POST",
                "/v1/traces",
                request(999),
                content_type="application/x-protobuf",
            )
            return bool(status == 200)

        poll(accepts, "senders are let in again")


def large_request(number: int, size_bytes: int) -> bytes:
    """Return a request with one span that holds so many bytes of no use."""
    text = f"{number:08d}" * (size_bytes // 8)
    return traces([agent(number, 10, padding=text)]).SerializeToString()


def test_run_after_run_is_known_in_time(collector: Any) -> None:
    """Though nobody reads: who gets what is known of runs is waited for.

    Most of them, as a machine may be busy.
    """
    with Receiver("grpc") as enriched:
        running = collector(
            {"enriched": {"url": enriched.url, "enrich": ["events", "spans"]}}
        )
        for number in range(1, 6):
            run = traces([agent(number, 10), call(number, 11, 10)])
            running.post("traces", run.SerializeToString())
            poll(
                lambda n=number: events(enriched).count("fleetspan.run.summary") >= n,
                "it is told of",
            )
        poll(lambda: enriched.signals.count("traces") == 5, "all are there")
        known = [
            b"fleetspan.run.complexity" in body
            for signal, body in zip(enriched.signals, enriched.taken, strict=True)
            if signal == "traces"
        ]
        assert sum(known) >= 3


def test_only_some_tenants(collector: Any, tmp_path: Path) -> None:
    """A destination of one tenant gets nothing of another, events included."""
    data = tmp_path / "data"
    data.mkdir()
    keys = {tenant: make_key(data, tenant) for tenant in ("a", "b")}
    with Receiver("http/protobuf") as receiver:
        running = collector(
            {
                "of-a": {
                    "url": receiver.url,
                    "protocol": "http/protobuf",
                    "tenants": ["a"],
                    "enrich": ["events"],
                }
            }
        )
        for number, tenant in ((1, "a"), (2, "b"), (3, "a")):
            body = traces([agent(number, 10, gen_ai__agent__name=f"of {tenant}")])
            status, _, _ = running.request(
                "otlp_http",
                "POST",
                "/v1/traces",
                body.SerializeToString(),
                content_type="application/x-protobuf",
                **bearer(keys[tenant]),
            )
            assert status == 200
        poll(lambda: receiver.signals.count("traces") == 2, "two are there")
        poll(lambda: len(events(receiver)) >= 2, "both runs are told of")
        assert not any(b"of b" in body for body in receiver.taken)


def test_what_is_known_is_added(collector: Any) -> None:
    """Root spans get cost, complexity and findings; runs and findings come as events."""
    with Receiver("grpc") as plain, Receiver("grpc") as enriched:
        running = collector(
            {
                "plain": {"url": plain.url},
                "enriched": {"url": enriched.url, "enrich": ["events", "spans"]},
            }
        )
        run = traces(
            [
                agent(7, 10, lasts_ms=5000, gen_ai__agent__name="worker"),
                *(
                    call(
                        7, number, 10, at_ms=10 * number, gen_ai__request__model="gpt-5"
                    )
                    for number in range(11, 20)
                ),
            ]
        ).SerializeToString()
        running.post("traces", run)
        poll(lambda: plain.taken == [run], "the plain one has it as it was")
        poll(lambda: "traces" in enriched.signals, "the other one has it")
        place = enriched.signals.index("traces")
        given = ExportTraceServiceRequest.FromString(enriched.taken[place])
        spans = {
            span.span_id[-1]: {each.key: each.value for each in span.attributes}
            for span in given.resource_spans[0].scope_spans[0].spans
        }
        added = spans[10]
        assert added["fleetspan.run.cost_usd"].double_value > 0
        assert 0 <= added["fleetspan.run.complexity"].double_value <= 10
        assert "fleetspan.run.cost_usd" not in spans[11]
        # Taken off again, it is what the client sent.
        for span in given.resource_spans[0].scope_spans[0].spans:
            kept = [
                each
                for each in span.attributes
                if not each.key.startswith("fleetspan.run.")
            ]
            del span.attributes[:]
            span.attributes.extend(kept)
        assert given == ExportTraceServiceRequest.FromString(run)
        poll(lambda: "fleetspan.run.summary" in events(enriched), "the run is told of")
        assert "logs" not in plain.signals


def events(receiver: Receiver) -> list[str]:
    """Return the names of the log events that came."""
    return [
        log.event_name
        for signal, body in zip(
            list(receiver.signals), list(receiver.taken), strict=False
        )
        if signal == "logs"
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for log in scope.log_records
    ]
