"""The same attacks on every face that can be looked at: refused, or absent."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc
import pytest

from fleetspan_collector.access import Scope
from fleetspan_collector.access.keys import KeyFile
from fleetspan_collector.jaeger.protos import trace_storage_pb2
from tests.collector_processor.access.faces import PROTOBUF
from tests.collector_processor.access.keyed import KeyedCollector, bearer, make_key
from tests.collector_processor.fleet import agent, call, tool, traces
from tests.collector_processor.running import poll

pytestmark = pytest.mark.integration

PORTS = (
    *("--grpc=127.0.0.1:0", "--http=127.0.0.1:0", "--web=127.0.0.1:0"),
    *("--clickhouse=127.0.0.1:0", "--jaeger=127.0.0.1:0"),
)
SECRETS = {"a": "only-of-a", "b": "only-of-b"}
FORGED = {
    "x-tenant": "b",
    "x-scope-orgid": "b",
    "x-fleetspan-tenant": "b",
    "tenant": "b",
    "x-clickhouse-database": "otel",
}


@dataclass(frozen=True)
class Faces:
    """A collector with every face, and keys by name."""

    collector: KeyedCollector
    keys: dict[str, str]

    def api(self, headers: dict[str, str]) -> tuple[bool, bytes]:
        """Ask the JSON API; tell whether it answered, and what."""
        path = "/api/v1/runs?since=2020-01-01T00:00:00Z"
        status, _, body = self.collector.ask("web", "GET", path, b"", headers)
        return status == 200, body

    def sql(self, headers: dict[str, str]) -> tuple[bool, bytes]:
        """Run a statement on the web port."""
        query = b"SELECT * FROM otel.otel_traces"
        path = "/api/v1/sql?format=JSONEachRow"
        status, _, body = self.collector.ask("web", "POST", path, query, headers)
        return status == 200, body

    def events(self, headers: dict[str, str]) -> tuple[bool, bytes]:
        """Read what the live stream has to say of the past, over SSE."""
        host, _, port = self.collector.endpoint("web").rpartition(":")
        lines = [f"GET /api/v1/live HTTP/1.1\r\nHost: {host}:{port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with socket.create_connection((host, int(port)), 10) as stream:
            stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            body = stream.recv(65536)
        return body.startswith(b"HTTP/1.1 200"), body

    def page(self, headers: dict[str, str]) -> tuple[bool, bytes]:
        """Ask for what a run's page shows."""
        path = f"/api/v1/runs/{1:032x}-{10:016x}/timeline"
        status, _, body = self.collector.ask("web", "GET", path, b"", headers)
        return status == 200, body

    def clickhouse(self, headers: dict[str, str]) -> tuple[bool, bytes]:
        """Ask over ClickHouse's interface."""
        query = b"SELECT * FROM otel.otel_traces FORMAT JSONEachRow"
        status, _, body = self.collector.ask("clickhouse", "POST", "/", query, headers)
        return status == 200, body

    def jaeger(self, headers: dict[str, str]) -> tuple[bool, bytes]:
        """Ask Jaeger's storage for both tenants' traces."""
        request = trace_storage_pb2.GetTracesRequest()
        for number in (1, 101):
            request.query.add(trace_id=number.to_bytes(16))
        with grpc.insecure_channel(self.collector.endpoint("jaeger")) as channel:
            call_it: Any = channel.unary_stream(
                "/jaeger.storage.v2.TraceReader/GetTraces"
            )
            metadata = tuple((key.lower(), value) for key, value in headers.items())
            try:
                found = b"".join(
                    call_it(request.SerializeToString(), metadata=metadata, timeout=20)
                )
            except grpc.RpcError as error:
                return False, str(error.details()).encode()
        return True, found


NAMES = ("api", "sql", "events", "page", "clickhouse", "jaeger")
Ask = Callable[[dict[str, str]], tuple[bool, bytes]]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Generator[Faces]:
    """A trace of each tenant, every string of which tells whose it is."""
    data = tmp_path_factory.mktemp("faces") / "data"
    data.mkdir()
    keys = {tenant: make_key(data, tenant) for tenant in SECRETS}
    keys["ingest"] = make_key(data, "a", (Scope.INGEST,))
    with KeyedCollector(data, "-vv", ports=PORTS) as collector:
        for place, (tenant, secret) in enumerate(SECRETS.items()):
            number = 100 * place + 1
            spans = [
                agent(number, 10, gen_ai__agent__name=secret),
                call(number, 11, 10, note=secret),
                tool(number, 12, 10, note=secret),
            ]
            body = traces(spans, {"service.name": secret}).SerializeToString()
            headers = PROTOBUF | bearer(keys[tenant])
            status, _, _ = collector.ask(
                "otlp_http", "POST", "/v1/traces", body, headers
            )
            assert status == 200
        collector.settle()
        yield Faces(collector, keys)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_let_in_without_a_key(faces: Faces, name: str) -> None:
    """No key, a made-up one, one that may only send."""
    ask: Ask = getattr(faces, name)
    for headers in (
        {},
        bearer("fsk_made_up"),
        bearer(""),
        bearer(faces.keys["ingest"]),
        {"cookie": "fleetspan=made-up"},
    ):
        answered, body = ask(headers)
        assert not answered, body[:300]
        assert b"only-of" not in body


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tenant", SECRETS)
def test_a_forged_tenant_changes_nothing(faces: Faces, name: str, tenant: str) -> None:
    """Whatever the asker says it is, it sees what its key sees."""
    ask: Ask = getattr(faces, name)
    other = "b" if tenant == "a" else "a"
    forged = {key: other if value == "b" else value for key, value in FORGED.items()}
    answered, body = ask(bearer(faces.keys[tenant]) | forged)
    assert SECRETS[other].encode() not in body
    if name == "jaeger":
        # There the header is Jaeger's own way to say whose traces are meant.
        assert not answered
    if name in {"api", "sql", "clickhouse"}:
        assert answered
        assert SECRETS[tenant].encode() in body
    if name == "page":
        assert answered == (tenant == "a")


@pytest.mark.parametrize("name", NAMES)
def test_a_revoked_key_opens_nothing(faces: Faces, name: str) -> None:
    """Within seconds, without a restart."""
    ask: Ask = getattr(faces, name)
    file = KeyFile(faces.collector.data / "keys.json")
    key, secret = file.add(tenant="a", scopes=tuple(Scope))
    poll(lambda: ask(bearer(secret))[0], "the new key is let in")
    file.revoke(key.key_id)
    poll(lambda: not ask(bearer(secret))[0], "it is turned away", patience_s=10)
    assert b"only-of" not in ask(bearer(secret))[1]


@pytest.mark.parametrize("port", ["web", "clickhouse", "otlp_http"])
def test_a_foreign_host_is_not_served(faces: Faces, port: str) -> None:
    """A page that has its own name lead to this machine reads nothing, key or not."""
    path = {"otlp_http": "/v1/traces", "clickhouse": "/?query=SELECT+1"}.get(
        port, "/api/v1/runs"
    )
    for host in (
        "evil.test",
        "evil.test:80",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
    ):
        headers = bearer(faces.keys["a"]) | {"host": host} | PROTOBUF
        status, _, body = faces.collector.ask(port, "POST", path, b"", headers)
        assert status in {400, 403, 421}, (host, status)
        assert b"only-of" not in body


@pytest.mark.parametrize("port", ["web", "clickhouse"])
def test_another_site_s_page_is_not_served(faces: Faces, port: str) -> None:
    """Its origin gives it away, in a question as in a form."""
    for origin in ("http://evil.test", "null", "https://127.0.0.1"):
        headers = bearer(faces.keys["a"]) | {"origin": origin}
        headers["content-type"] = "application/x-www-form-urlencoded"
        path = "/?query=SELECT+1" if port == "clickhouse" else "/api/v1/sql"
        status, received, _ = faces.collector.ask(
            port, "POST", path, b"SELECT 1", headers
        )
        assert status == 403
        assert "access-control-allow-origin" not in received


OUTSIDE = (
    "../../keys.json",
    "..%2f..%2fkeys.json",
    "%2e%2e/%2e%2e/%2e%2e/owner.json",
    "....//....//keys.json",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "vendor/../../page_routes.py",
    "vendor/%2e%2e/%2e%2e/app.py",
    "..\\..\\keys.json",
    "main.js%00.png",
    ".",
    "",
)


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_file_but_the_page_s(faces: Faces, path: str) -> None:
    """Nothing outside the folder of the page, nothing that is not of the page."""
    headers = bearer(faces.keys["a"]) | {"accept": "text/html"}
    status, _, body = faces.collector.ask("web", "GET", f"/static/{path}", b"", headers)
    assert status in {400, 403, 404, 405}, status
    for secret in (b"fsk_", b"root:", b"import ", b"hash"):
        assert secret not in body


INJECTIONS = (
    "' OR 1=1 --",
    "') OR ('1'='1",
    "'; DROP TABLE otel.runs; --",
    "\\'; DROP TABLE otel.runs; --",
    "x' UNION ALL SELECT * FROM otel.otel_traces --",
    "` OR 1 --",
    '" OR 1 --',
    "@database@.runs",
    "{since:Int64}",
    "{x:String}",
    "%27 OR 1",
    "*/ OR 1 /*",
    "\\",
    "\u2019 OR 1=1",
    "1) FORMAT Native --",
    "SETTINGS additional_table_filters = {}",
)


def test_sql_in_every_parameter(faces: Faces) -> None:
    """It is a value like any other: no error of the store, no row of another tenant."""
    headers = bearer(faces.keys["b"])
    _, _, text = faces.collector.ask("web", "GET", "/api/v1/openapi.json", b"", headers)
    tried = 0
    for path, methods in json.loads(text)["paths"].items():
        if "get" not in methods or "/live" in path:
            continue
        for parameter in methods["get"].get("parameters", []):
            for value in INJECTIONS:
                tried += 1
                status, body = fill_in(faces, path, parameter, value, headers)
                assert status < 500, (path, parameter["name"], value, body)
                assert status != 422, (path, parameter["name"], value, body)
                assert b"only-of-a" not in body, (path, parameter["name"], value)
    assert tried > 500
    answered, body = faces.api(bearer(faces.keys["a"]))
    assert answered
    assert b"only-of-a" in body


def fill_in(
    faces: Faces,
    path: str,
    parameter: dict[str, Any],
    value: str,
    headers: dict[str, str],
) -> tuple[int, bytes]:
    """Ask a path with a value in one of its parameters."""
    name = parameter["name"]
    fixed = {"run_id": "x", "kind": "llm", "item_id": "x"}
    for other, usual in fixed.items():
        chosen = value if other == name else usual
        path = path.replace(f"{{{other}}}", quote(chosen, safe=""))
        path = path.replace(f"{{{other}:path}}", quote(chosen, safe=""))
    needed = {"/api/v1/facets": "field=agent&"}.get(path, "")
    if parameter["in"] == "query":
        path += f"?{needed if name != 'field' else ''}{quote(name)}={quote(value)}"
    status, _, body = faces.collector.ask("web", "GET", path, b"", headers)
    return status, body


def test_no_key_stands_in_a_log(faces: Faces) -> None:
    """Neither in a line, however much is logged, nor in what an address held."""
    key = faces.keys["a"]
    path = f"/?query=SELECT+1&user=default&password={key}"
    status, _, _ = faces.collector.ask("clickhouse", "GET", path)
    assert status == 200
    for wrong in ("fsk_aaaaaaaa_wrong-secret-of-nobody", key[:-1] + "x"):
        path = f"/?query=SELECT+1&password={wrong}"
        faces.collector.ask("clickhouse", "GET", path)
        faces.collector.ask("web", "GET", "/api/v1/runs", b"", bearer(wrong))
        assert wrong not in faces.collector.log
    for secret in faces.keys.values():
        assert secret not in faces.collector.log
        assert secret.split("_", 2)[2] not in faces.collector.log
