"""A real collector with keys: tenants and scopes on every face."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.collector_processor.access.faces import (
    FACES,
    PROTOBUF,
    Keyed,
    by_grpc,
    by_http,
    numbers,
    post,
    read,
)
from tests.collector_processor.access.keyed import bearer
from tests.collector_processor.fleet import agent, traces
from tests.collector_processor.running import poll

# What a client may say of itself, and what must not count.
FORGED = {
    "x-tenant": "b",
    "x-scope-orgid": "b",
    "x-fleetspan-tenant": "b",
    "tenant": "b",
}


@pytest.mark.integration
@pytest.mark.parametrize("tenant", ["a", "b"])
@pytest.mark.parametrize("face", FACES)
def test_tenant_is_the_key_s(keyed: Keyed, face: str, tenant: str) -> None:
    """Rows belong to the key's tenant, whatever the sender says; others do not see them."""
    send, table, column = FACES[face]
    number = next(numbers)
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
    number = next(numbers)
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
    assert FACES[face][0](keyed, headers, next(numbers)) == code


@pytest.mark.integration
@pytest.mark.parametrize(
    "path", ["/v1/fleetspan/snapshots", "/v1/fleetspan/snapshot-chunks"]
)
def test_snapshots_take_a_key(keyed: Keyed, path: str) -> None:
    """Snapshots are turned away before a byte of them is read."""
    kind = "octet-stream" if path.endswith("chunks") else "json"
    media = {"content-type": f"application/{kind}"}
    refused = [
        post(keyed, path, b"{}", media | shown)
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
    ("GET", "/help/alerts", (200, 200, 200, 200, 200, 200)),
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
