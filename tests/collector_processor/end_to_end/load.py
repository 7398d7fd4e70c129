"""A client that sends spans for ever and remembers which of them were acknowledged.

``python load.py DATA LEDGER``: six senders, two for each protocol, find the collector
through ``DATA/endpoints.json``. A request without an answer is sent again, the same
bytes, to whatever collector is there then; every tenth is given up instead. ``LEDGER``
gets a line for each answer, fsynced before the next request: ``acked`` or ``unknown``
and the span ids. A line on standard input ends it, after every sender has its answer.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceStub,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.collector_processor.fleet import agent, call, span, tool, traces
from tests.collector_processor.otlp_json import encode

PROTOCOLS = ("grpc", "protobuf", "json")
_UNANSWERED = (OSError, http.client.HTTPException, grpc.RpcError, ValueError, KeyError)


class Client:
    """Senders, and what they know.

    Args:
        data: The collector's data directory.
        ledger: Where answers are noted.
    """

    def __init__(self, data: Path, ledger: Path) -> None:
        self._endpoints = data / "endpoints.json"
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.ending = threading.Event()

    def note(self, word: str, ids: list[str]) -> None:
        """Write down what became of a request."""
        os.write(self._ledger, f"{word} {' '.join(ids)}\n".encode())
        os.fsync(self._ledger)

    def sender(self, protocol: str, lane: int) -> None:
        """Send until told to end."""
        chance = random.Random(lane)
        trace = lane << 96
        while not self.ending.is_set():
            trace += 1
            for request in _fleet(trace, chance):
                self._deliver(protocol, request, hopeless=chance.random() < 0.1)

    def _deliver(
        self, protocol: str, request: ExportTraceServiceRequest, *, hopeless: bool
    ) -> None:
        ids = [
            f"{each.trace_id.hex()}{each.span_id.hex()}"
            for each in request.resource_spans[0].scope_spans[0].spans
        ]
        send: Callable[[str, ExportTraceServiceRequest], bool]
        send = _by_grpc if protocol == "grpc" else _by_http
        deadline_s = time.monotonic() + 120
        while time.monotonic() < deadline_s:
            try:
                address = json.loads(self._endpoints.read_text())
                key = "otlp_grpc" if protocol == "grpc" else "otlp_http"
                where = f"{protocol} {address[key]}"
                if send(where, request):
                    self.note("acked", ids)
                    return
                continue
            except _UNANSWERED:
                time.sleep(0.02)
            if hopeless:
                break
        self.note("unknown", ids)


def _fleet(trace: int, chance: random.Random) -> list[ExportTraceServiceRequest]:
    """One trace in up to three requests, children first as often as not."""
    spans = [agent(trace, 1, gen_ai__conversation__id=f"s-{trace % 5}")]
    for number in range(2, chance.randint(3, 12)):
        make = chance.choice([agent, call, call, tool, span])
        failed = chance.random() < 0.1
        spans.append(make(trace, number, chance.randint(1, number - 1), failed=failed))
    chance.shuffle(spans)
    cut = chance.randint(0, len(spans))
    return [traces(part) for part in (spans[:cut], spans[cut:]) if part]


def _by_grpc(where: str, request: ExportTraceServiceRequest) -> bool:
    with grpc.insecure_channel(where.split()[1]) as channel:
        answer = TraceServiceStub(channel).Export(request, timeout=10)  # type: ignore[no-untyped-call]
        return not answer.partial_success.rejected_spans


def _by_http(where: str, request: ExportTraceServiceRequest) -> bool:
    protocol, address = where.split()
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        if protocol == "json":
            body, media = encode(request), "application/json"
        else:
            body, media = request.SerializeToString(), "application/x-protobuf"
        connection.request("POST", "/v1/traces", body, {"content-type": media})
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200
    finally:
        connection.close()


def main() -> None:
    """Send until a line comes on standard input."""
    client = Client(Path(sys.argv[1]), Path(sys.argv[2]))
    lanes = [
        threading.Thread(target=client.sender, args=(protocol, lane))
        for lane, protocol in enumerate(PROTOCOLS * 2, start=1)
    ]
    for lane in lanes:
        lane.start()
    sys.stdin.readline()
    client.ending.set()
    for lane in lanes:
        lane.join()


if __name__ == "__main__":
    main()
