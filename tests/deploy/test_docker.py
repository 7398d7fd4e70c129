"""The image: its files, its command, its health check. It is not built here."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.collector_processor.access.keyed import Authority, KeyedCollector
from tests.collector_processor.running import FREE_PORTS, environment, poll
from tests.deploy.files import DEPLOY, FLEETSPAN, PORTS, ROOT, run

FOLDER = DEPLOY / "docker"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, without comments, lines joined."""
    lines = [
        line
        for line in (FOLDER / "Dockerfile").read_text().splitlines()
        if not line.startswith("#")
    ]
    text = "\n".join(lines).replace("\\\n", " ")
    return [
        (line.split(" ", 1)[0], line.split(" ", 1)[1].strip())
        for line in text.splitlines()
        if line.strip()
    ]


def all_of(name: str) -> list[str]:
    """What an instruction is given, each time."""
    return [what for instruction, what in instructions() if instruction == name]


def command_of(name: str) -> list[str]:
    """The words of an instruction in its exec form, which has no shell in between."""
    (text,) = all_of(name)
    words: list[str] = json.loads(text[text.index("[") :])
    return words


def copied() -> list[str]:
    """What is copied from the context."""
    return [
        source
        for each in all_of("COPY")
        if not each.startswith("--from")
        for source in each.split()[:-1]
    ]


def test_context() -> None:
    """All that is copied is there, and is let through by the ignore file; no more is."""
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert rules[-1] == "**/__pycache__"
    assert sorted(rule.removeprefix("!") for rule in rules[1:-1]) == sorted(copied())
    for source in copied():
        assert (ROOT / source).exists(), source


def test_every_package_is_installed() -> None:
    """The wheel's packages are all copied, and the files that its metadata name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    files = {"pyproject.toml", project["project"]["readme"]}
    files |= set(project["project"]["license-files"])
    assert set(copied()) == {*packages, *files, "deploy/docker/healthcheck.py"}


def test_requirements(tmp_path: Path) -> None:
    """What is installed first is what the project needs with the extra ``server``."""
    (line,) = (each for each in all_of("RUN") if "tomllib" in each)
    words = shlex.split(line.partition("&&")[0].partition(" > ")[0])
    assert words[:2] == ["python", "-c"]
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.splitlines() == [
        *project["dependencies"],
        *project["optional-dependencies"]["server"],
    ]


def test_nobody_is_root() -> None:
    """A user by number, who owns the data; small, pinned images of the oldest Python."""
    assert all_of("USER") == ["10001:10001"]
    (made,) = (each for each in all_of("RUN") if "useradd" in each)
    assert "--uid 10001" in made
    assert "-o 10001 -g 10001 -m 0700 /var/lib/fleetspan" in made
    assert all_of("VOLUME") == ["/var/lib/fleetspan"]
    images = [each.split()[0] for each in all_of("FROM")]
    assert images == ["python:3.11-slim-bookworm"] * 2
    assert not [each for each in all_of("ADD")]


def test_ports() -> None:
    """The usual ones, on all addresses: a container's own loopback serves nobody."""
    assert all_of("EXPOSE") == [" ".join(str(port) for port in PORTS.values())]
    assert command_of("CMD") == [
        "up",
        *(f"--{name}=0.0.0.0:{port}" for name, port in PORTS.items()),
    ]


def health(data: Path) -> subprocess.CompletedProcess[str]:
    """Run the health check of the image over a data directory."""
    python, script = command_of("HEALTHCHECK")
    assert fnmatch.fnmatch(python, "/opt/fleetspan/bin/python")
    (source, target) = all_of("COPY")[-1].split()
    assert target == script
    return run(sys.executable, str(ROOT / source), FLEETSPAN_DATA=str(data))


@pytest.mark.integration
def test_health(tmp_path: Path) -> None:
    """It is 0 while the collector answers, and 1 before, after, and when it was killed."""
    data = tmp_path / "data"
    assert health(data).returncode == 1
    with KeyedCollector(data) as collector:
        assert health(data).returncode == 0
        collector.stop()
    assert health(data).returncode == 1
    with KeyedCollector(data) as collector:
        assert health(data).returncode == 0
        collector.kill()
    done = health(data)
    assert done.returncode == 1
    assert "does not answer" in done.stderr


@pytest.mark.integration
def test_health_of_a_collector_that_wants_certificates(tmp_path: Path) -> None:
    """Neither keys nor TLS nor certificates of clients are in its way."""
    authority = Authority(tmp_path)
    pem = authority.issue("collector")
    data = tmp_path / "data"
    with KeyedCollector(data, tls=pem, client_authority=authority.certificate):
        done = health(data)
        assert (done.returncode, done.stderr) == (0, "")


CONFINED = """\
mount --make-rprivate /
mount --bind "$WRITABLE" "$WRITABLE"
mount -o remount,bind,ro /
if touch "$OUTSIDE" 2> /dev/null; then exit 99; fi
exec setpriv --bounding-set -all --inh-caps -all --no-new-privs -- "$@"
"""


@pytest.mark.integration
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make the root read-only")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv and unshare")
def test_confinement(tmp_path: Path) -> None:
    """It works with a root that is read-only, without capabilities, and gains none."""
    writable = tmp_path / "writable"
    data, scratch = writable / "data", writable / "tmp"
    scratch.mkdir(parents=True)
    line = [str(FLEETSPAN), "up", *FREE_PORTS[:3], "--clickhouse=127.0.0.1:0"]
    log = writable / "log"
    with log.open("wb") as file:
        started = subprocess.Popen(
            ["unshare", "--mount", "sh", "-euc", CONFINED, "sh", *line, "--jaeger=off"],
            stdout=file,
            stderr=file,
            env=environment(
                FLEETSPAN_DATA=str(data),
                WRITABLE=str(writable),
                OUTSIDE=str(tmp_path / "outside"),
                TMPDIR=str(scratch),
            ),
        )
    try:
        poll(lambda: health(data).returncode == 0 or started.poll(), "it is healthy")
        if "unshare failed" in log.read_text() or "mount: " in log.read_text():
            pytest.skip(f"needs mounts of its own: {log.read_text()}")
        assert started.poll() is None, log.read_text()
        asked = run(str(FLEETSPAN), "--data", str(data), "doctor", "--json")
        (trip,) = (
            each
            for each in json.loads(asked.stdout)["checks"]
            if each["name"] == "round trip"
        )
        assert trip["status"] == "ok", trip
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == 0, log.read_text()
    finally:
        started.kill()
        started.wait()


@pytest.mark.integration
def test_entry_point(tmp_path: Path) -> None:
    """Without a key it refuses; with one it starts, and a SIGTERM ends it with 0."""
    (entry,) = command_of("ENTRYPOINT")
    assert entry == "fleetspan"
    (variables,) = all_of("ENV")
    assert "FLEETSPAN_DATA=/var/lib/fleetspan" in variables.split()
    # Any free port: those of the image may be somebody's on this machine.
    command = [
        str(FLEETSPAN),
        *(re.sub(r"0\.0\.0\.0:\d+", "0.0.0.0:0", word) for word in command_of("CMD")),
    ]
    data = tmp_path / "data"
    refused = run(*command, FLEETSPAN_DATA=str(data))
    assert refused.returncode == 2
    assert "refusing to listen on 0.0.0.0:0" in refused.stderr
    made = run(str(FLEETSPAN), "keys", "add", FLEETSPAN_DATA=str(data))
    assert made.returncode == 0, made.stderr
    log = tmp_path / "log"
    with log.open("wb") as file:
        started = subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            env=environment(FLEETSPAN_DATA=str(data), PYTHONUNBUFFERED="1"),
        )
    try:
        poll(lambda: health(data).returncode == 0 or started.poll(), "it is healthy")
        assert started.poll() is None, log.read_text()
        os.kill(started.pid, signal.SIGTERM)
        assert started.wait(60) == 0, log.read_text()
    finally:
        started.kill()
        started.wait()
    assert "stopped by SIGTERM" in log.read_text()
