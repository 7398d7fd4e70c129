"""Three lines and an exit code for everything that goes wrong."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleetspan._errors import ConfigError
from fleetspan_collector._errors import CollectorError, UnreachableError
from fleetspan_collector.cli._errors import report


def labels(text: str) -> list[str]:
    """Return what each line begins with."""
    return [line.split(":")[0] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "because", "suggestion"),
    [
        (["cofnig"], "No such command 'cofnig'", "did you mean 'config'?"),
        (["ls", "--jsn"], "No such option: --jsn", "did you mean --json"),
        (["ls", "--xyz"], "No such option: --xyz", "fleetspan ls --help"),
        (["show"], "Missing argument 'RUN'", "fleetspan show --help"),
        (["ls", "--limit", "0"], "Invalid value for '--limit'", "fleetspan ls --help"),
        (["ls", "--since", "x"], "expected an age", "--since 2h"),
        (["config"], "Missing command", "fleetspan config --help"),
        (["ls", "--set", "x=1"], "a --set flag sets it", "fleetspan config show"),
        (["ls", "--set", "x"], "expected NAME=VALUE", "--set"),
        (["up", "--grpc", "x"], "--grpc: expected HOST:PORT", "FLEETSPAN_GRPC="),
        (["up", "--http", "0.0.0.0:1"], "beyond this machine", "--http 127.0.0.1:1"),
    ],
)
def test_wrong_command_lines_are_exit_2(
    command: Any, arguments: list[str], because: str, suggestion: str
) -> None:
    """Typer's own complaints and ours have one shape and one exit code."""
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert labels(done.err) == ["error", "because", "try"]
    assert because in done.err.splitlines()[1]
    assert suggestion in done.err.splitlines()[2]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UnreachableError("a", because="b", suggestion="c"), 3, "error: a"),
        (CollectorError("a", because="b", suggestion="c"), 1, "error: a"),
        (ConfigError("s", "p"), 2, "error: the setting 's' cannot be used"),
        (PermissionError(13, "no", "/x"), 3, "error: /x cannot be used"),
        (OSError(28, "full"), 3, "error: the disk is full"),
        (ZeroDivisionError("oh"), 1, "error: fleetspan itself failed"),
    ],
)
def test_every_exception_has_its_answer(error: Exception, code: int, line: str) -> None:
    """Whatever is raised becomes three lines and the exit code of its kind."""
    stream = io.StringIO()
    assert report(error, stream) == code
    assert labels(stream.getvalue()) == ["error", "because", "try"]
    assert stream.getvalue().splitlines()[0] == line


def test_an_error_cannot_add_lines_or_drive_the_terminal() -> None:
    """What came from outside stays one harmless line."""
    stream = io.StringIO()
    report(CollectorError("a\nerror: b\x1b[2J", because="", suggestion=""), stream)
    assert (
        stream.getvalue().splitlines()[0]
        == "error: a error: b\N{REPLACEMENT CHARACTER}[2J"
    )


def test_debug_shows_the_traceback(process: Any, tmp_path: Path) -> None:
    """With --debug an error shows where it came from."""
    done = process("ls", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err


def test_unreadable_data_directory_is_exit_3(process: Any, tmp_path: Path) -> None:
    """A data directory that cannot be used is said, and left as it is."""
    file = tmp_path / "file"
    file.write_text("mine")
    done = process("up", "--data", str(file / "below"))
    assert labels(done.err) == ["error", "because", "try"]
    assert done.code == 3
    assert file.read_text() == "mine"


def test_a_reader_that_leaves_is_no_error(quiet_environment: None) -> None:
    """``fleetspan config show | head -1`` ends quietly."""
    script = f"{sys.executable} -m fleetspan_collector config show --json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (
        0,
        "{",
    )
    assert done.stderr == ""


def test_without_the_server_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """With the SDK alone, the command answers with the exact pip line."""
    import fleetspan_collector

    # -S leaves site-packages out, so that only our own source is there.
    root = Path(fleetspan_collector.__file__).parents[1]
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "from fleetspan_collector.cli import main; main()",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == 1
    assert labels(done.stderr) == ["error", "because", "try"]
    install = f"try: {sys.executable} -m pip install 'fleetspan[server]'"
    assert done.stderr.splitlines()[2] == install
