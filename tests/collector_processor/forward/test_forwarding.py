"""What a collector accepts goes on to its destinations, each by itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from tests.collector_processor.forward.receiving import Receiver, request
from tests.collector_processor.running import Collector, command, poll

pytestmark = pytest.mark.integration

PROTOCOLS = ("grpc", "http/protobuf")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bytes_are_what_the_client_sent(collector: Any, protocol: str) -> None:
    """Nothing of a request changes, also what this version does not know."""
    with Receiver(protocol) as receiver:
        running = collector({"one": {"url": receiver.url, "protocol": protocol}})
        sent = [request(number) for number in range(1, 21)]
        for each in sent:
            running.post("traces", each)
        poll(lambda: len(receiver.taken) == 20, "all are there")
        assert sorted(receiver.taken) == sorted(sent)
        assert running.stop() == 0
    kept = json.loads((running.data / "forward" / "one.json").read_text())
    assert kept["traces"][1] > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_destination_that_is_away_costs_the_others_nothing(
    collector: Any, protocol: str
) -> None:
    """It gets all, once, when it comes back; the others never wait for it."""
    with Receiver(protocol) as here, Receiver(protocol) as away:
        away.go()
        running = collector(
            {
                "here": {"url": here.url, "protocol": protocol},
                "away": {"url": away.url, "protocol": protocol},
            }
        )
        sent = [request(number) for number in range(1, 101)]
        for each in sent:
            running.post("traces", each)
        poll(lambda: len(here.taken) == 100, "the other one has all")
        assert running.count("otel_traces") == 100
        away.come_back()
        poll(lambda: len(away.taken) == 100, "it has all, too")
    assert Counter(away.taken) == Counter(sent)
    assert Counter(here.taken) == Counter(sent)


def test_what_waits_outlives_a_kill_and_the_store_has_it_once(collector: Any) -> None:
    """Segments that the store is done with are kept for who lags, and not stored again."""
    with Receiver("grpc") as receiver:
        receiver.go()
        destination = {"late": {"url": receiver.url}}
        running = collector(destination)
        sent = [request(number) for number in range(1, 31)]
        for each in sent:
            running.post("traces", each)
        running.settle()
        kept = running.data / "journal" / "kept" / "traces"
        assert len(list(kept.iterdir())) >= 1
        running.kill()
        running = collector(destination)
        assert running.count("otel_traces") == 30
        assert running.metric("fleetspan_ingest_inserted_rows_total") == 0
        receiver.come_back()
        poll(lambda: len(receiver.taken) == 30, "all are there")
        poll(lambda: not list(kept.iterdir()), "nothing is kept any more")
    assert Counter(receiver.taken) == Counter(sent)


def test_a_command_without_receivers_keeps_what_a_destination_needs(
    collector: Any, tmp_path: Path
) -> None:
    """Who opens the store alone stores what is journaled, and forwards nothing."""
    with Receiver("grpc") as receiver:
        receiver.go()
        destination = {"late": {"url": receiver.url}}
        running = collector(destination)
        running.post("traces", request(1))
        running.kill()
        forward = json.dumps(destination)
        done = command("--data", str(running.data), "ls", FLEETSPAN_FORWARD=forward)
        assert done.returncode == 0, done.stderr
        receiver.come_back()
        collector(destination)
        poll(lambda: len(receiver.taken) == 1, "it is there")


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        ("grpc", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED]),
        ("grpc", [(grpc.StatusCode.RESOURCE_EXHAUSTED, 0.1)]),
        ("http/protobuf", [503, 429, 502, 504]),
        ("http/protobuf", [(503, 1), (429, "Fri, 01 Jan 2021 00:00:00 GMT")]),
    ],
)
def test_what_may_be_sent_again_is(
    collector: Any, protocol: str, answers: list[Any]
) -> None:
    """Exactly the retryable answers of the specification, with what they ask for."""
    with Receiver(protocol) as receiver:
        receiver.answers.extend(answers)
        running = collector({"one": {"url": receiver.url, "protocol": protocol}})
        sent = request(1)
        running.post("traces", sent)
        poll(lambda: receiver.taken == [sent], "it is taken")
        assert receiver.attempts == len(answers) + 1


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("grpc", grpc.StatusCode.INVALID_ARGUMENT),
        ("grpc", grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("grpc", grpc.StatusCode.UNAUTHENTICATED),
        ("http/protobuf", 400),
        ("http/protobuf", 413),
        ("http/protobuf", 500),
    ],
)
def test_what_is_refused_for_good_is_dropped_and_counted(
    collector: Any, protocol: str, answer: Any
) -> None:
    """It is not sent again, and does not hold up what comes after it."""
    with Receiver(protocol) as receiver:
        receiver.answers.append(answer)
        running = collector({"one": {"url": receiver.url, "protocol": protocol}})
        running.post("traces", request(1))
        poll(lambda: receiver.attempts == 1, "it has come")
        sent = request(2)
        running.post("traces", sent)
        poll(lambda: receiver.taken == [sent], "the next one is taken")
        assert running.metric("fleetspan_forward_dropped_records_total") == 1
    assert "was refused for good" in running.log


def test_partial_success_is_counted_and_never_sent_again(collector: Any) -> None:
    """What a receiver has taken in part it has taken."""
    partial = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(
            rejected_spans=1, error_message="too old"
        )
    )
    with Receiver("grpc") as receiver:
        receiver.answers.append(partial.SerializeToString())
        running = collector({"one": {"url": receiver.url}})
        running.post("traces", request(1))
        poll(lambda: running.metric("fleetspan_forward_rejected_total") == 1, "counted")
        assert receiver.attempts == 1


def test_signals_and_headers(collector: Any) -> None:
    """A destination gets the signals that it is to get."""
    with Receiver("http/protobuf") as receiver:
        destination = {
            "url": receiver.url,
            "protocol": "http/protobuf",
            "signals": ["traces"],
            "compression": "none",
        }
        running = collector({"one": destination})
        running.post("logs", b"")
        running.post("traces", request(1))
        poll(lambda: len(receiver.taken) == 1, "it is there")


@pytest.mark.slow
def test_a_second_collector_takes_each_once(collector: Any, tmp_path: Path) -> None:
    """Killed at any moment, what is sent again is the same, and recognised."""
    with Collector(tmp_path / "second") as second:
        destination = {"second": {"url": f"http://{second.endpoint('otlp_grpc')}"}}
        number = 0
        for _ in range(3):
            running = collector(destination)
            for _ in range(60):
                number += 1
                running.post("traces", request(number))
            running.kill()
        running = collector(destination)
        poll(lambda: second.count("otel_traces") == number, "the second has all")
        assert running.count("otel_traces") == number
        assert running.stop() == 0
        assert second.count("otel_traces") == number
