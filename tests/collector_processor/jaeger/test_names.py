"""Services, operations, summaries, dependencies and capabilities."""

from __future__ import annotations

from collections.abc import Generator

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.collector_processor.jaeger.building import (
    NOON_NS,
    SECOND_NS,
    one,
    span_of,
    trace_id,
)
from tests.collector_processor.jaeger.serving import Client, Served, served, timestamp

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A store of a trace of three services, and another."""
    failed = one(1, 4, service="stock", name="take", at_s=3, parent=2)
    span_of(failed).status.code = Status.STATUS_CODE_ERROR
    with served(tmp_path_factory.mktemp("names")) as opened:
        opened.take(
            one(
                1, 1, name="buy", kind=Span.SPAN_KIND_SERVER, duration_ns=9 * SECOND_NS
            ),
            one(1, 2, name="ask", kind=Span.SPAN_KIND_CLIENT, at_s=1, parent=1),
            one(1, 3, service="stock", name="take", at_s=2, parent=2),
            failed,
            one(1, 5, service="mail", name="send", at_s=4, parent=3),
            one(1, 6, service="mail", name="send", at_s=5, parent=77),
            one(1, 7, service="", name="unknown", at_s=6, parent=1),
            one(2, 1, name="buy", kind=Span.SPAN_KIND_INTERNAL, at_s=60),
            tenant="a",
        )
        opened.take(
            one(1, 1, service="b-shop"),
            one(1, 3, service="b-stock", at_s=1, parent=1),
            tenant="b",
        )
        yield opened


@pytest.fixture
def client(serving: Served) -> Client:
    """A client of the first tenant."""
    return serving.connect({"x-tenant": "a"})


def test_services(client: Client) -> None:
    """Spans without a service have one by the name that Jaeger shows of them."""
    assert client.services() == ["OTLPResourceNoServiceName", "mail", "shop", "stock"]


def test_operations(client: Client) -> None:
    """Operations are those of a service, with the kinds that Jaeger knows."""
    assert client.operations("shop") == [
        ("ask", "client"),
        ("buy", "internal"),
        ("buy", "server"),
    ]
    assert client.operations("OTLPResourceNoServiceName") == [("unknown", "")]
    assert client.operations("no such") == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("client", ["ask"]),
        ("SERVER", ["buy"]),
        ("internal", ["buy"]),
        ("producer", []),
        ("unspecified", []),
    ],
)
def test_operations_of_a_kind(client: Client, kind: str, expected: list[str]) -> None:
    """Only operations with spans of the kind are named."""
    assert [name for name, _ in client.operations("shop", kind)] == expected


@pytest.mark.parametrize(("service", "kind"), [("", ""), ("shop", "sideways")])
def test_operations_of_nothing(client: Client, service: str, kind: str) -> None:
    """A service is needed, and a kind has to be one."""
    with pytest.raises(grpc.RpcError) as refused:
        client.operations(service, kind)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_summaries(client: Client) -> None:
    """A summary tells of a trace what its spans add up to."""
    second, first = client.summaries()
    assert second.trace_id == trace_id(2)
    assert first.trace_id == trace_id(1)
    assert (first.root_service_name, first.root_operation_name) == ("shop", "buy")
    assert first.min_start_time_unix_nano == NOON_NS
    assert first.max_end_time_unix_nano == NOON_NS + 9 * SECOND_NS
    assert (first.span_count, first.error_span_count) == (7, 1)
    assert first.orphan_span_count == 1
    assert [(s.name, s.span_count, s.error_span_count) for s in first.services] == [
        ("OTLPResourceNoServiceName", 1, 0),
        ("mail", 2, 0),
        ("shop", 2, 0),
        ("stock", 2, 1),
    ]


def test_dependencies(client: Client) -> None:
    """A call from a service to another counts; one inside a service does not."""
    found = client.dependencies(timestamp(NOON_NS), timestamp(NOON_NS + 60 * SECOND_NS))
    assert found == [("shop", "stock", 2), ("stock", "mail", 1)]


def test_dependencies_of_a_time(client: Client) -> None:
    """Those are counted that were called then, whenever their callers began."""
    late = timestamp(NOON_NS + 3 * SECOND_NS)
    assert client.dependencies(late, timestamp(NOON_NS + 60 * SECOND_NS)) == [
        ("shop", "stock", 1),
        ("stock", "mail", 1),
    ]
    assert client.dependencies(timestamp(NOON_NS - 60 * SECOND_NS), late) == [
        ("shop", "stock", 2)
    ]
    assert client.dependencies(late, None) == [
        ("shop", "stock", 1),
        ("stock", "mail", 1),
    ]


def test_tenants_do_not_call_each_other(serving: Served) -> None:
    """Who sees everybody's spans sees no call between spans of two tenants."""
    found = serving.client.dependencies(timestamp(NOON_NS - 1), None)
    assert found == [
        ("b-shop", "b-stock", 1),
        ("shop", "stock", 2),
        ("stock", "mail", 1),
    ]


def test_dependencies_need_a_beginning(client: Client) -> None:
    """Since when they are wanted has to be said, as Jaeger's own stores want it."""
    with pytest.raises(grpc.RpcError, match="start_time: is needed") as refused:
        client.dependencies(None, timestamp(NOON_NS))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError, match="start_time is after end_time"):
        client.dependencies(timestamp(NOON_NS), timestamp(NOON_NS - 1))


def test_capabilities(client: Client) -> None:
    """A search needs no service, and looks for all attributes in one span."""
    search = client.capabilities().search
    assert (search.without_service_name, search.same_span_conjunction) == (True, True)
    assert (search.paginated, search.span_search, search.HasField("filter")) == (
        *(False, False),
        False,
    )
