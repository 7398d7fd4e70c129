"""Hooks: how long Claude Code would wait for the answer to one.

A process of its own posts real hooks of the captures over connections that are kept
open, as the client does, and with each hook, in turns: about as many bytes as an
OTLP/HTTP export of one log record to the same collector, and the same bytes to a bare
server that appends them to a file and answers after ``fdatasync``. All three meet the
same machine and the same disk in the same seconds. A time is from before the request
is sent until the answer is read.

Three states: one client, 25 rounds a second; eight clients, each as fast; one client
while another process sends 1,000 spans a second to the collector, which inserts and
derives them beside. In the end the store must hold every hook once.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import _systems
from tests.benchmarks._report import Result, percentile
from tests.benchmarks._scale import Scale
from tests.collector_processor.claude_code import captures
from tests.collector_processor.fleet import logs, start_event

_AIM_MS: Final = 10.0
_ROUNDS_PER_S: Final = 25
_WARM_UP: Final = 10
_STATES: Final = {"one client": 1, "eight clients": 8, "beside 1,000 spans/s": 1}
_TARGETS: Final = ("hook", "log record", "bare fdatasync")


def measure(scale: Scale, folder: Path) -> Result:
    """Post hooks in each state; see that each of them is stored once."""
    found: dict[str, dict[str, list[float]]] = {}
    with _systems.fleetspan(folder) as system, _bare(folder / "bare") as bare:
        address = system.collector.endpoint("otlp_http")
        for state, clients in _STATES.items():
            with contextlib.ExitStack() as stack:
                if "spans" in state:
                    seconds = scale.hooks_rounds / _ROUNDS_PER_S + 2
                    stack.enter_context(spans_beside(system.grpc, seconds))
                found[state] = _post(address, bare, scale.hooks_rounds, clients)
        sent = (scale.hooks_rounds + _WARM_UP) * sum(_STATES.values())
        stored = system.collector.count("claude_hooks")
        if stored != sent:
            raise RuntimeError(f"{sent} hooks were answered, {stored} are stored")
    return Result(
        part="hooks",
        title="answers to hooks",
        columns=(
            *("state", "hooks", "p50 ms", "p99 ms", "max ms"),
            *("log record p99 ms", "bare p99 ms", "p99 : log record", "p99 : bare"),
        ),
        rows=[_row(state, each) for state, each in found.items()],
        settings={"rounds": scale.hooks_rounds, "rounds_per_s": _ROUNDS_PER_S},
        raw=found,
        notes=[f"aim: p99 within {_AIM_MS:.0f} ms, durable before the answer."],
    )


def _row(state: str, times_s: dict[str, list[float]]) -> list[object]:
    hook_ms = [1000 * each for each in times_s["hook"]]
    log_ms, bare_ms = (
        1000 * percentile(times_s[target], 99) for target in _TARGETS[1:]
    )
    p99_ms = percentile(hook_ms, 99)
    return [
        state,
        len(hook_ms),
        percentile(hook_ms, 50),
        p99_ms,
        max(hook_ms),
        log_ms,
        bare_ms,
        p99_ms / log_ms,
        p99_ms / bare_ms,
    ]


def _post(address: str, bare: str, rounds: int, clients: int) -> dict[str, list[float]]:
    """Run clients in processes of their own; return the seconds by target."""
    senders = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.hooks"),
                *("post", address, bare, str(rounds)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(clients)
    ]
    merged: dict[str, list[float]] = {target: [] for target in _TARGETS}
    for sender in senders:
        text, _ = sender.communicate()
        if sender.returncode:
            raise RuntimeError("a client failed")
        for target, seconds in json.loads(text).items():
            merged[target] += seconds
    return merged


@contextlib.contextmanager
def spans_beside(grpc: str, seconds: float) -> Generator[None]:
    """Send 1,000 spans a second for so many seconds, and no longer than a client takes."""
    sender = subprocess.Popen(
        [*(sys.executable, "-m", "tests.benchmarks.freshness"), *(grpc, str(seconds))],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        sender.terminate()
        sender.wait()


@contextlib.contextmanager
def _bare(path: Path) -> Generator[str]:
    """Run the bare server; yield its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.hooks", "serve", str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def post(address: str, bare: str, rounds: int) -> None:
    """Post in turn to each target and print the seconds; the client's process."""
    hooks = [each.body for each in captures.deliveries("tree", "hooks")]
    record = logs([start_event(1, 1, "agent", text="x" * 800)]).SerializeToString()
    with contextlib.ExitStack() as stack:
        ours, others, bares = (
            stack.enter_context(
                contextlib.closing(http.client.HTTPConnection(where, timeout=60))
            )
            for where in (address, address, bare)
        )
        times: dict[str, list[float]] = {target: [] for target in _TARGETS}
        media = {"content-type": "application/json"}
        otlp = {"content-type": "application/x-protobuf"}
        # Equal bytes would be recognised as a retry.
        own = os.urandom(8).hex().encode()
        for number in range(-_WARM_UP, rounds):
            next_s = time.monotonic() + 1 / _ROUNDS_PER_S
            body = hooks[number % len(hooks)]
            unique = record.replace(b"x" * 24, own + b"%08d" % (number + _WARM_UP), 1)
            turns: list[tuple[str, http.client.HTTPConnection, str, bytes, Any]] = [
                ("hook", ours, captures.HOOKS_PATH, body, media),
                ("log record", others, "/v1/logs", unique, otlp),
                ("bare fdatasync", bares, "/", body, media),
            ]
            # The first of a round pays for waking the machine: each in its turn.
            first = number % len(turns)
            for target, connection, path, payload, headers in (
                turns[first:] + turns[:first]
            ):
                began_s = time.perf_counter()
                connection.request("POST", path, payload, headers)
                answer = connection.getresponse()
                answer.read()
                took_s = time.perf_counter() - began_s
                if answer.status != 200:
                    raise RuntimeError(f"{target}: {answer.status}")
                if number >= 0:
                    times[target].append(took_s)
            time.sleep(max(0.0, next_s - time.monotonic()))
    print(json.dumps(times))


def serve(path: str) -> None:
    """Append bodies to a file and answer after ``fdatasync``; the bare server."""
    from fleetspan_collector.receivers import HttpServer

    lock = threading.Lock()
    with open(path, "ab", buffering=0) as file:

        def keep(body: bytes) -> None:
            with lock:
                file.write(body)
                os.fdatasync(file.fileno())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            body, more = b"", True
            while more:
                event = await receive()
                body += event.get("body", b"")
                more = event.get("more_body", False)
            await asyncio.to_thread(keep, body)
            headers = [(b"content-length", b"2")]
            await send(
                {"type": "http.response.start", "status": 200, "headers": headers}
            )
            await send({"type": "http.response.body", "body": b"{}"})

        async def run() -> None:
            server = HttpServer(app, "127.0.0.1", 0)
            await server.start()
            print(f"127.0.0.1:{server.port}", flush=True)
            await asyncio.Event().wait()

        asyncio.run(run())


if __name__ == "__main__":
    if sys.argv[1] == "post":
        post(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        serve(sys.argv[2])
