"""What deployment files say of the collector is so: variables, options, ports."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.config import SETTINGS, Settings, load
from tests.deploy.files import (
    DEPLOY,
    FLEETSPAN,
    PORTS,
    ROOT,
    documents,
    options_of,
    run,
    texts,
)
from tests.deploy.files import load as load_yaml

VARIABLE = re.compile(r"\bFLEETSPAN_[A-Z][A-Z0-9_]*")
OTHERS = {"FLEETSPAN_CONFIG", "FLEETSPAN_KEY"}
"""Names the file of settings; read by clients that send."""


def test_every_variable_is_a_setting() -> None:
    """A name that is not known would stop the collector."""
    found = {
        name: path for path in texts() for name in VARIABLE.findall(path.read_text())
    }
    known = {setting.variable for setting in SETTINGS.values()} | OTHERS
    switches = {name for name in found if name.startswith("FLEETSPAN_TEST_")}
    assert {"FLEETSPAN_STORE", "FLEETSPAN_DATA", "FLEETSPAN_CONFIG"} <= set(found)
    assert set(found) - switches <= known
    assert {found[name] for name in switches} <= {DEPLOY / "README.md"}


def test_ports_are_those_of_the_code() -> None:
    """The table that the other tests hold files against is the settings' own."""
    defaults = {name: each.port for name, each in Settings().endpoints.items() if each}
    assert defaults == PORTS


@pytest.mark.parametrize(
    "path", sorted(DEPLOY.rglob("*.toml")), ids=lambda path: path.parent.name
)
def test_files_of_settings(path: Path, tmp_path: Path) -> None:
    """The collector reads each of them, and finds nothing that it does not know."""
    text = path.read_text("utf-8")
    keys = tmp_path / "keys.json"
    keys.write_text('{"version": 1, "keys": []}')
    text = text.replace("/etc/fleetspan/keys/keys.json", str(keys))
    copy = tmp_path / "config.toml"
    copy.write_text(text)
    loaded = load(environ={}, file=copy)
    given = tomllib.loads(text)
    assert given
    assert {name for name, origin in loaded.origins.items() if origin != "default"} == (
        set(given)
    )


def test_the_environment_of_the_service(tmp_path: Path) -> None:
    """Every line of its example is a setting, also those that are commented out."""
    lines = (DEPLOY / "systemd" / "fleetspan.env").read_text().splitlines()
    given = dict(
        line.lstrip("#").split("=", 1)
        for line in lines
        if re.match(r"#?FLEETSPAN_[A-Z_]+=", line)
    )
    assert len(given) >= 5
    keys = tmp_path / "keys.json"
    keys.write_text('{"version": 1, "keys": []}')
    loaded = load(environ=given | {"FLEETSPAN_KEYS_FILE": str(keys)}).settings
    assert loaded.store.host == "clickhouse.example.org"
    assert loaded.store_cap_bytes == 50 << 30


def command_lines() -> list[tuple[list[str], list[str]]]:
    """Command and options of every ``fleetspan`` line that a file names."""
    found = []
    for path in texts():
        text = re.sub(r"\\\n\s*", "", path.read_text())
        for line in re.findall(
            r"fleetspan ((?:--[a-z]+ \S+ )*(?:up|keys|ls|doctor)\b[^\n`)]*)", text
        ):
            words = line.split("  ")[0].split()
            named = [word for word in words if word in {"up", "keys", "ls", "doctor"}]
            command = named[:1]
            if command == ["keys"]:
                command.append(words[words.index("keys") + 1])
            found.append((command, re.findall(r"--[a-z-]+", " ".join(words))))
    return found


def test_every_command_line_has_options_that_exist() -> None:
    """Those of comments and of this folder's README are held to it, too."""
    found = command_lines()
    commands = {tuple(command) for command, _ in found}
    assert {("up",), ("keys", "add")} <= commands
    for command in commands:
        given = {
            each for name, more in found if tuple(name) == command for each in more
        }
        assert given <= options_of(*command), command


def test_variables_of_kubernetes_services_would_stop_a_collector() -> None:
    """Which is why its pods are given none."""
    variables = {"FLEETSPAN_OTLP_SERVICE_HOST": "10.0.0.1"}
    done = run(str(FLEETSPAN), "config", "show", **variables)
    assert done.returncode == 2
    assert "unknown setting 'FLEETSPAN_OTLP_SERVICE_HOST'" in done.stderr
    (base,) = documents((DEPLOY / "kubernetes/base/statefulset.yaml").read_text())
    job = load_yaml(DEPLOY / "kubernetes" / "hand-over.yaml")
    for each in (base, job):
        assert each["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_addresses_of_jaeger() -> None:
    """Its configuration finds the collector's storage, and Compose what Grafana asks."""
    text = (DEPLOY / "jaeger" / "remote-storage.yaml").read_text()
    assert f"127.0.0.1:{PORTS['jaeger']}" in text


def test_yaml_is_tidy() -> None:
    """No key stands twice, and indents agree."""
    files = [
        str(path)
        for path in texts()
        if path.suffix == ".yaml" and "templates" not in path.parts
    ]
    assert len(files) > 15
    rules = (
        "{extends: default, rules: {line-length: disable, document-start: disable,"
        " braces: {max-spaces-inside: 1}, truthy: {check-keys: false},"
        " comments: {min-spaces-from-content: 1}, octal-values: disable}}"
    )
    yamllint = str(FLEETSPAN.with_name("yamllint"))
    done = run(yamllint, "--strict", "-d", rules, *files)
    assert done.returncode == 0, done.stdout


def mounted(compose: dict[str, Any]) -> list[Path]:
    """The paths of this repository that Compose mounts."""
    folder = DEPLOY / "compose"
    return [
        (folder / volume.partition(":")[0]).resolve()
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    ]


def test_what_compose_mounts_is_there() -> None:
    """A path that is missing would become an empty folder."""
    paths = mounted(load_yaml(DEPLOY / "compose" / "compose.yaml"))
    assert len(paths) == 6
    for path in paths:
        assert path.exists(), path
        assert path.is_relative_to(ROOT)
