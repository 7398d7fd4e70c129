"""Jaeger's interface of a collector in a process of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from tests.collector_processor.access.keyed import KeyedCollector, bearer, make_key
from tests.collector_processor.jaeger.building import one, trace_id
from tests.collector_processor.jaeger.plain import plain
from tests.collector_processor.jaeger.serving import Client, spans_of
from tests.collector_processor.running import Collector

pytestmark = pytest.mark.integration

PORTS = (
    *("--grpc=off", "--http=127.0.0.1:0", "--web=127.0.0.1:0"),
    *("--clickhouse=off", "--jaeger=127.0.0.1:0"),
)
# The spans are of a fixed day, which must not have expired.
FOR_EVER = "--set=retention_traces_days=0"


@pytest.fixture
def collector(tmp_path: Path) -> Generator[Collector]:
    """A collector that serves Jaeger's interface."""
    with Collector(tmp_path / "data", FOR_EVER, ports=PORTS) as started:
        yield started


def test_what_was_acknowledged_is_read(collector: Collector) -> None:
    """A trace is there as soon as the collector has said that it has it, and whole."""
    with closing(Client(collector.endpoint("jaeger"))) as client:
        for number in range(1, 6):
            request = one(number, attributes={"n": number})
            collector.post("traces", request.SerializeToString())
            assert plain(client.get_ids(trace_id(number))) == plain([request])
            more = one(number, 2, at_s=3600, parent=1)
            collector.post("traces", more.SerializeToString())
            assert plain(client.get_ids(trace_id(number))) == plain([request, more])
            assert client.hex_ids(attributes={"n": number}) == [trace_id(number).hex()]
        assert client.services() == ["shop"]
    assert collector.metric("fleetspan_jaeger_calls_total") == 16


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    """Without the interface the collector is as it was."""
    ports = (*PORTS[:-1], "--jaeger=off")
    with Collector(tmp_path / "data", ports=ports) as started:
        assert started.endpoint("jaeger") is None


def test_tenants(tmp_path: Path) -> None:
    """Keys of the collector hold here, too."""
    data = tmp_path / "data"
    data.mkdir()
    keys = {tenant: make_key(data, tenant) for tenant in ("a", "b")}
    with KeyedCollector(data, FOR_EVER, ports=PORTS) as started:
        for number, (tenant, key) in enumerate(keys.items(), 1):
            body = one(number, service=tenant).SerializeToString()
            media = {"content-type": "application/x-protobuf"}
            status, _, _ = started.ask(
                "otlp_http", "POST", "/v1/traces", body, media | bearer(key)
            )
            assert status == 200
        address = started.endpoint("jaeger")
        for number, (tenant, key) in enumerate(keys.items(), 1):
            with closing(Client(address, bearer(key))) as client:
                assert client.services() == [tenant]
                found = spans_of(client.get_ids(trace_id(1), trace_id(2)))
                assert [span.trace_id for span in found] == [trace_id(number)]
        with (
            closing(Client(address)) as client,
            pytest.raises(grpc.RpcError) as refused,
        ):
            client.services()
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
