"""The frame of the command: common options, version, settings, texts."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from fleetspan_collector.cli._app import COMMANDS
from fleetspan_collector.cli._since import parse_since
from fleetspan_collector.cli._text import count, duration, plain_lines, usd

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


def test_version_says_everything_that_matters_for_a_bug_report(process: Any) -> None:
    """Fleetspan, Python and the engine are named with their versions."""
    done = process("version", "--json")
    document = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert document["schema_version"] == 1
    assert {"fleetspan", "python", "chdb-core"} <= set(document)


def test_no_command_shows_the_help(command: Any) -> None:
    """Without a command, people see what there is."""
    done = command()
    assert done.code == 0
    for name in ("up", "ls", "show", "doctor", "sql", "config", "version"):
        assert f"\n  {name} " in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(command: Any, name: str) -> None:
    """That is, it can be imported, by that name, and says what it does."""
    done = command(name, "-h")
    assert done.code == 0
    assert done.out.startswith(f"Usage: fleetspan {name} ")
    assert len(done.out.splitlines()) > 5


def test_a_command_does_not_wait_for_the_others() -> None:
    """What the version needs nothing of is not imported for it."""
    heavy = ["fleetspan_collector.live", "pyarrow", "numpy", "grpc", "genai_prices"]
    asked = (
        "import sys; from fleetspan_collector.cli._run import run;"
        f"run(['version']); print(sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_common_options_before_and_after_the_command(command: Any) -> None:
    """--data and --json mean the same in both places; the later one wins."""
    done = command("--data", "/a", "--json", "config", "show")
    assert json.loads(done.out)["settings"]["data"] == {
        "value": "/a",
        "origin": "flag --data",
    }
    done = command("--data", "/a", "config", "show", "--data", "/b", "--json")
    assert json.loads(done.out)["settings"]["data"]["value"] == "/b"


def test_config_show_masks_the_password(command: Any, monkeypatch: Any) -> None:
    """No form of the output holds a secret."""
    monkeypatch.setenv("FLEETSPAN_STORE", "clickhouse://me:s3cret@db/otel")
    for arguments in ((), ("--origin",), ("--json",)):
        done = command("config", "show", *arguments)
        assert "s3cret" not in done.out
        assert "clickhouse://me:***@db:8123/otel" in done.out


def test_config_show_origin(command: Any, monkeypatch: Any) -> None:
    """With --origin each value says where it is from."""
    monkeypatch.setenv("FLEETSPAN_TENANT", "a")
    lines = command("config", "show", "--origin").out.splitlines()
    (line,) = [line for line in lines if line.split()[:1] == ["tenant"]]
    assert line.split() == ["tenant", "a", "environment", "FLEETSPAN_TENANT"]
    assert [line.split()[-1] for line in lines if line.startswith("grpc")] == [
        "default"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("90s", datetime(2026, 1, 10, 11, 58, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 1, 10, 10, tzinfo=UTC)),
        ("3d", datetime(2026, 1, 7, 12, tzinfo=UTC)),
        ("1W", datetime(2026, 1, 3, 12, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("999999999w", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_since(text: str | None, expected: datetime | None) -> None:
    """Ages count back from now; times are taken with their zone."""
    assert parse_since(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "?"),
        (0, "0ms"),
        (0.34, "340ms"),
        (0.9999, "1.0s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (245, "4m05s"),
        (7380, "2h03m"),
        (273_600, "3d04h"),
    ],
)
def test_durations(seconds: float | None, expected: str) -> None:
    """Seconds are written with the two units that matter."""
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (12_345, "12.3k"),
        (999_600, "999k"),
        (4_560_000, "4.56M"),
    ],
)
def test_counts(number: int, expected: str) -> None:
    """Large numbers are written with three figures."""
    assert count(number) == expected


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(None, "?"), (0.0, "$0.00"), (0.0123, "$0.0123"), (1234.5, "$1,234.50")],
)
def test_costs(amount: float | None, expected: str) -> None:
    """Unknown is not zero, and small costs keep their figures."""
    assert usd(amount) == expected


def test_results_on_a_terminal_keep_lines_and_tabs() -> None:
    """Colours go, what would drive the terminal is replaced, the rest stays."""
    assert plain_lines("\x1b[1mbold\x1b[0m\x1b[38;5;1mred") == "boldred"
    assert plain_lines("a\tb\n\x1b[2J\r") == "a\tb\n\ufffd[2J\ufffd"


def test_shell_completion_knows_the_commands(process: Any, monkeypatch: Any) -> None:
    """A shell that completes ``fleetspan con`` is told ``config``."""
    import os

    words = {
        "_FLEETSPAN_COMPLETE": "complete_bash",
        "COMP_WORDS": "fleetspan con",
        "COMP_CWORD": "1",
    }
    done = process(env={**os.environ, **words})
    assert (done.code, done.out.split()) == (0, ["config"])
