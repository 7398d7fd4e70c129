"""The stream of a real collector in a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from fleetspan_collector.access import Scope
from fleetspan_collector.access.keys import KeyFile
from tests.collector_processor.fleet import MS, START_NS, agent, call, span, traces
from tests.collector_processor.processors.looping import S, looping
from tests.collector_processor.running import Collector, environment, poll

pytestmark = pytest.mark.integration
_PATIENCE_S = 60.0


@contextmanager
def _stream(
    collector: Collector, *, key: str = "", origin: Origin | None = None
) -> Generator[ClientConnection]:
    with connect(
        f"ws://{collector.endpoint('web')}/api/v1/live/ws",
        additional_headers={"authorization": f"Bearer {key}"} if key else {},
        origin=origin,
        compression=None,
        proxy=None,
    ) as stream:
        assert json.loads(stream.recv(_PATIENCE_S))[0]["kind"] == "hello"
        yield stream


def _events(stream: ClientConnection) -> Iterator[dict[str, Any]]:
    while True:
        yield from json.loads(stream.recv(_PATIENCE_S))


def _send(collector: Collector, *names: str) -> None:
    spans = [span(9, number, name=name) for number, name in enumerate(names, start=1)]
    collector.post("traces", traces(spans).SerializeToString())


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _Tail:
    """``fleetspan tail`` in a process of its own."""

    def __init__(self, data: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "fleetspan_collector", "tail"),
                *(f"--data={data}", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            # Whoever is started in the background inherits that Ctrl-C is ignored.
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - the test has one thread then
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out, self.err = self.process.stdout, self.process.stderr

    def interrupt(self) -> int:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.out.close()
        self.err.close()


def test_spans_then_their_run_then_what_is_found_in_it(tmp_path: Path) -> None:
    """Events come from the journal, from derivation and from the processors, in turn."""
    with Collector(tmp_path / "data") as collector, _stream(collector) as stream:
        shift_ms = (time.time_ns() - START_NS) // MS - 60 * S
        spans = looping(77, 4)
        for each in spans:
            each.start_time_unix_nano += shift_ms * MS
            each.end_time_unix_nano += shift_ms * MS
        collector.post("traces", traces(spans).SerializeToString())
        kinds: list[str] = []
        for event in _events(stream):
            kinds.append(event["kind"])
            if event["kind"] == "finding":
                break

    assert kinds[: len(spans)] == ["span"] * len(spans)
    assert "run" in kinds[len(spans) :]
    assert event["name"] == "no_progress_loop"
    assert event["severity"] in ("low", "medium", "high", "critical")
    assert event["run_id"]


def test_events_of_the_sdk_name_what_the_canonical_tables_name(tmp_path: Path) -> None:
    """A start, then the span: thing and key of both are those of the stored rows."""
    program = (
        "import fleetspan\n"
        "with fleetspan.agent('coder', session='s-1'):\n"
        "    with fleetspan.llm('claude-sonnet-4-5', provider='anthropic') as call:\n"
        "        call.usage(input_tokens=100, output_tokens=20)\n"
        "    with fleetspan.tool('Read', call_id='toolu_1'):\n"
        "        pass\n"
    )
    with Collector(tmp_path / "data") as collector, _stream(collector) as stream:
        endpoint = f"http://{collector.endpoint('otlp_http')}"
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            env=environment(FLEETSPAN_ENDPOINT=endpoint),
            timeout=_PATIENCE_S,
        )
        ended: dict[str, dict[str, Any]] = {}
        begun: dict[str, dict[str, Any]] = {}
        for event in _events(stream):
            if event["kind"] == "span":
                ended[event["thing"]] = event
            if event["kind"] == "start":
                begun[event["thing"]] = event
            if {"agent", "llm", "tool"} <= ended.keys() and "tool" in begun:
                break
        collector.settle()
        (agents,) = collector.sql("SELECT AgentId, RunId FROM otel.agents")
        (llm,) = collector.sql("SELECT CallId FROM otel.llm_calls")
        (tool,) = collector.sql("SELECT ToolCallId FROM otel.tool_calls")

    assert ended["agent"]["thing_id"] == agents["AgentId"]
    assert begun["agent"]["thing_id"] == agents["AgentId"]
    assert ended["llm"]["thing_id"] == llm["CallId"]
    assert ended["tool"]["thing_id"] == tool["ToolCallId"]
    assert begun["tool"]["thing_id"] == tool["ToolCallId"]
    assert {e["run_id"] for e in ended.values()} == {agents["RunId"]}
    assert {e["agent_id"] for e in ended.values()} == {agents["AgentId"]}
    assert {e["session_id"] for e in ended.values()} == {"s-1"}
    assert {e["agent"] for e in ended.values()} == {"coder"}
    assert ended["llm"]["model"] == "claude-sonnet-4-5"
    assert ended["llm"]["tokens"] == 120


def test_tail_follows_across_restarts(tmp_path: Path) -> None:
    """One JSON object a line; a restart is told as missed; Ctrl-C is no failure."""
    data = tmp_path / "data"
    with Collector(data) as collector, _Tail(data, "--json") as tail:
        assert "following" in tail.err.readline()
        _send(collector, "before")
        assert json.loads(tail.out.readline())["name"] == "before"
        collector.kill()
        assert "ended" in tail.err.readline()
        with Collector(data) as again:
            assert "following" in tail.err.readline()
            missed = json.loads(tail.out.readline())
            _send(again, "after")
            while (event := json.loads(tail.out.readline()))["kind"] != "span":
                pass
            code = tail.interrupt()

    assert (missed["kind"], missed["count"]) == ("missed", None)
    assert event["name"] == "after"
    assert code == 0


def test_tail_shows_people_a_line_an_event(tmp_path: Path) -> None:
    """Filters apply; what telemetry says cannot drive the terminal."""
    data = tmp_path / "data"
    with (
        Collector(data) as collector,
        _Tail(data, "--agent", "coder", "--kind", "span") as tail,
    ):
        tail.err.readline()
        collector.post(
            "traces",
            traces(
                [
                    agent(9, 1, gen_ai__agent__name="other"),
                    agent(9, 2, gen_ai__agent__name="coder", lasts_ms=1500),
                    call(9, 3, 2, gen_ai__agent__name="coder", lasts_ms=250),
                    span(
                        *(9, 4, 2),
                        name="evil \x1b[2J\nname",
                        failed=True,
                        gen_ai__agent__name="coder",
                    ),
                ]
            ).SerializeToString(),
        )
        lines = [tail.out.readline()[12:] for _ in range(3)]
        code = tail.interrupt()

    assert lines == [
        " span    coder  agent  1.5s\n",
        " span    coder  llm claude-sonnet-4-5  250ms  123 tokens\n",
        " span    medium coder  evil \ufffd[2J name  error  10ms  error\n",
    ]
    assert code == 0


def test_tenants_of_keys_see_their_own_until_they_are_revoked(tmp_path: Path) -> None:
    """The user who runs the collector follows everybody's; a foreign page nothing."""
    data = tmp_path / "data"
    data.mkdir()
    keys = KeyFile(data / "keys.json")
    scopes = [Scope.INGEST, Scope.READ]
    kept, red = keys.add(tenant="red", scopes=scopes)
    _, blue = keys.add(tenant="blue", scopes=scopes)
    with Collector(data) as collector, _Tail(data, "--json", "--kind", "span") as tail:
        assert "following" in tail.err.readline()
        with (
            _stream(collector, key=red) as of_red,
            _stream(collector, key=blue) as other,
        ):
            for secret, name in ((red, "of red"), (blue, "of blue")):
                body = traces([span(9, 1, name=name)]).SerializeToString()
                status, _, _ = collector.request(
                    *("otlp_http", "POST", "/v1/traces", body),
                    content_type="application/x-protobuf",
                    authorization=f"Bearer {secret}",
                )
                assert status == 200
            seen = [next(_events(each))["name"] for each in (of_red, other)]
            followed = [json.loads(tail.out.readline())["name"] for _ in range(2)]
            keys.revoke(kept.key_id)
            with pytest.raises(ConnectionClosed) as closed:
                for _ in _events(of_red):
                    pass
        with pytest.raises(InvalidStatus) as nobody, _stream(collector):
            pass
        with (
            pytest.raises(InvalidStatus) as foreign,
            _stream(collector, key=blue, origin=Origin("https://elsewhere.example")),
        ):
            pass
        assert tail.interrupt() == 0

    assert seen == ["of red", "of blue"]
    assert followed == ["of red", "of blue"]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
    assert nobody.value.response.status_code == 403
    assert foreign.value.response.status_code == 403


def test_tail_says_when_there_is_nothing_to_follow(tmp_path: Path) -> None:
    """Without a collector it ends; a filter that cannot be used ends it, too."""
    with _Tail(tmp_path / "nothing") as tail:
        assert tail.process.wait(_PATIENCE_S) == 3
        assert "there is nothing to follow" in tail.err.read()
    with _Tail(tmp_path / "nothing", "--severity", "bad") as tail:
        assert tail.process.wait(_PATIENCE_S) == 2
        assert "severity='bad'" in tail.err.read()


def test_open_streams_do_not_keep_a_collector_from_stopping(tmp_path: Path) -> None:
    """WebSockets and SSE end; who takes nothing is not waited for."""
    with Collector(tmp_path / "data") as collector, _stream(collector) as stream:
        host, _, port = collector.endpoint("web").rpartition(":")
        with (
            socket.create_connection((host, int(port))) as reads,
            socket.create_connection((host, int(port))) as takes_nothing,
            ThreadPoolExecutor(1) as pool,
        ):
            for each in (reads, takes_nothing):
                each.sendall(
                    f"GET /api/v1/live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
                )
            poll(
                lambda: collector.metric("fleetspan_live_listeners") == 3,
                "three listen",
            )
            _send(collector, *("x" * 400,) * 20_000)
            reads.settimeout(_PATIENCE_S)
            stopping = pool.submit(collector.stop)
            with pytest.raises(ConnectionClosed) as closed:
                for _ in _events(stream):
                    pass
            ended = b""
            while piece := reads.recv(1 << 20):
                ended = (ended + piece)[-5:]
            code = stopping.result()

    assert code == 0
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in {1001, 1012}
    assert ended == b"0\r\n\r\n"
