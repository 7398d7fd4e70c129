"""Commands, programs and hooks beside a collector with keys; what a key must not leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.access import Scope
from fleetspan_collector.access.owner import OwnerPass
from tests.collector_processor.access.faces import (
    FACES,
    PROTOBUF,
    Keyed,
    by_http,
    numbers,
    read,
)
from tests.collector_processor.access.keyed import (
    Authority,
    KeyedCollector,
    bearer,
    make_key,
)
from tests.collector_processor.fleet import agent, traces
from tests.collector_processor.running import (
    FREE_PORTS,
    command,
    environment,
    poll,
    rows_of,
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
    assert by_http(keyed, bearer(key), next(numbers)) == "OK"
    assert keyed.collector.ask("web", "GET", "/readyz", b"", bearer(key))[0] == 403
    assert key != OwnerPass.read(data).key


@pytest.mark.integration
def test_hook_shows_its_key(keyed: Keyed, tmp_path: Path) -> None:
    """``fleetspan-hook`` shows the key of its environment."""
    number = next(numbers)
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
                send(keyed, bearer(secret), next(numbers))
            for path in ("/metrics", "/api/v1/runs", "/no/such"):
                said += collector.ask("web", "GET", path, b"", bearer(secret))[2]
            said += collector.ask("web", "POST", "/login", f"key={secret}".encode())[2]
        leaked: dict[str, Any] = {
            "gen_ai__prompt": f"my key is {secrets['good']}, keep it"
        }
        body = traces([agent(next(numbers), 10, 0, **leaked)]).SerializeToString()
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
