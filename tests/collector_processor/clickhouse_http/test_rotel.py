"""A collector that is not ours writes what it receives into the store."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from tests.collector_processor.clickhouse_http.endpoint import Endpoint
from tests.collector_processor.fleet import (
    agent,
    call,
    gauge,
    logs,
    start_event,
    tool,
    traces,
)
from tests.collector_processor.rotel_agent import rotel, rotel_program
from tests.collector_processor.running import poll

PROGRAM = rotel_program()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        PROGRAM is None, reason="needs rotel, which runs on Linux alone"
    ),
]


@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_rotel_writes_into_the_store(
    endpoint: Endpoint, tmp_path: Path, compression: str
) -> None:
    """Spans and logs arrive whole, and runs are derived from them."""
    assert PROGRAM is not None
    base = {"lz4": 0x7000, "none": 0x8000}[compression]
    listed = [*options_of(endpoint), "--clickhouse-exporter-compression", compression]
    with rotel(tmp_path / "rotel.log", PROGRAM, *listed) as process:
        for number in range(base, base + 50):
            send(
                process.http,
                "traces",
                traces(
                    [
                        agent(number, 10, gen_ai__agent__name="by rotel"),
                        call(number, 11, 10, note="it's\t🚀"),
                        tool(number, 12, 10, failed=True),
                    ]
                ).SerializeToString(),
            )
        event = start_event(base, 10, "agent", gen_ai__agent__name="by rotel")
        send(process.http, "logs", logs([event]).SerializeToString())
        low, high = f"{base:032x}", f"{base + 49:032x}"
        where = f"TraceId BETWEEN '{low}' AND '{high}'"

        def counted(table: str, condition: str) -> int:
            found = endpoint.text(f"SELECT count() FROM otel.{table} WHERE {condition}")
            return int(found)

        poll(lambda: counted("otel_traces", where) == 150, "all spans are there")
        poll(lambda: counted("otel_logs", where) == 1, "the log record is there")
    values = "SpanKind, StatusCode, Duration, SpanAttributes['note']"
    row = endpoint.text(
        f"SELECT {values} FROM otel.otel_traces WHERE TraceId = '{low}'"
        " AND SpanId = '000000000000000b' FORMAT JSONCompactEachRow",
    )
    assert json.loads(row) == ["Internal", "Unset", 10_000_000, "it's\t🚀"]
    runs = f"SELECT count() FROM otel.runs WHERE RunId BETWEEN '{low}' AND '{high}z'"
    poll(lambda: endpoint.text(runs) == "50\n", "runs are derived")


def test_rows_of_an_older_table_are_refused_whole(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """This rotel's metrics have times of eight bytes; the standard's have four since 2026."""
    assert PROGRAM is not None
    log = tmp_path / "rotel.log"
    listed = [*options_of(endpoint), "--clickhouse-exporter-compression", "none"]
    with rotel(log, PROGRAM, *listed) as process:
        queue = gauge("queue of rotel", 1, 2)
        send(process.http, "metrics", queue.SerializeToString())
        said = '"x-clickhouse-exception-code": "33"'
        poll(lambda: said in log.read_text("utf-8", "replace"), "it is refused")
    named = "SELECT count() FROM otel.otel_metrics_gauge WHERE MetricName = 'queue of rotel'"
    assert endpoint.text(named) == "0\n"


def options_of(endpoint: Endpoint) -> list[str]:
    """Return rotel's options for the interface."""
    options = {
        "exporter": "clickhouse",
        "clickhouse-exporter-endpoint": f"http://{endpoint.host}:{endpoint.port}",
        "clickhouse-exporter-user": "default",
        "clickhouse-exporter-password": endpoint.keys["all"],
    }
    return [text for name, value in options.items() for text in (f"--{name}", value)]


def send(address: str, signal: str, body: bytes) -> None:
    """Send one OTLP request."""
    connection = http.client.HTTPConnection(address, timeout=60)
    media = {"content-type": "application/x-protobuf"}
    connection.request("POST", f"/v1/{signal}", body, media)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()
