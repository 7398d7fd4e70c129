"""A span on its whole way, and ``doctor`` over a running collector.

The receivers and the web port are the real ones; in place of a store, statements are
answered from what the receivers accepted.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from fleetspan_collector._errors import CollectorError, UnreachableError
from fleetspan_collector.cli import _round_trip
from fleetspan_collector.cli._round_trip import round_trip_ms
from fleetspan_collector.config import Endpoints, remove_endpoints, write_endpoints
from fleetspan_collector.receivers import (
    GrpcReceiver,
    HttpServer,
    Intake,
    MemorySink,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
)
from fleetspan_collector.store.migrate import latest_generation
from fleetspan_collector.web.app import Sources, create_app
from fleetspan_collector.web.memory_reader import MemoryReader, MemoryRows


class SinkReader(MemoryReader):
    """Counts the spans of a trace among what a sink accepted.

    Args:
        sink: Where the spans are.
        generation: The schema generation that the store is said to have.
    """

    def __init__(self, sink: MemorySink, generation: int) -> None:
        super().__init__()
        self._sink = sink
        self._generation = generation

    def sql(self, query: str, output_format: str) -> bytes:
        """Answer the statements of ``doctor``; of hooks, ours or theirs, there is nothing."""
        if "fleetspan_schema" in query:
            return json.dumps({"generation": self._generation}).encode()
        if "claude_hooks" in query or "deliveries" in query:
            return b""
        wanted = re.search("'([0-9a-f]{32})'", query)
        assert wanted is not None
        assert "FROM otel.otel_traces " in query
        found = 0
        for submission in self._sink.submissions:
            request = trace_service_pb2.ExportTraceServiceRequest()
            request.ParseFromString(submission.payload)
            for span in request.resource_spans[0].scope_spans[0].spans:
                found += span.trace_id.hex() == wanted[1]
        return json.dumps({"found": found}).encode() + b"\n"


@contextlib.asynccontextmanager
async def collecting(
    *, keep: bool = True, generation: int | None = None
) -> AsyncIterator[Endpoints]:
    """Run receivers and a web port; without ``keep``, what is accepted is lost."""
    kept, lost = MemorySink(), MemorySink()
    registry = prometheus_client.CollectorRegistry()
    sink = kept if keep else lost
    intake = Intake(sink, ReceiverSettings(), ReceiverMetrics(registry))

    async def caught_up(
        timeout_s: float, *, derived: bool = True, analysed: bool = False
    ) -> bool:
        return True

    async def unready() -> dict[str, str]:
        return {}

    known = latest_generation() if generation is None else generation
    sources = Sources(
        rows=MemoryRows(SinkReader(kept, known)),
        registry=registry,
        caught_up=caught_up,
        unready=unready,
    )
    grpc = GrpcReceiver(intake, "127.0.0.1", 0)
    http = HttpServer(OtlpHttpApp(intake), "127.0.0.1", 0)
    web = HttpServer(create_app(sources), "127.0.0.1", 0)
    for server in (grpc, http, web):
        await server.start()
    try:
        yield Endpoints(
            otlp_grpc=f"127.0.0.1:{grpc.port}",
            otlp_http=f"127.0.0.1:{http.port}",
            web=f"127.0.0.1:{web.port}",
        )
    finally:
        for server in (web, http, grpc):
            await server.stop()


@pytest.mark.parametrize("without", [{}, {"otlp_http": None}, {"otlp_grpc": None}])
async def test_a_span_is_sent_and_read_back(without: dict[str, None]) -> None:
    """One receiver is enough, whichever it is."""
    async with collecting() as all_:
        addresses = {
            "otlp_grpc": all_.otlp_grpc,
            "otlp_http": all_.otlp_http,
            "web": all_.web,
        }
        endpoints = Endpoints(**{**addresses, **without})
        took_ms = await asyncio.to_thread(round_trip_ms, endpoints, "otel")
    assert took_ms > 0


async def test_a_span_that_does_not_arrive_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An acknowledged span that no query finds is not taken for a success."""
    monkeypatch.setattr(_round_trip, "_DEADLINE_S", 0.2)
    async with collecting(keep=False) as endpoints:
        with pytest.raises(CollectorError, match="did not arrive"):
            await asyncio.to_thread(round_trip_ms, endpoints, "otel")


@pytest.mark.parametrize("receiver", ["otlp_http", "otlp_grpc"])
async def test_a_closed_receiver_is_unreachable(receiver: str) -> None:
    """A receiver that does not listen is named."""
    async with collecting() as endpoints:
        deaf = Endpoints(web=endpoints.web, **{receiver: "127.0.0.1:1"})
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 did not take"):
            await asyncio.to_thread(round_trip_ms, deaf, "otel")


def statuses(done: Any) -> dict[str, str]:
    """Return what ``doctor --json`` found, by name."""
    return {check["name"]: check["status"] for check in json.loads(done.out)["checks"]}


async def doctor(command: Any, endpoints: Endpoints, data: Path, *more: str) -> Any:
    """Run ``doctor`` beside a collector that has written its file."""
    data.mkdir()
    write_endpoints(data, endpoints)
    try:
        return await asyncio.to_thread(command, "doctor", *more)
    finally:
        remove_endpoints(data)


async def test_doctor_of_a_sound_collector(command: Any, tmp_path: Path) -> None:
    """All is well: exit 0, a line each, and the milliseconds of the round trip."""
    async with collecting() as endpoints:
        done = await doctor(command, endpoints, tmp_path / "data")
    lines = done.out.splitlines()
    found = [re.sub(r"\d+ ms$", "N ms", line) for line in lines]
    assert "ok   round trip: one span sent, stored and read back in N ms" in found
    assert f"ok   schema: generation {latest_generation()}" in lines
    assert "ok   ready: the collector can work" in lines
    assert done.code == 0


async def test_doctor_of_a_store_of_another_generation(
    command: Any, tmp_path: Path
) -> None:
    """A finding is exit 1, in the document and for a script."""
    async with collecting(generation=9999) as endpoints:
        done = await doctor(command, endpoints, tmp_path / "data", "--json")
    document = json.loads(done.out)
    assert (done.code, document["ok"], document["schema_version"]) == (1, False, 1)
    assert statuses(done)["schema"] == "fail"
    assert statuses(done)["round trip"] == "ok"
