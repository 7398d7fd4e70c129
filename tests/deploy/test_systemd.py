"""The units of systemd: verified by its own tool, and their command starts and stops."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.collector_processor.running import environment, poll
from tests.deploy.files import DEPLOY, FLEETSPAN, options_of, run

FOLDER = DEPLOY / "systemd"
SYSTEM = FOLDER / "fleetspan.service"
USER = FOLDER / "user" / "fleetspan.service"
BOTH = pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


class _Unit(configparser.ConfigParser):
    """A unit, in which the case of names counts."""

    def optionxform(self, optionstr: str) -> str:
        """Leave a name as it is."""
        return optionstr


def service(unit: Path) -> configparser.SectionProxy:
    """The section of the service."""
    parser = _Unit(interpolation=None)
    parser.read(unit, "utf-8")
    return parser["Service"]


def command(unit: Path) -> list[str]:
    """What is started, by the program of this environment."""
    program, *arguments = shlex.split(service(unit)["ExecStart"])
    assert program.endswith("/fleetspan")
    return [str(FLEETSPAN), *arguments]


@needs_systemd
@BOTH
def test_verified(unit: Path, tmp_path: Path) -> None:
    """Systemd knows every line; the program is the only thing that is put in its place."""
    text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={FLEETSPAN}", unit.read_text())
    copy = tmp_path / "fleetspan.service"
    copy.write_text(text)
    whose = ["--user"] if unit == USER else []
    runtime = str(tmp_path)
    done = run("systemd-analyze", *whose, "verify", str(copy), XDG_RUNTIME_DIR=runtime)
    assert (done.returncode, done.stderr) == (0, "")
    copy.write_text(text.replace("Restart=on-failure", "Restart=now-and-then"))
    done = run("systemd-analyze", *whose, "verify", str(copy), XDG_RUNTIME_DIR=runtime)
    assert "now-and-then" in done.stderr


@needs_systemd
def test_exposure() -> None:
    """Systemd's own measure of what a service could do to the machine is low: 2 of 10."""
    done = run(
        "systemd-analyze", "security", "--offline=true", "--threshold=20", str(SYSTEM)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


@BOTH
def test_lines(unit: Path) -> None:
    """It comes back after a crash, not after a wrong setting, and is given time to end."""
    found = service(unit)
    assert found["Restart"] == "on-failure"
    assert found["RestartPreventExitStatus"] == "2"
    assert found["KillMode"] == "mixed"
    assert found.get("KillSignal", "SIGTERM") == "SIGTERM"
    assert int(found["TimeoutStopSec"]) >= 60
    assert int(found["LimitNOFILE"]) >= 65536
    assert found["NoNewPrivileges"] == "yes"


def test_the_service_owns_its_directory() -> None:
    """The data are where its user may write, and nobody else may read."""
    found = service(SYSTEM)
    assert found["Environment"] == f"FLEETSPAN_DATA=/var/lib/{found['StateDirectory']}"
    assert found["StateDirectoryMode"] == "0700"
    assert found["ProtectSystem"] == "strict"
    line = (FOLDER / "sysusers.conf").read_text().split()
    assert line[:2] == ["u", found["User"]]
    assert found["EnvironmentFile"] == "-/etc/fleetspan/fleetspan.env"


@pytest.mark.integration
@BOTH
def test_its_command(unit: Path, tmp_path: Path) -> None:
    """It starts, and ends with 0; a wrong setting ends it with the code that is final."""
    line = command(unit)
    assert {word for word in line if word.startswith("--")} <= options_of("up")
    ports = {
        f"FLEETSPAN_{name}": "127.0.0.1:0"
        for name in ("GRPC", "HTTP", "WEB", "CLICKHOUSE", "JAEGER")
    }
    data = tmp_path / "data"
    variables = ports | {"FLEETSPAN_DATA": str(data)}
    wrong = run(*line, **variables | {"FLEETSPAN_WEB": "nowhere"})
    assert str(wrong.returncode) == service(unit)["RestartPreventExitStatus"]
    log = tmp_path / "log"
    with log.open("wb") as file:
        started = subprocess.Popen(
            line, stdout=file, stderr=file, env=environment(**variables)
        )
    try:
        poll((data / "endpoints.json").exists, "it listens")
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == 0, log.read_text()
    finally:
        started.kill()
        started.wait()
