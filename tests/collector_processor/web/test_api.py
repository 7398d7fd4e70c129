"""The routes of the web port, over a real socket."""

import os
from typing import Any

import pytest

from fleetspan_collector.web.memory_reader import MemoryReader


async def test_index_names_what_is_there(port: Any) -> None:
    """The root names every path."""
    answer = await port.ask("GET", "/")
    assert answer.status == 200
    assert sorted(answer.json["paths"]) == [
        "/api/v1/control/approvals",
        "/api/v1/control/budgets",
        "/api/v1/live",
        "/api/v1/openapi.json",
        "/api/v1/reprice",
        "/api/v1/runs",
        "/api/v1/runs/{id}",
        "/api/v1/snapshots",
        "/api/v1/sql",
        "/healthz",
        "/metrics",
        "/readyz",
    ]


async def test_healthz_names_the_process(port: Any) -> None:
    """A command can tell the owner of a data directory from a stranger on its port."""
    answer = await port.ask("GET", "/healthz")
    assert answer.json == {"status": "ok", "pid": os.getpid()}


async def test_readyz_gives_its_reasons(serve: Any) -> None:
    """Not ready is 503, with a sentence for each reason."""
    reasons = {"lag": "the store is 9 s behind"}
    async with serve(MemoryReader(), reasons=reasons) as port:
        answer = await port.ask("GET", "/readyz")
    assert answer.status == 503
    assert answer.json["reasons"] == {"lag": "the store is 9 s behind"}


async def test_readyz_is_ready(port: Any) -> None:
    """Ready is 200 without reasons."""
    answer = await port.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready", "reasons": {}})


async def test_metrics_are_prometheus_text(port: Any) -> None:
    """The registry is written in Prometheus' text format."""
    answer = await port.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"\nfleetspan_things_total 3.0\n" in answer.body


async def test_runs_latest_first(port: Any) -> None:
    """The list is one document, and is read after having caught up."""
    answer = await port.ask("GET", "/api/v1/runs")
    assert answer.json["schema_version"] == 1
    assert [run["run_id"] for run in answer.json["runs"]] == [
        "aaa222",
        "aaa111",
        "bbb333",
    ]
    assert answer.json["runs"][1]["agents"] == 3
    assert port.waits == [2.0]


async def test_runs_since_and_limit(port: Any) -> None:
    """The list can be cut by time and by number."""
    answer = await port.ask("GET", "/api/v1/runs?since=2026-01-01T00:00:00Z&limit=1")
    assert [run["run_id"] for run in answer.json["runs"]] == ["aaa222"]


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-01-01T00:00:00", "limit=0", "limit=x"]
)
async def test_wrong_parameters_are_400(port: Any, query: str) -> None:
    """A parameter that cannot be used is answered, not ignored."""
    answer = await port.ask("GET", f"/api/v1/runs?{query}")
    assert answer.status == 400
    assert sorted(answer.json) == ["because", "error", "try"]


async def test_run_by_a_beginning_of_its_id(port: Any) -> None:
    """An id may be cut short as long as it is the only one."""
    answer = await port.ask("GET", "/api/v1/runs/b")
    assert answer.json["run_id"] == "bbb333"
    assert [agent["agent_id"] for agent in answer.json["agents"]] == ["old"]


async def test_ambiguous_id_is_409(port: Any) -> None:
    """Of several runs none is chosen, and all are named."""
    answer = await port.ask("GET", "/api/v1/runs/aaa")
    assert answer.status == 409
    assert answer.json["because"] == "2 runs begin so: aaa222, aaa111"


async def test_unknown_id_is_404_with_a_guess(port: Any) -> None:
    """A mistyped id is answered with the closest one."""
    answer = await port.ask("GET", "/api/v1/runs/aab111")
    assert answer.status == 404
    assert answer.json["try"] == "did you mean fleetspan show aaa111?"


async def test_sql_is_answered_byte_for_byte(port: Any) -> None:
    """The body is the statement, the answer what the engine wrote."""
    answer = await port.ask("POST", "/api/v1/sql?format=TabSeparated", b"SELECT 1\n")
    assert (answer.status, answer.body) == (200, b"1\n")
    assert port.waits == [2.0]


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("", b"", 400),
        ("", b"\xff", 400),
        ("", b"x" * 1_048_577, 413),
        ("?format=a%20b", b"SELECT 1", 400),
        ("", b"SELECT 2", 422),
    ],
)
async def test_wrong_statements_are_answered(
    port: Any, query: str, body: bytes, status: int
) -> None:
    """What is wrong with a statement is said as JSON."""
    answer = await port.ask("POST", f"/api/v1/sql{query}", body)
    assert answer.status == status
    assert sorted(answer.json) == ["because", "error", "try"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/api/v1/sql", 405), ("DELETE", "/", 405)],
)
async def test_wrong_paths_and_methods_are_json(
    port: Any, method: str, path: str, status: int
) -> None:
    """Starlette's own refusals have the same form as ours."""
    answer = await port.ask(method, path)
    assert answer.status == status
    assert sorted(answer.json) == ["because", "error", "try"]


async def test_surprise_is_500_in_json(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of ours is answered in the same form, and the port lives on."""

    class Broken(MemoryReader):
        """Cannot read."""

        def runs(self, **asked: Any) -> Any:
            """Fail."""
            raise ZeroDivisionError("nothing left")

    async with serve(Broken()) as port:
        answer = await port.ask("GET", "/api/v1/runs")
        assert answer.status == 500
        assert answer.json["because"] == "ZeroDivisionError: nothing left"
        assert (await port.ask("GET", "/healthz")).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/api/v1/runs", "/api/v1/sql"]
)
async def test_foreign_host_is_refused_on_every_route(port: Any, path: str) -> None:
    """A page whose name was pointed at this machine (DNS rebinding) gets nothing."""
    answer = await port.ask("GET", path, headers={"Host": "evil.example:80"})
    assert answer.status == 403
    assert answer.json["error"] == "this host name is not served"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]", "[::1]:4319"]
)
async def test_loopback_hosts_are_served(port: Any, host: str) -> None:
    """Every name of loopback is served, with or without a port."""
    assert (await port.ask("GET", "/healthz", headers={"Host": host})).status == 200


@pytest.mark.parametrize("host", ["", "localhost.evil.example", "127.0.0.1.x", "[::2]"])
async def test_lookalike_hosts_are_refused(port: Any, host: str) -> None:
    """A name that only begins like loopback is a foreign one."""
    assert (await port.ask("GET", "/healthz", headers={"Host": host})).status == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1"]
)
async def test_requests_of_foreign_pages_are_refused(port: Any, origin: str) -> None:
    """A form on a page of another site cannot run a statement."""
    answer = await port.ask(
        "POST", "/api/v1/sql", b"SELECT 1", headers={"Origin": origin}
    )
    assert answer.status == 403


async def test_own_pages_are_served_without_cors(port: Any) -> None:
    """A page of this port may ask; no answer invites another site to read it."""
    origin = f"http://127.0.0.1:{port.port}"
    answer = await port.ask("GET", "/healthz", headers={"Origin": origin})
    assert answer.status == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-")]


@pytest.mark.parametrize("complete", [True, False])
async def test_an_answer_says_whether_it_is_complete(
    serve: Any, complete: bool
) -> None:
    """Who reads can tell that the newest acknowledged rows could not be read in time."""
    reader = MemoryReader(answers={"SELECT 1": b"1\n"})
    async with serve(reader, complete=complete) as port:
        runs = await port.ask("GET", "/api/v1/runs")
        rows = await port.ask("POST", "/api/v1/sql?format=TSV", b"SELECT 1")
    said = "true" if complete else "false"
    assert runs.headers["x-fleetspan-complete"] == said
    assert rows.headers["x-fleetspan-complete"] == said
