"""`fleetspan claude install`, `uninstall` and `flush` as commands."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetspan_collector.cli import _run
from fleetspan_hook.spool import Delivery
from tests.collector_processor.claude_code.client.hooks import (
    Receiver,
    free_port,
    spool_at,
)
from tests.collector_processor.running import command, environment


@pytest.fixture
def fleetspan(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., tuple[int, str, str]]:
    """The command in this process, with a configuration folder of its own."""
    for name in list(os.environ):
        if name.startswith(("FLEETSPAN_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("FLEETSPAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = _run.run(arguments)
        return (code, *capfd.readouterr())

    return run


def test_the_command(
    fleetspan: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """Dry run, nobody to ask, yes, again, and back; each says what it did."""
    path = tmp_path / "settings.json"
    before = '{\n  "model": "opus"\n}\n'
    path.write_text(before)
    code, out, err = fleetspan("claude", "install", "--dry-run")
    assert (code, err) == (0, "nothing was written\n")
    assert '+  "env": {\n+    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",\n' in out
    code, _, err = fleetspan("claude", "install")
    assert code == 2
    assert "try: fleetspan claude install --yes" in err
    assert path.read_text() == before
    code, out, _ = fleetspan("claude", "install", "--yes", "--json")
    document = json.loads(out)
    assert (code, document["schema_version"], document["changed"]) == (0, 1, True)
    assert document["settings"] == str(path)
    assert f"statusline --data {tmp_path}/data" not in path.read_text()
    assert fleetspan("claude", "install", "--yes") == (0, "", "nothing to do\n")
    code, out, _ = fleetspan("claude", "install", "--yes", "--statusline")
    assert code == 0
    assert f"statusline --data {tmp_path}/data" in path.read_text()
    assert fleetspan("claude", "uninstall", "--yes")[0] == 0
    assert path.read_text() == before
    assert fleetspan("claude", "uninstall") == (0, "", "nothing to do\n")


def test_what_the_command_refuses(
    fleetspan: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """A project's file, and an address that is none."""
    project = tmp_path / "project" / ".claude" / "settings.json"
    code, _, err = fleetspan("claude", "install", f"--settings={project}")
    assert code == 2
    assert "ignores telemetry variables" in err
    for address in ("ftp://x", "http://", "a b", "http://h:port:1"):
        code, _, err = fleetspan(
            "claude", "install", "--dry-run", "--endpoint", address
        )
        assert code == 2, address
        assert "try: --endpoint http://127.0.0.1:4318" in err


def test_a_conflict_is_exit_code_1(
    fleetspan: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """Installed, but not all of it: a script can tell."""
    path = tmp_path / "other.json"
    path.write_text('{"env": {"OTEL_LOGS_EXPORTER": "none"}}')
    code, _, err = fleetspan("claude", "install", "--yes", f"--settings={path}")
    assert code == 1
    assert "kept: env.OTEL_LOGS_EXPORTER is 'none', not 'otlp'" in err


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("y", 0)])
def test_it_asks_on_a_terminal(tmp_path: Path, answer: str, code: int) -> None:
    """The difference first, then the question; no is no."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fleetspan_collector", "claude", "install"],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            env=environment(CLAUDE_CONFIG_DIR=str(tmp_path)),
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == code, done.stderr
    assert "+++ " in done.stdout
    assert "write this? [y/N]:" in done.stderr
    assert (tmp_path / "settings.json").exists() == (answer == "y")


def test_flush_sends_what_was_kept(tmp_path: Path) -> None:
    """The command says how many went and how many still wait."""
    dead = f"http://127.0.0.1:{free_port()}"
    spool_at(tmp_path, dead).put(Delivery(1, "id0", "", b"{}"))
    nothing = command("claude", "flush", FLEETSPAN_SPOOL=str(tmp_path / "none"))
    assert (nothing.returncode, nothing.stderr) == (0, "nothing waits\n")
    with Receiver() as receiver:
        spool_at(tmp_path, receiver.endpoint).put(Delivery(1, "id1", "", b"{}"))
        done = command("claude", "flush", "--json", FLEETSPAN_SPOOL=str(tmp_path))
        assert receiver.ids == ["id1"]
        rows = {each["endpoint"]: each for each in json.loads(done.stdout)["spools"]}
    assert done.returncode == 1
    assert (rows[dead]["sent"], rows[dead]["waiting"]) == (0, 1)
    assert (rows[receiver.endpoint]["sent"], rows[receiver.endpoint]["waiting"]) == (
        1,
        0,
    )


def test_key_is_written_and_not_shown(
    fleetspan: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """The client shows the key with telemetry and hooks; the difference hides it."""
    secret = f"fsk_abcdefgh_{'x' * 43}"
    path = tmp_path / "settings.json"
    path.write_text("{}")
    path.chmod(0o644)
    code, out, err = fleetspan(
        "claude", "install", "--yes", "--key", secret, "--hooks", "http"
    )
    assert code == 0
    assert f"note: others can read the key: chmod 600 {path}" in err
    assert secret not in out + err
    assert "Bearer%20fsk_abcdefgh_…" in out
    found = json.loads(path.read_text())
    assert (
        found["env"]["OTEL_EXPORTER_OTLP_HEADERS"] == f"Authorization=Bearer%20{secret}"
    )
    assert found["env"]["FLEETSPAN_KEY"] == secret
    headers = {
        hook["headers"]["Authorization"]
        for groups in found["hooks"].values()
        for group in groups
        for hook in group["hooks"]
        if hook["type"] == "http"
    }
    assert headers == {f"Bearer {secret}"}
    other = f"fsk_ijklmnop_{'y' * 43}"
    code, out, err = fleetspan("claude", "install", "--yes", "--json", "--key", other)
    assert (code, json.loads(out)["changed"]) == (0, True)
    assert secret not in out + path.read_text()
    assert other not in out
    assert fleetspan("claude", "uninstall", "--yes")[0] == 0
    assert json.loads(path.read_text()) == {}


def test_key_may_come_from_standard_input(tmp_path: Path) -> None:
    """``fleetspan keys add | fleetspan claude install --key -`` shows it to nobody."""
    path = tmp_path / "settings.json"
    for given, code in (("fsk_x\n", 0), ("\n", 2), ("a\x07b\n", 2)):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fleetspan_collector", "claude", "install"),
                *("--settings", str(path), "--yes", "--key", "-"),
            ],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment(FLEETSPAN_DATA=str(tmp_path / "data")),
        )
        assert done.returncode == code, done.stderr
    assert json.loads(path.read_text())["env"]["FLEETSPAN_KEY"] == "fsk_x"
