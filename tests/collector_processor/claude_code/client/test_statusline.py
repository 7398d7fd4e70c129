"""The client's status line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.config import Settings
from fleetspan_hook.statusline import data_directory, status_line, web_port
from tests.collector_processor.claude_code.client.hooks import HOOK

PAYLOAD = {
    "session_id": "s-1",
    "cost": {"total_cost_usd": 0.4},
    "context_window": {"used_percentage": 12},
}


@pytest.mark.parametrize(
    ("payload", "known", "line"),
    [
        ({}, {}, ""),
        (PAYLOAD, {}, "$0.40 · context 12 %"),
        ({"cost": {"total_cost_usd": "x"}, "context_window": None}, {}, ""),
        (PAYLOAD, {"cost_usd": None, "agents": 1}, "$0.40 · context 12 %"),
        (
            PAYLOAD,
            {"cost_usd": 0.42, "unpriced_calls": 1, "agents": 5, "at_work": 2},
            "$0.42+? · 5 agents, 2 at work · context 12 %",
        ),
        ({}, {"cost_usd": 12.345, "agents": 3, "at_work": 0}, "$12.35 · 3 agents"),
    ],
)
def test_the_line(payload: dict[str, Any], known: dict[str, Any], line: str) -> None:
    """The collector's cost goes before the client's; what is not known is left out."""
    assert status_line(payload, known) == line


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"not json", b"\xff", b"{" * 9999])
def test_nothing_to_say_is_silence(tmp_path: Path, text: bytes) -> None:
    """Whatever comes: exit code 0, and no output."""
    for command in (
        [*HOOK, "statusline", "--data", str(tmp_path)],
        [sys.executable, "-m", "fleetspan_collector", "statusline"],
    ):
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            check=False,
            timeout=30,
            env={"FLEETSPAN_DATA": str(tmp_path)},
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_command_takes_a_short_cut(tmp_path: Path) -> None:
    """`fleetspan statusline` imports neither typer nor the engine; it has help all the same."""
    source = (
        "import sys, os\n"
        "sys.argv = ['fleetspan', 'statusline', '--data', sys.argv[1]]\n"
        "def leave(code):\n"
        "    heavy = {'typer', 'chdb', 'opentelemetry', 'rich'} & set(sys.modules)\n"
        "    sys.stderr.write(f'{code} {heavy}')\n"
        "    sys.stderr.flush()\n"
        "    real(code)\n"
        "real, os._exit = os._exit, leave\n"
        "from fleetspan_collector.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path)],
        input=json.dumps(PAYLOAD),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "$0.40 · context 12 %\n"
    assert done.stderr == "0 set()"
    asked = subprocess.run(
        [sys.executable, "-m", "fleetspan_collector", "statusline", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "one line" in asked.stdout


def test_a_collector_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    """What was heard last is shown while it is slow; the client's own figures otherwise."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        document = {"web": f"127.0.0.1:{port}", "pid": os.getpid()}
        (tmp_path / "endpoints.json").write_text(json.dumps(document))

        def line() -> str:
            done = subprocess.run(
                [*HOOK, "statusline", "--data", str(tmp_path)],
                input=json.dumps(PAYLOAD).encode(),
                capture_output=True,
                check=True,
                timeout=30,
                env={"FLEETSPAN_SPOOL": str(tmp_path / "state" / "hooks")},
            )
            return done.stdout.decode()

        assert line() == "$0.40 · context 12 %\n"
        kept = tmp_path / "state" / "status" / "s-1.json"
        kept.parent.mkdir(parents=True)
        kept.write_text('{"cost_usd": 0.5, "agents": 2, "at_work": 1}')
        assert line() == "$0.50 · 2 agents, 1 at work · context 12 %\n"


def test_an_answer_about_another_session_is_not_shown(tmp_path: Path) -> None:
    """The API takes ids cut short; the status line does not."""
    run = {"run_id": "s-11", "cost_usd": 9.0, "unpriced_calls": 0, "agents": []}
    body = json.dumps(run).encode()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)

        thread = threading.Thread(target=answer)
        thread.start()
        document = {
            "web": f"127.0.0.1:{server.getsockname()[1]}",
            "pid": os.getpid(),
        }
        (tmp_path / "endpoints.json").write_text(json.dumps(document))
        done = subprocess.run(
            [*HOOK, "statusline", "--data", str(tmp_path)],
            input=json.dumps(PAYLOAD).encode(),
            capture_output=True,
            check=True,
            timeout=30,
            env={"FLEETSPAN_SPOOL": str(tmp_path / "hooks")},
        )
        thread.join(30)
        assert done.stdout.decode() == "$0.40 · context 12 %\n"


def test_it_looks_where_the_collector_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same data directory as the collector's; a dead one's file counts for nothing."""
    for name in ("FLEETSPAN_DATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert data_directory() == str(Settings().data)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_directory() == str(Settings().data)
    monkeypatch.setenv("FLEETSPAN_DATA", "~/elsewhere")
    assert data_directory() == str(Path.home() / "elsewhere")
    assert web_port(str(tmp_path)) is None
    ended = subprocess.Popen(["true"])
    ended.wait()
    document = {"web": "127.0.0.1:1", "pid": ended.pid}
    (tmp_path / "endpoints.json").write_text(json.dumps(document))
    assert web_port(str(tmp_path)) is None
    (tmp_path / "endpoints.json").write_text(json.dumps(document | {"pid": 1}))
    assert web_port(str(tmp_path)) == "127.0.0.1:1"
