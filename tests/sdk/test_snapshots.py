"""Snapshots of a program's own state."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest

import fleetspan
from fleetspan._config import Config
from fleetspan._snapshot_delivery import endpoint_of
from fleetspan.testing import Recorded

_MIB = 1 << 20


class Taker:
    """What answers a collector's snapshot routes, and fails on demand.

    Attributes:
        chunks: Bodies of pieces, in the order they came.
        snapshots: What was told of snapshots.
        answers: Statuses of the next answers; 200 once they are used up.
    """

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.snapshots: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.came = threading.Condition()
        taker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with taker.came:
                    status = taker.answers.pop(0) if taker.answers else 200
                    if status == 200 and self.path.endswith("/snapshot-chunks"):
                        said = self.headers["x-fleetspan-sha256"]
                        assert hashlib.sha256(body).hexdigest() == said
                        taker.chunks.append(body)
                    elif status == 200 and self.path.endswith("/snapshots"):
                        taker.snapshots.append(json.loads(body))
                    taker.came.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def taker() -> Generator[Taker]:
    """Listen on a free port."""
    found = Taker()
    yield found
    found.close()


Program = Callable[..., Any]


def _run(program: Program, taker: Taker, source: str, **env: str) -> Any:
    done = program(
        source,
        env={
            "FLEETSPAN_SNAPSHOT_ENDPOINT": taker.endpoint,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            **env,
        },
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("state", "kind", "data"),
    [
        (b"\x00\xff", "bytes", b"\x00\xff"),
        (bytearray(b"ab"), "bytes", b"ab"),
        ("grün", "text", "grün".encode()),
        ({"b": [1, None], "a": "ü"}, "json", '{"b":[1,null],"a":"ü"}'.encode()),
        (b"", "bytes", b""),
        (None, "", None),
    ],
)
def test_a_state_is_kept_as_bytes(
    recorded: Recorded, state: object, kind: str, data: bytes | None
) -> None:
    """Bytes and text stand for themselves, anything else is JSON, None is no state."""
    with fleetspan.run("nightly"), fleetspan.agent("planner"):
        taken = fleetspan.snapshot(state, name="plan", reason="half way")
    (found,) = recorded.snapshots()
    assert found == {
        "id": taken,
        "name": "plan",
        "reason": "half way",
        "run_id": "0000000000000001",
        "agent_id": "0000000000000002",
        "kind": kind,
        "state": data,
    }
    assert len(taken) == 16


def test_the_span_tells_of_it(recorded: Recorded) -> None:
    """The agent's span has an event with the id and the hash, and not the state."""
    with fleetspan.agent("planner"):
        taken = fleetspan.snapshot("abc", name="plan")
    (span,) = recorded.spans()
    assert span["events"] == [
        {
            "name": "fleetspan.snapshot",
            "time_s": 1.0,
            "attributes": {
                "fleetspan.snapshot.id": taken,
                "fleetspan.snapshot.name": "plan",
                "fleetspan.snapshot.state_hash": (
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                ),
                "fleetspan.snapshot.state_bytes": 3,
            },
        }
    ]


def test_outside_of_a_run_none_is_taken(recorded: Recorded) -> None:
    """A snapshot belongs to a run: without one the id is empty."""
    assert fleetspan.snapshot(b"x") == ""
    assert recorded.snapshots() == []


def test_what_json_cannot_hold_does_not_raise(recorded: Recorded) -> None:
    """Nothing stands in for it, and the program goes on."""
    circle: list[object] = []
    circle.append(circle)
    with fleetspan.agent("planner"):
        assert fleetspan.snapshot({"open file": object()}) == ""
        assert fleetspan.snapshot(circle) == ""
    assert recorded.snapshots() == []
    assert fleetspan.suppressed_errors() == {
        "take a snapshot: TypeError": 1,
        "take a snapshot: ValueError": 1,
    }


def test_disabled_takes_none() -> None:
    """Off is off."""
    from fleetspan.testing import capture

    with capture(disabled=True) as recorded, fleetspan.agent("planner"):
        assert fleetspan.snapshot(b"x") == ""
    assert recorded.snapshots() == []


def test_a_state_goes_in_pieces_and_the_snapshot_last(
    program: Program, taker: Taker
) -> None:
    """Pieces of a mebibyte, each acknowledged; the same ones are not sent again."""
    done = _run(
        program,
        taker,
        """
        import fleetspan
        state = bytes(1 << 20) + b"a" * (1 << 20) + b"tail"
        with fleetspan.run("nightly", id="r-1", session="s-1"):
            with fleetspan.agent("planner", id="a-1"):
                print(fleetspan.snapshot(state, reason="first"))
                print(fleetspan.snapshot(state[:-4] + b"TAIL", reason="second"))
        """,
    )
    assert [len(each) for each in taker.chunks] == [_MIB, _MIB, 4, 4]
    assert [each["request_id"] for each in taker.snapshots] == done.stdout.split()
    first = taker.snapshots[0]
    assert (first["run_id"], first["session_id"], first["agent_id"]) == (
        "r-1",
        "s-1",
        "a-1",
    )
    assert first["state_bytes"] == 2 * _MIB + 4
    assert first["state_chunks"] == [
        hashlib.sha256(each).hexdigest() for each in taker.chunks[:3]
    ]
    assert len(first["trace_id"]) == 32


def test_a_collector_that_is_busy_is_asked_again(
    program: Program, taker: Taker
) -> None:
    """What is refused for now is tried again in the background, and exit waits for it."""
    taker.answers = [503]
    _run(
        program,
        taker,
        """
        import fleetspan
        with fleetspan.agent("planner"):
            fleetspan.snapshot(b"x")
        """,
    )
    assert taker.chunks == [b"x"]
    assert len(taker.snapshots) == 1


def test_a_collector_that_knows_no_snapshots_is_asked_once(
    program: Program, taker: Taker
) -> None:
    """Refused for good, it is said once, and the program goes on."""
    taker.answers = [404]
    done = _run(
        program,
        taker,
        """
        import fleetspan
        with fleetspan.agent("planner"):
            print(len(fleetspan.snapshot(b"x")))
        """,
    )
    assert done.stdout == "16\n"
    assert "does not take snapshots: 404" in done.stderr
    assert taker.snapshots == []


def test_without_a_collector_the_program_goes_on(
    program: Program, taker: Taker
) -> None:
    """Nobody listens: the id is given, the failure logged once, and exit is bounded."""
    endpoint = taker.endpoint.rpartition(":")[0] + ":9"
    done = _run(
        program,
        taker,
        """
        import fleetspan
        with fleetspan.agent("planner"):
            print(len(fleetspan.snapshot(b"x")), len(fleetspan.snapshot(b"x")))
        """,
        FLEETSPAN_SNAPSHOT_ENDPOINT=endpoint,
        FLEETSPAN_EXIT_TIMEOUT_S="0.2",
    )
    assert done.stdout == "16 16\n"
    assert done.stderr.count("are not taken now") == 1


def test_a_forked_child_sends_its_own(program: Program, taker: Taker) -> None:
    """What waits in the parent is the parent's to send."""
    _run(
        program,
        taker,
        """
        import os, fleetspan
        with fleetspan.agent("planner", id="parent"):
            fleetspan.snapshot(b"1")
            pid = os.fork()
            if pid == 0:
                fleetspan.snapshot(b"2")
                os._exit(0)
            os.waitpid(pid, 0)
        """,
    )
    assert taker.chunks == [b"1", b"2"]
    assert len(taker.snapshots) == 2


@pytest.mark.parametrize(
    ("settings", "variables", "endpoint"),
    [
        ({}, {}, "http://localhost:4318"),
        ({"endpoint": "http://c:4318"}, {}, "http://c:4318"),
        ({"endpoint": "http://c:4317"}, {}, "http://c:4318"),
        ({"endpoint": "http://[::1]:4317"}, {}, "http://[::1]:4318"),
        (
            {"endpoint": "http://c:4317", "snapshot_endpoint": "https://d:1"},
            {},
            "https://d:1",
        ),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otel/"}, "https://c/otel"),
    ],
)
def test_where_snapshots_go(
    settings: dict[str, Any], variables: dict[str, str], endpoint: str
) -> None:
    """The setting, else where OTLP goes; of gRPC's port the other one."""
    assert endpoint_of(Config(**settings), variables) == endpoint
