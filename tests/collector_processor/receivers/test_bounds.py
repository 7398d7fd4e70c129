"""Requests that are small on the wire and huge in memory."""

import gzip
import subprocess
import sys

import pytest

from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers import TooLarge
from fleetspan_collector.receivers._bounds import _PLANS, _walk, check_parsed_bytes
from fleetspan_collector.receivers._validate import validate

MIB = 1 << 20


def sized(tag: bytes, body: bytes) -> bytes:
    """A length-delimited field."""
    size, length = len(body), b""
    while size > 127:
        length += bytes((size & 127 | 128,))
        size >>= 7
    return tag + length + bytes((size,)) + body


def in_scope(items: bytes) -> bytes:
    """Wrap the items of a trace, log or metric request."""
    return sized(b"\x0a", sized(b"\x12", items))


def in_span(fields: bytes) -> bytes:
    """Wrap the fields of one span."""
    return in_scope(sized(b"\x12", fields))


BOMBS = {
    "empty spans": (Signal.TRACES, in_scope(b"\x12\x00" * 200_000)),
    "empty scopes": (Signal.TRACES, sized(b"\x0a", b"\x12\x00" * 400_000)),
    "empty resources": (Signal.TRACES, b"\x0a\x00" * 400_000),
    "over-long tags": (Signal.TRACES, in_scope(b"\x92\x00\x00" * 200_000)),
    "attributes": (Signal.TRACES, in_span(b"\x4a\x00" * 400_000)),
    "events": (Signal.TRACES, in_span(b"\x5a\x00" * 300_000)),
    "links": (Signal.TRACES, in_span(b"\x6a\x00" * 200_000)),
    "array elements": (
        Signal.TRACES,
        in_span(sized(b"\x4a", sized(b"\x12", sized(b"\x2a", b"\x0a\x00" * 300_000)))),
    ),
    "records": (Signal.LOGS, in_scope(b"\x12\x00" * 200_000)),
    "metrics": (Signal.METRICS, in_scope(b"\x12\x00" * 300_000)),
    "data points": (
        Signal.METRICS,
        in_scope(sized(b"\x12", sized(b"\x2a", b"\x0a\x00" * 300_000))),
    ),
    "packed varints": (
        Signal.METRICS,
        in_scope(
            sized(
                b"\x12",
                sized(
                    b"\x52", sized(b"\x0a", sized(b"\x42", sized(b"\x12", b"\1" * MIB)))
                ),
            )
        ),
    ),
}


class TestBombs:
    """Structure bombs are refused before they are parsed."""

    @pytest.mark.parametrize("name", BOMBS)
    def test_many_small_items_are_too_large(self, name):
        """Each kind of item counts with what it will cost in memory."""
        signal, body = BOMBS[name]
        with pytest.raises(TooLarge) as caught:
            check_parsed_bytes(signal, body, limit_bytes=16 * MIB)
        assert caught.value.reason == "parsed_bytes"
        check_parsed_bytes(signal, body, limit_bytes=256 * MIB)

    def test_an_ordinary_request_of_the_limit_passes(self, trace_request):
        """Text that is full of tag bytes is counted exactly, as text."""
        spans = [{"name": "\n\x12J" * 500} for _ in range(1000)]
        body = trace_request(*spans).SerializeToString()
        check_parsed_bytes(Signal.TRACES, body, limit_bytes=3 * len(body))

    @pytest.mark.parametrize(
        "body",
        [b"\x0a\xff\xff\xff\xff\x7f", b"\x0a", b"\xff" * 30, b"\x0b\x0b", b"\x09\x01"],
    )
    def test_malformed_bytes_end_the_count(self, body):
        """Counting never fails; decoding says what is wrong."""
        many = body * 1000
        assert _walk(many, _PLANS[Signal.TRACES].root, 1 << 40) < 20 * len(many)

    def test_one_big_attribute_passes(self, trace_request):
        """Bytes alone are not items: 20 MiB in one attribute are fine."""
        request = trace_request()
        span = request.resource_spans[0].scope_spans[0].spans[0]
        span.attributes.add(key="k").value.string_value = "\n" * (20 * MIB)
        body = request.SerializeToString()
        assert validate(Signal.TRACES, body, max_parsed_bytes=64 * MIB).rows == 1


MEASURE = """
import asyncio, resource, sys
from prometheus_client import CollectorRegistry
from fleetspan_collector.receivers import (
    HttpServer, Intake, MemorySink, OtlpHttpApp, ReceiverMetrics, ReceiverSettings,
)

def peak():
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux: ru_maxrss would include what the parent had before exec.
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

async def main():
    body = sys.stdin.buffer.read()
    metrics = ReceiverMetrics(CollectorRegistry())
    intake = Intake(MemorySink(), ReceiverSettings(), metrics)
    server = HttpServer(OtlpHttpApp(intake), "127.0.0.1", 0)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = "POST /v1/traces HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Encoding: gzip\\r\\n"
    head += "Content-Type: application/x-protobuf\\r\\nConnection: close\\r\\n"
    head += f"Content-Length: {len(body)}\\r\\n\\r\\n"
    before = peak()
    writer.write(head.encode() + body)
    answer = await reader.read()
    print(answer.split()[1].decode(), (peak() - before) >> 20)
    writer.close()
    await server.stop(1)

asyncio.run(main())
"""


class TestMemory:
    """What the whole receiver needs, measured in a process of its own."""

    @pytest.mark.parametrize(
        ("count", "status", "most_mib"),
        [(2_000_000, "413", 64), (1_100_000, "200", 384), (32_000_000, "413", 256)],
    )
    def test_two_million_empty_spans_in_4_kb(self, count, status, most_mib):
        """The bomb that once took 354 MB is refused; one within the limit is parsed."""
        bomb = gzip.compress(in_scope(b"\x12\x00" * count))
        assert len(bomb) < 70_000
        done = subprocess.run(
            [sys.executable, "-c", MEASURE], input=bomb, capture_output=True, check=True
        )
        got_status, got_mib = done.stdout.decode().split()
        assert got_status == status
        assert int(got_mib) < most_mib
