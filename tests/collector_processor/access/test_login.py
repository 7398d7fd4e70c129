"""Browsers: logging in, foreign pages, and keys that end."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from fleetspan_collector.access import Scope
from fleetspan_collector.access.keys import KeyFile
from tests.collector_processor.access.faces import (
    CODES,
    FACES,
    PROTOBUF,
    Keyed,
    numbers,
)
from tests.collector_processor.access.keyed import bearer
from tests.collector_processor.running import (
    command,
    poll,
)


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
def test_revoked_key_is_turned_away_within_two_seconds(keyed: Keyed) -> None:
    """A key ends on every face without a restart; a login that it made ends with it."""
    data = keyed.collector.data
    kept, secret = KeyFile(data / "keys.json").add(
        tenant="a", scopes=(Scope.INGEST, Scope.READ)
    )

    def statuses() -> set[str]:
        web = keyed.collector.ask("web", "GET", "/readyz", b"", bearer(secret))[0]
        sent = [
            send(keyed, bearer(secret), next(numbers)) for send, _, _ in FACES.values()
        ]
        return {CODES[web], *sent}

    poll(lambda: statuses() == {"OK"}, "the new key is known", patience_s=2)
    cookie = log_in(keyed, secret)
    assert with_cookie(keyed, cookie, "GET", "/readyz") == 200
    done = command("--data", str(data), "keys", "revoke", kept.key_id)
    assert done.returncode == 0, done.stderr
    poll(lambda: statuses() == {"UNAUTHENTICATED"}, "it is revoked", patience_s=2)
    assert with_cookie(keyed, cookie, "GET", "/readyz") == 401
