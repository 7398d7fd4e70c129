"""A running collector tells of what it finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector_processor.fleet import agent, tool, traces
from tests.collector_processor.notify.telling import Receiver, receiving
from tests.collector_processor.running import (
    FREE_PORTS,
    Collector,
    command,
    environment,
    poll,
)

pytestmark = pytest.mark.integration


def failing(trace: int) -> list[Span]:
    """Return an agent whose tool fails in all of its calls, each another one."""
    spans = [agent(trace, 1, lasts_ms=60_000)]
    spans += [
        tool(
            trace,
            2 + number,
            1,
            at_ms=1000 + 5000 * number,
            lasts_ms=4000,
            failed=True,
            gen_ai__tool__call__id=f"call-{number}",
            gen_ai__tool__call__arguments=f'{{"n": {number}}}',
            error__type=f"Broken{number}",
        )
        for number in range(6)
    ]
    return spans


def detectors(receiver: Receiver) -> list[str]:
    """Return the detectors whose findings have been posted."""
    told = [json.loads(each.body) for each in receiver.received if each.path == "/hook"]
    return [each["detector"] for each in told]


def events(receiver: Receiver) -> set[str]:
    """Return the names of the log events that have come."""
    requests = [
        ExportLogsServiceRequest.FromString(each.body)
        for each in receiver.received
        if each.path == "/v1/logs"
    ]
    return {
        record.event_name
        for request in requests
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    }


def hook(receiver: Receiver, **given: Any) -> str:
    """Return the setting of a hook."""
    about = {"url": f"{receiver.url}/hook", "detectors": ["failing_tool"], **given}
    return json.dumps({"pager": about})


def test_from_a_span_to_a_hook_and_an_otlp_receiver(tmp_path: Path) -> None:
    """What is sent to the collector is analysed, and told, without anybody asking."""
    with receiving(body=b"") as receiver:
        variables = {
            "FLEETSPAN_NOTIFY_HOOKS": hook(receiver),
            "FLEETSPAN_NOTIFY_OTLP_ENDPOINT": receiver.url,
        }
        with Collector(tmp_path / "data", variables=variables) as collector:
            collector.post("traces", traces(failing(0x81)).SerializeToString())
            wanted = {"fleetspan.finding", "fleetspan.run.summary"}
            poll(lambda: events(receiver) >= wanted, "both events have come")
            poll(lambda: detectors(receiver), "the hook was told")
            assert collector.metric("fleetspan_notify_attempts_total") >= 2
            poll(lambda: collector.count("deliveries") >= 2, "they are on record")
            done = command("--data", str(collector.data), "findings", "--json")
            assert collector.stop() == 0
    found = json.loads(done.stdout)["findings"]
    (ours,) = [each for each in found if each["detector"] == "failing_tool"]
    (told,) = [each for each in receiver.received if each.path == "/hook"]
    assert json.loads(told.body) == ours


def test_what_a_killed_collector_has_not_told(tmp_path: Path) -> None:
    """The next one tells it: the hook was down until then."""
    data = tmp_path / "data"
    with receiving(503) as receiver:
        variables = {"FLEETSPAN_NOTIFY_HOOKS": hook(receiver)}
        with Collector(data, variables=variables) as collector:
            collector.post("traces", traces(failing(0x82)).SerializeToString())
            poll(lambda: receiver.received, "the hook was asked")
            collector.kill()
    with receiving() as receiver:
        variables = {"FLEETSPAN_NOTIFY_HOOKS": hook(receiver)}
        with Collector(data, variables=variables):
            poll(lambda: detectors(receiver) == ["failing_tool"], "the hook was told")


def test_a_hook_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """`up` says which one and why, and ends as with every wrong setting."""
    setting = {"pager": {"url": "https://example.org", "secret_env": "NO_SUCH"}}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fleetspan_collector", "up"),
            *(f"--data={tmp_path / 'data'}", *FREE_PORTS),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(FLEETSPAN_NOTIFY_HOOKS=json.dumps(setting)),
    )
    assert done.returncode == 2
    assert "the hook 'pager' cannot be used" in done.stderr
    assert "the environment variable NO_SUCH holds no secret" in done.stderr
