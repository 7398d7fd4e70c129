"""A real collector with keys: tenants on every face, and what a key must not leave."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceStub,
)

from fleetspan_collector.access import Scope
from fleetspan_collector.access.keys import KeyFile
from fleetspan_collector.access.owner import OwnerPass
from tests.collector_processor.access.keyed import (
    Authority,
    KeyedCollector,
    bearer,
    make_key,
)
from tests.collector_processor.fleet import RESOURCE, agent, traces
from tests.collector_processor.running import (
    FREE_PORTS,
    command,
    environment,
    poll,
    rows_of,
)

PROTOBUF = {"content-type": "application/x-protobuf"}
# What a client may say of itself, and what must not count.
FORGED = {
    "x-tenant": "b",
    "x-scope-orgid": "b",
    "x-fleetspan-tenant": "b",
    "tenant": "b",
}
FORGED_RESOURCE = {**RESOURCE, "tenant": "b", "tenant.id": "b", "fleetspan.tenant": "b"}


@dataclass
class Keyed:
    """A collector and its keys by name."""

    collector: KeyedCollector
    keys: dict[str, str]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Keyed]:
    """A collector with keys of two tenants, and with each scope alone."""
    data = tmp_path_factory.mktemp("keyed") / "data"
    data.mkdir()
    keys = {
        "a": make_key(data, "a"),
        "b": make_key(data, "b"),
        "all": make_key(data, None, tuple(Scope)),
        "a-admin": make_key(data, "a", (Scope.ADMIN, Scope.READ)),
        "ingest": make_key(data, "a", (Scope.INGEST,)),
        "read": make_key(data, "a", (Scope.READ,)),
        "expired": make_key(
            data, "a", tuple(Scope), expires=datetime.now(UTC) - timedelta(seconds=1)
        ),
        "unknown": make_key(data.parent, "a", tuple(Scope)),
    }
    with KeyedCollector(data) as collector:
        yield Keyed(collector, keys)


def by_grpc(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a span over gRPC; return the code."""
    request = traces([agent(number, 10)], FORGED_RESOURCE)
    with grpc.insecure_channel(keyed.collector.endpoint("otlp_grpc")) as channel:
        try:
            stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
            stub.Export(request, timeout=20, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            code: str = error.code().name
            return code
    return "OK"


_CODES = {200: "OK", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}


def _post(keyed: Keyed, path: str, body: bytes, headers: dict[str, str]) -> str:
    status, received, _ = keyed.collector.ask("otlp_http", "POST", path, body, headers)
    challenge = received.get("www-authenticate", "")
    assert challenge.startswith("Bearer") == (status == 401)
    return _CODES.get(status, str(status))


def by_http(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a span over HTTP."""
    body = traces([agent(number, 10)], FORGED_RESOURCE).SerializeToString()
    return _post(keyed, "/v1/traces", body, PROTOBUF | headers)


def by_hook(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a hook."""
    hook = {"session_id": f"s{number}", "hook_event_name": "Stop", "tenant": "b"}
    media = {"content-type": "application/json"}
    path = "/v1/claude-code/hooks"
    return _post(keyed, path, json.dumps(hook).encode(), media | headers)


def by_transcript(keyed: Keyed, headers: dict[str, str], number: int) -> str:
    """Send a line of a transcript."""
    line = {"type": "user", "sessionId": f"s{number}", "uuid": f"u{number}"}
    where = {
        "content-type": "application/x-ndjson",
        "x-fleetspan-transcript-path": f"/p/s{number}.jsonl",
        "x-fleetspan-transcript-offset": "0",
    }
    path = "/v1/claude-code/transcripts"
    return _post(keyed, path, json.dumps(line).encode() + b"\n", where | headers)


Send = Callable[[Keyed, dict[str, str], int], str]
# By the table in which what was sent is found, and its column that names it.
FACES: dict[str, tuple[Send, str, str]] = {
    "grpc": (by_grpc, "otel_traces", "TraceId"),
    "http": (by_http, "otel_traces", "TraceId"),
    "hooks": (by_hook, "claude_hooks", "SessionId"),
    "transcripts": (by_transcript, "claude_transcript_lines", "SessionId"),
}
_numbers = iter(range(0xA000, 0xB000))


def read(keyed: Keyed, key: str, query: str) -> list[dict[str, object]]:
    """Run a statement with a key."""
    path = "/api/v1/sql?format=JSONEachRow"
    status, _, body = keyed.collector.ask(
        "web", "POST", path, query.encode(), bearer(key)
    )
    assert status == 200, body
    return [json.loads(line) for line in body.splitlines()]


@pytest.mark.integration
@pytest.mark.parametrize("tenant", ["a", "b"])
@pytest.mark.parametrize("face", FACES)
def test_tenant_is_the_key_s(keyed: Keyed, face: str, tenant: str) -> None:
    """Rows belong to the key's tenant, whatever the sender says; others do not see them."""
    send, table, column = FACES[face]
    number = next(_numbers)
    assert send(keyed, bearer(keyed.keys[tenant]) | FORGED, number) == "OK"
    name = f"s{number}" if column == "SessionId" else f"{number:032x}"
    query = f"SELECT DISTINCT Tenant FROM otel.{table} WHERE {column} = '{name}'"
    other = "b" if tenant == "a" else "a"
    assert read(keyed, keyed.keys[tenant], query) == [{"Tenant": tenant}]
    assert read(keyed, keyed.keys["all"], query) == [{"Tenant": tenant}]
    assert read(keyed, keyed.keys[other], query) == []


@pytest.mark.integration
def test_api_shows_a_tenant_its_own(keyed: Keyed) -> None:
    """Lists, runs by id and statements hold nothing of another tenant, whatever is tried."""
    number = next(_numbers)
    name, run = f"secret-{number}", f"{number:032x}"
    body = traces([agent(number, 10, gen_ai__agent__name=name)]).SerializeToString()
    headers = PROTOBUF | bearer(keyed.keys["b"])
    assert (
        keyed.collector.ask("otlp_http", "POST", "/v1/traces", body, headers)[0] == 200
    )

    def answers(key: str) -> list[tuple[int, bytes]]:
        shown = bearer(keyed.keys[key])
        paths = ("/api/v1/runs?wait=2", f"/api/v1/runs/{run}", "/api/v1/fleet")
        found = [keyed.collector.ask("web", "GET", path, b"", shown) for path in paths]
        unfiltered = (
            "SELECT * FROM otel.otel_traces SETTINGS additional_table_filters = {}"
        )
        for query in (
            "SELECT * FROM otel.runs",
            "SELECT * FROM otel.agents",
            unfiltered,
            f"SELECT * FROM ({unfiltered})",
            "SELECT * FROM merge('otel', '.*')",
            "SELECT * FROM mergeTreeIndex('otel', 'otel_traces')",
            "SELECT count() FROM otel.otel_traces WHERE Tenant = 'b' AND 1",
        ):
            path = "/api/v1/sql?format=JSONEachRow"
            found.append(
                keyed.collector.ask("web", "POST", path, query.encode(), shown)
            )
        return [(status, body) for status, _, body in found]

    poll(lambda: name.encode() in answers("b")[0][1], "its own tenant sees it")
    assert answers("b")[1][0] == 200
    seen = answers("a")
    assert seen[1][0] == 404
    assert json.loads(seen[-1][1]) == {"count()": 0}
    assert [status for status, body in seen if name.encode() in body] == []


@pytest.mark.integration
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "UNAUTHENTICATED"),
        ("unknown", "UNAUTHENTICATED"),
        ("expired", "UNAUTHENTICATED"),
        ("read", "PERMISSION_DENIED"),
        ("ingest", "OK"),
    ],
)
def test_sending_takes_a_key_that_allows_it(
    keyed: Keyed, face: str, key: str | None, code: str
) -> None:
    """Without a key in force nothing is taken, nor with one that only reads."""
    headers = {} if key is None else bearer(keyed.keys[key])
    assert FACES[face][0](keyed, headers, next(_numbers)) == code


@pytest.mark.integration
@pytest.mark.parametrize(
    "path", ["/v1/fleetspan/snapshots", "/v1/fleetspan/snapshot-chunks"]
)
def test_snapshots_take_a_key(keyed: Keyed, path: str) -> None:
    """Snapshots are turned away before a byte of them is read."""
    kind = "octet-stream" if path.endswith("chunks") else "json"
    media = {"content-type": f"application/{kind}"}
    refused = [
        _post(keyed, path, b"{}", media | shown)
        for shown in ({}, bearer(keyed.keys["read"]))
    ]
    assert refused == ["UNAUTHENTICATED", "PERMISSION_DENIED"]


WEB = [
    # method, path, then the status for: none, expired, ingest, read, a-admin, all
    ("GET", "/healthz", (200, 200, 200, 200, 200, 200)),
    ("GET", "/readyz", (401, 401, 403, 200, 200, 200)),
    ("GET", "/metrics", (401, 401, 403, 403, 403, 200)),
    ("GET", "/", (401, 401, 200, 200, 200, 200)),
    ("GET", "/api/v1/runs", (401, 401, 403, 200, 200, 200)),
    ("GET", "/api/v1/fleet", (401, 401, 403, 200, 200, 200)),
    ("GET", "/api/v1/findings", (401, 401, 403, 200, 200, 200)),
    ("GET", "/api/v1/sessions", (401, 401, 403, 200, 200, 200)),
    ("GET", "/api/v1/openapi.json", (401, 401, 200, 200, 200, 200)),
    ("GET", "/api/v1/whoami", (200, 200, 200, 200, 200, 200)),
    ("GET", "/login", (200, 200, 200, 200, 200, 200)),
    ("POST", "/api/v1/sql", (401, 401, 403, 200, 200, 200)),
    ("POST", "/api/v1/reprice?dry_run=true", (401, 401, 403, 403, 403, 200)),
    ("GET", "/no/such/path", (401, 401, 404, 404, 404, 404)),
]
WHO = (None, "expired", "ingest", "read", "a-admin", "all")


@pytest.mark.integration
@pytest.mark.parametrize(("method", "path", "expected"), WEB)
def test_web_port_asks_for_a_key(
    keyed: Keyed, method: str, path: str, expected: tuple[int, ...]
) -> None:
    """Everything but being alive and logging in takes a key that allows it."""
    found = []
    for who in WHO:
        headers = {} if who is None else bearer(keyed.keys[who])
        body = b"SELECT 1" if method == "POST" else b""
        status, received, _ = keyed.collector.ask("web", method, path, body, headers)
        found.append(status)
        assert received.get("www-authenticate", "").startswith("Bearer") == (
            status == 401
        )
    assert tuple(found) == expected


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "before"),
    [("authorization", "bearer  "), ("x-api-key", ""), ("x-clickhouse-key", "")],
)
def test_key_may_be_shown_in_other_headers(
    keyed: Keyed, name: str, before: str
) -> None:
    """Clients show keys as they can."""
    headers = {name: before + keyed.keys["read"]}
    assert keyed.collector.ask("web", "GET", "/readyz", b"", headers)[0] == 200


@pytest.mark.integration
def test_who_was_turned_away_is_counted(keyed: Keyed) -> None:
    """Refusals are counted by where and why."""

    def counted(face: str, reason: str) -> float:
        labels = f'face="{face}",reason="{reason}"'
        return keyed.collector.metric(f"fleetspan_access_refused_total{{{labels}}}")

    cases: list[tuple[str, str, Callable[[], object]]] = [
        ("otlp", "unauthenticated", lambda: by_http(keyed, {}, 1)),
        ("otlp", "unauthenticated", lambda: by_grpc(keyed, {}, 1)),
        ("otlp", "forbidden", lambda: by_http(keyed, bearer(keyed.keys["read"]), 1)),
        (
            "web",
            "unauthenticated",
            lambda: keyed.collector.ask("web", "GET", "/readyz"),
        ),
        (
            "web",
            "forbidden",
            lambda: keyed.collector.ask(
                "web", "GET", "/readyz", b"", bearer(keyed.keys["ingest"])
            ),
        ),
    ]
    for face, reason, refused in cases:
        before = counted(face, reason)
        refused()
        assert counted(face, reason) == before + 1


@pytest.mark.integration
def test_revoked_key_is_turned_away_within_two_seconds(keyed: Keyed) -> None:
    """A key ends on every face without a restart; a login that it made ends with it."""
    data = keyed.collector.data
    kept, secret = KeyFile(data / "keys.json").add(
        tenant="a", scopes=(Scope.INGEST, Scope.READ)
    )

    def statuses() -> set[str]:
        web = keyed.collector.ask("web", "GET", "/readyz", b"", bearer(secret))[0]
        sent = [
            send(keyed, bearer(secret), next(_numbers)) for send, _, _ in FACES.values()
        ]
        return {_CODES[web], *sent}

    poll(lambda: statuses() == {"OK"}, "the new key is known", patience_s=2)
    cookie = log_in(keyed, secret)
    assert with_cookie(keyed, cookie, "GET", "/readyz") == 200
    done = command("--data", str(data), "keys", "revoke", kept.key_id)
    assert done.returncode == 0, done.stderr
    poll(lambda: statuses() == {"UNAUTHENTICATED"}, "it is revoked", patience_s=2)
    assert with_cookie(keyed, cookie, "GET", "/readyz") == 401


def log_in(keyed: Keyed, key: str) -> str:
    """Log in as a browser does; return the cookie."""
    where = keyed.collector.endpoint("web")
    form = {
        "content-type": "application/x-www-form-urlencoded",
        "origin": f"http://{where}",
    }
    status, received, _ = keyed.collector.ask(
        "web", "POST", "/login", f"key={key}".encode(), form
    )
    assert (status, received["location"]) == (303, "/")
    name, _, rest = received["set-cookie"].partition("=")
    assert name == "fleetspan_login"
    attributes = {each.strip().lower() for each in rest.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert "secure" not in attributes
    return f"{name}={rest.partition(';')[0]}"


def with_cookie(
    keyed: Keyed, cookie: str, method: str, path: str, body: bytes = b"", **headers: str
) -> int:
    """Ask with a cookie; return the status."""
    return keyed.collector.ask(
        "web", method, path, body, {"cookie": cookie, **headers}
    )[0]


@pytest.mark.integration
def test_browser_logs_in_and_out(keyed: Keyed) -> None:
    """A cookie stands for the key: it reads as the key does, until its user logs out."""
    cookie = log_in(keyed, keyed.keys["a"])
    own = f"http://{keyed.collector.endpoint('web')}"
    assert with_cookie(keyed, cookie, "GET", "/api/v1/runs") == 200
    assert with_cookie(keyed, cookie, "GET", "/metrics") == 403
    sql = ("POST", "/api/v1/sql", b"SELECT 1")
    assert with_cookie(keyed, cookie, *sql, origin=own) == 200
    assert with_cookie(keyed, "fleetspan_login=made-up", "GET", "/api/v1/runs") == 401
    assert with_cookie(keyed, cookie, "POST", "/logout", origin=own) == 303
    assert with_cookie(keyed, cookie, "GET", "/api/v1/runs") == 401


@pytest.mark.integration
def test_foreign_pages_are_refused(keyed: Keyed) -> None:
    """Another page cannot use a browser's cookie, nor log it in, nor rebind a name."""
    cookie = log_in(keyed, keyed.keys["a"])
    _, _, port = keyed.collector.endpoint("web").rpartition(":")
    sql = ("POST", "/api/v1/sql", b"SELECT 1")
    for origin in (
        "https://evil.example",
        "null",
        # The same site to a browser, which sends strict cookies there, too.
        "http://127.0.0.1:1",
        f"http://127.0.0.1.evil.example:{port}",
    ):
        assert with_cookie(keyed, cookie, *sql, origin=origin) == 403
        form = {"content-type": "application/x-www-form-urlencoded", "origin": origin}
        body = f"key={keyed.keys['b']}".encode()
        assert keyed.collector.ask("web", "POST", "/login", body, form)[0] == 403
    assert with_cookie(keyed, cookie, *sql) == 401
    assert with_cookie(keyed, cookie, "GET", "/api/v1/runs", host="evil.example") == 403
    assert (
        keyed.collector.ask(
            "otlp_http",
            "POST",
            "/v1/traces",
            b"",
            PROTOBUF | bearer(keyed.keys["a"]) | {"host": "evil.example"},
        )[0]
        == 403
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"authorization": "KEY"}, 101),
        ({"authorization": "KEY", "origin": "https://evil.example"}, 403),
        ({"authorization": "KEY", "host": "evil.example"}, 403),
        ({"authorization": "KEY", "origin": "OWN"}, 101),
    ],
)
def test_sockets_of_foreign_pages_are_refused(
    keyed: Keyed, headers: dict[str, str], status: int
) -> None:
    """WebSockets, which browsers open for any page, are guarded like requests."""
    where = keyed.collector.endpoint("web")
    real = {"KEY": f"Bearer {keyed.keys['read']}", "OWN": f"http://{where}"}
    shown = {"host": where} | {
        name: real.get(each, each) for name, each in headers.items()
    }
    lines = [
        "GET /api/v1/live/ws HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *(f"{name}: {each}" for name, each in shown.items()),
    ]
    host, _, port = where.rpartition(":")
    with contextlib.closing(socket.create_connection((host, int(port)), 20)) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        assert client.recv(64).split(b" ", 2)[1] == str(status).encode()


@pytest.mark.integration
def test_login_page_loads_nothing_and_keys_are_not_guessed(keyed: Keyed) -> None:
    """The page that takes a key runs no script; wrong keys are slowed down."""
    status, received, body = keyed.collector.ask("web", "GET", "/login")
    assert status == 200
    assert "default-src 'none'" in received["content-security-policy"]
    assert received["cache-control"] == "no-store"
    assert b"<script" not in body
    assert b" style=" not in body
    media = {"content-type": "application/json"}
    wrong = json.dumps({"key": keyed.keys["unknown"]}).encode()
    answers = []
    for _ in range(14):
        status, _, body = keyed.collector.ask("web", "POST", "/login", wrong, media)
        assert status == 401
        answers.append(b"too many keys were tried" in body)
    assert not answers[0]
    assert any(answers)
    right = json.dumps({"key": keyed.keys["a"]}).encode()
    poll(
        lambda: keyed.collector.ask("web", "POST", "/login", right, media)[0] == 303,
        "keys may be tried again",
    )


@pytest.mark.integration
def test_own_commands_need_no_key(keyed: Keyed) -> None:
    """Commands of the collector's user get in through its data directory alone."""
    data = str(keyed.collector.data)
    done = command("--data", data, "sql", "--format", "TSV", "SELECT 1 + 1")
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    assert command("--data", data, "ls").returncode == 0


@pytest.mark.integration
def test_program_under_run_may_send_and_nothing_else(keyed: Keyed) -> None:
    """``fleetspan run`` gives a program a key that sends; it is not that of the owner."""
    program = (
        "import json, os; print(json.dumps([os.environ['FLEETSPAN_KEY'], "
        "os.environ['OTEL_EXPORTER_OTLP_HEADERS']]))"
    )
    data = keyed.collector.data
    arguments = ("--data", str(data), "run", "--", sys.executable, "-c", program)
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    key, headers = json.loads(done.stdout.splitlines()[0])
    assert headers == f"authorization=Bearer%20{key}"
    assert by_http(keyed, bearer(key), next(_numbers)) == "OK"
    assert keyed.collector.ask("web", "GET", "/readyz", b"", bearer(key))[0] == 403
    assert key != OwnerPass.read(data).key


@pytest.mark.integration
def test_hook_shows_its_key(keyed: Keyed, tmp_path: Path) -> None:
    """``fleetspan-hook`` shows the key of its environment."""
    number = next(_numbers)
    variables = {
        "FLEETSPAN_HOOK_ENDPOINT": f"http://{keyed.collector.endpoint('otlp_http')}",
        "FLEETSPAN_KEY": keyed.keys["b"],
        "FLEETSPAN_SPOOL": str(tmp_path / "spool"),
    }
    hook = {"session_id": f"s{number}", "hook_event_name": "SessionEnd"}
    subprocess.run(
        [sys.executable, "-m", "fleetspan_hook.main"],
        input=json.dumps(hook).encode(),
        check=True,
        timeout=60,
        env=environment(**variables),
    )
    query = (
        f"SELECT DISTINCT Tenant FROM otel.claude_hooks WHERE SessionId = 's{number}'"
    )
    poll(
        lambda: read(keyed, keyed.keys["all"], query) == [{"Tenant": "b"}],
        "the hook has arrived",
    )


@pytest.mark.integration
def test_key_is_nowhere_but_with_its_user(tmp_path: Path) -> None:
    """No key is in the data, the log, an answer or a metric, whoever has sent it how."""
    data = tmp_path / "data"
    data.mkdir()
    secrets = {
        "good": make_key(data, "a", tuple(Scope)),
        "narrow": make_key(data, "a", ()),
        "unknown": make_key(tmp_path, "a"),
    }
    said = b""
    with KeyedCollector(data) as collector:
        keyed = Keyed(collector, secrets)
        for secret in secrets.values():
            for send, _, _ in FACES.values():
                send(keyed, bearer(secret), next(_numbers))
            for path in ("/metrics", "/api/v1/runs", "/no/such"):
                said += collector.ask("web", "GET", path, b"", bearer(secret))[2]
            said += collector.ask("web", "POST", "/login", f"key={secret}".encode())[2]
        leaked: dict[str, Any] = {
            "gen_ai__prompt": f"my key is {secrets['good']}, keep it"
        }
        body = traces([agent(next(_numbers), 10, 0, **leaked)]).SerializeToString()
        headers = PROTOBUF | bearer(secrets["good"])
        assert collector.ask("otlp_http", "POST", "/v1/traces", body, headers)[0] == 200
        collector.settle()
        said += collector.request("web", "GET", "/metrics")[2]
        # Wherever the store has written it by now, in plain text.
        said += json.dumps(collector.sql("SELECT * FROM otel.otel_traces")).encode()
        assert b"fleetspan_access_refused_total" in said
        assert b"my key is" in said
        for secret in secrets.values():
            assert secret.encode() not in said
        assert collector.stop() == 0
    assert not (data / "owner.json").exists()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    for file in files:
        content = file.read_bytes()
        for secret in secrets.values():
            assert secret.encode() not in content, file


@pytest.mark.integration
def test_broken_file_of_keys_stops_the_start(tmp_path: Path) -> None:
    """A collector does not start with keys that it cannot read, and says what to do."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "keys.json").write_text("{")
    done = command("--data", str(data), "up", *FREE_PORTS)
    assert done.returncode != 0
    assert "error: the file of keys" in done.stderr
    assert "try: restore it from a copy" in done.stderr
    assert not (data / "owner.json").exists()


@pytest.mark.integration
def test_everything_works_over_tls_with_certificates_of_clients(tmp_path: Path) -> None:
    """Keys and mTLS together: the user's own commands, a client, and nobody else."""
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    server, client = authority.issue("server"), clients.issue("client")
    data = tmp_path / "data"
    data.mkdir()
    key = make_key(data, "a")
    with KeyedCollector(
        data, tls=server, client_authority=clients.certificate
    ) as collector:
        done = command("--data", str(data), "sql", "--format", "TSV", "SELECT 7")
        assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
        done = command("--data", str(data), "doctor", "--json")
        checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
        assert checks["round trip"]["status"] == "ok", checks
        program = (
            "import fleetspan\n"
            "with fleetspan.agent('over-tls'): pass\n"
            "fleetspan.shutdown()\n"
        )
        started = ("--data", str(data), "run", "--", sys.executable, "-c", program)
        # The authority is a private one, and its certificate is not in the collector's.
        trusts = {
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.certificate),
            # OpenTelemetry's exporter for Python lets these win.
            "REQUESTS_CA_BUNDLE": "",
            "CURL_CA_BUNDLE": "",
        }
        done = command(*started, **trusts)
        assert done.returncode == 0, done.stderr
        names = "SELECT Name FROM otel.agents WHERE Name = 'over-tls'"
        poll(lambda: rows_of(data, names) == [{"Name": "over-tls"}], "it has arrived")
        context = authority.client(client)
        body = traces([agent(1, 10)]).SerializeToString()
        post = ("otlp_http", "POST", "/v1/traces", body)
        assert collector.ask(*post, PROTOBUF | bearer(key), context)[0] == 200
        assert collector.ask(*post, PROTOBUF, context)[0] == 401
        with pytest.raises(OSError, match=r"(?i)alert|reset|closed|ssl"):
            collector.ask(*post, PROTOBUF | bearer(key), authority.client())
        form = {"origin": f"https://{collector.endpoint('web')}"}
        status, received, _ = collector.ask(
            "web", "POST", "/login", f"key={key}".encode(), form, context
        )
        assert status == 303
        assert "Secure" in received["set-cookie"]
        assert collector.stop() == 0
    assert "cannot ask this collector" not in collector.log
