"""Compose: valid, closed to others, and its first key is made before the collector starts."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from fleetspan_dashboards import names
from fleetspan_dashboards.alerts import grafana as rules

from fleetspan_collector.config import load as load_settings
from tests.collector_processor.access.keyed import KeyedCollector
from tests.collector_processor.fleet import agent, call, traces
from tests.collector_processor.jaeger.real_jaeger import Jaeger
from tests.collector_processor.running import poll
from tests.deploy.files import DEPLOY, FLEETSPAN, PORTS, ROOT, load, run

FOLDER = DEPLOY / "compose"
JAEGER = os.environ.get("FLEETSPAN_TEST_JAEGER", "")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file."""
    found: dict[str, Any] = load(FOLDER / "compose.yaml")
    return found


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    """The example of ``.env``."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")


def filled(text: str, variables: dict[str, str]) -> str:
    """Put variables in, as Compose does."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables[found[1]]

    return re.sub(r"\$\$|\$\{([A-Z_]+)(?::[-?][^}]*)?\}", value, text)


def test_schema() -> None:
    """It is what the specification of Compose allows."""
    checker = str(FLEETSPAN.with_name("check-jsonschema"))
    path = str(FOLDER / "compose.yaml")
    done = run(checker, "--builtin-schema", "vendor.compose-spec", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_variable_is_in_the_example(
    compose: dict[str, Any], example: dict[str, str]
) -> None:
    """Copied, it is all that is needed, and nothing in it is without a use."""
    text = (FOLDER / "compose.yaml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
    assert (
        used
        == set(example)
        == {
            "STORE_PASSWORD",
            "READER_PASSWORD",
            "GRAFANA_ADMIN_PASSWORD",
            "BIND",
        }
    )
    # Passwords become part of addresses.
    assert all(re.fullmatch(r"[A-Za-z0-9.]+", value) for value in example.values())
    assert "changeme" not in text


def test_ports_stay_on_this_machine(
    compose: dict[str, Any], example: dict[str, str]
) -> None:
    """What is published is loopback's, and the collector's ports are its usual ones."""
    published = {
        name: [filled(port, example) for port in service.get("ports", ())]
        for name, service in compose["services"].items()
    }
    assert published["collector"] == [
        f"127.0.0.1:{PORTS[name]}:{PORTS[name]}" for name in ("grpc", "http", "web")
    ]
    assert published["clickhouse"] == published["keys"] == []
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)
    for port in (
        port for s in compose["services"].values() for port in s.get("ports", ())
    ):
        assert port.startswith("${BIND:-127.0.0.1}:")


def test_services_are_pinned_and_confined(compose: dict[str, Any]) -> None:
    """Images have a full version; nobody keeps capabilities, or gains any."""
    for name, service in compose["services"].items():
        if service["image"] != "fleetspan:local":
            assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+(\.\d+)?", service["image"])
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == ("no" if name == "keys" else "unless-stopped")
        assert service.get("read_only", False) is (
            name not in ("clickhouse", "grafana")
        )
    version = compose["services"]["clickhouse"]["image"].partition(":")[2].split(".")
    assert [int(part) for part in version[:2]] >= [25, 8]
    plugin = compose["services"]["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
    name, _, release = plugin.partition("@")
    assert name == "grafana-clickhouse-datasource"
    assert [int(part) for part in release.split(".")] >= [4, 20]


def test_order_of_the_start(compose: dict[str, Any]) -> None:
    """Nobody starts before what it asks can answer."""
    needs = {
        name: {
            other: how["condition"] for other, how in each.get("depends_on", {}).items()
        }
        for name, each in compose["services"].items()
    }
    assert needs == {
        "keys": {},
        "clickhouse": {},
        "collector": {
            "keys": "service_completed_successfully",
            "clickhouse": "service_healthy",
        },
        "grafana": {"collector": "service_healthy"},
        "jaeger": {"collector": "service_healthy"},
    }
    assert compose["services"]["clickhouse"]["healthcheck"]["test"][0] == "CMD"
    assert compose["services"]["grafana"]["healthcheck"]["test"][0] == "CMD"
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert "\nHEALTHCHECK " in dockerfile


def test_volumes_are_declared(compose: dict[str, Any]) -> None:
    """And each has a use."""
    used = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if not volume.startswith(".")
    }
    assert used == set(compose["volumes"])


def test_the_collector_can_use_its_settings(
    compose: dict[str, Any], example: dict[str, str], tmp_path: Path
) -> None:
    """Its environment and its options are settings, and the store is the server."""
    service = compose["services"]["collector"]
    environ = {
        name: filled(value, example) for name, value in service["environment"].items()
    }
    command, *flags = service["command"]
    assert command == "up"
    given = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    keys = tmp_path / "keys.json"
    keys.write_text('{"version": 1, "keys": []}')
    settings = load_settings(given | {"keys_file": str(keys)}, environ=environ).settings
    assert settings.store.host == "clickhouse"
    assert settings.store.port == PORTS["clickhouse"]
    assert settings.store.password == example["STORE_PASSWORD"]
    assert settings.clickhouse is None
    for name in ("grpc", "http", "web", "jaeger"):
        endpoint = settings.endpoints[name]
        assert endpoint is not None
        assert (endpoint.host, endpoint.port) == ("0.0.0.0", PORTS[name])  # noqa: S104


def test_users_of_the_server(compose: dict[str, Any]) -> None:
    """The collector's user and Grafana's have their passwords from the environment."""
    root = ElementTree.parse(DEPLOY / "clickhouse" / "users.d" / "fleetspan.xml")  # noqa: S314 - our own file
    passwords = {
        user.tag: user.find("password").attrib["from_env"]  # type: ignore[union-attr]
        for user in root.find("users")  # type: ignore[union-attr]
    }
    assert passwords == {"fleetspan": "STORE_PASSWORD", "grafana": "READER_PASSWORD"}
    assert set(passwords.values()) == set(
        compose["services"]["clickhouse"]["environment"]
    )
    (grant,) = root.iterfind("users/grafana/grants/query")
    assert grant.text == "GRANT SELECT ON otel.*"


def test_provisioning_of_grafana(compose: dict[str, Any]) -> None:
    """Data sources have the uids that rules name, and variables that Grafana is given."""
    path = DEPLOY / "grafana" / "datasources" / "fleetspan.yaml"
    grafana = compose["services"]["grafana"]
    text = "\n".join(
        line for line in path.read_text().splitlines() if not line.startswith("#")
    )
    variables = set(re.findall(r"\$([A-Z_]+)", text))
    assert variables == {
        "CLICKHOUSE_HOST",
        "CLICKHOUSE_READER",
        "CLICKHOUSE_PASSWORD",
        "JAEGER_URL",
    }
    assert variables <= set(grafana["environment"])
    sources = {each["uid"]: each for each in yaml.safe_load(text)["datasources"]}
    source = sources[rules.DATA_SOURCE_UID]
    assert source["type"] == "grafana-clickhouse-datasource"
    assert source["jsonData"]["port"] == PORTS["clickhouse"]
    alerting = ROOT / "dashboards" / "fleetspan_dashboards" / "alerts" / "grafana"
    groups = load(alerting / "fleetspan.yaml")["groups"]
    asked = {
        part["datasourceUid"]
        for group in groups
        for rule in group["rules"]
        for part in rule["data"]
    }
    assert asked <= {*sources, "__expr__"}
    assert rules.DATA_SOURCE_UID in asked


def test_dashboards_are_found(compose: dict[str, Any]) -> None:
    """Grafana looks where Compose mounts them."""
    provider = load(DEPLOY / "grafana" / "dashboards" / "fleetspan.yaml")
    (found,) = provider["providers"]
    assert (found["folder"], found["folderUid"]) == (rules.FOLDER, rules.FOLDER_UID)
    mounts = dict(
        reversed(volume.removesuffix(":ro").split(":"))
        for volume in compose["services"]["grafana"]["volumes"]
    )
    source = (FOLDER / mounts[found["options"]["path"]]).resolve()
    assert {path.stem for path in source.glob("*.json")} == set(names())
    assert names()


def make_keys(compose: dict[str, Any], data: Path, shared: Path) -> str:
    """Run what the service ``keys`` runs, and return the key that it has left."""
    service = compose["services"]["keys"]
    (script,) = service["command"]
    script = script.replace("$$", "$").replace("/var/lib/fleetspan-keys", str(shared))
    path = f"{FLEETSPAN.parent}:{os.environ['PATH']}"
    done = run(*service["entrypoint"], script, PATH=path, FLEETSPAN_DATA=str(data))
    assert done.returncode == 0, done.stderr
    left = shared / "jaeger"
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    return left.read_text()


@pytest.mark.integration
def test_the_first_key(compose: dict[str, Any], tmp_path: Path) -> None:
    """It reads all tenants and nothing else, is made once, and ends without a new line."""
    data, shared = tmp_path / "data", tmp_path / "shared"
    shared.mkdir()
    key = make_keys(compose, data, shared)
    assert re.fullmatch(r"fsk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", key)
    assert make_keys(compose, data, shared) == key
    (kept,) = json.loads((data / "keys.json").read_text())["keys"]
    assert (kept["tenant"], kept["scopes"]) == (None, ["read"])


@pytest.mark.integration
@pytest.mark.go
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    JAEGER in ("", "1"), reason="needs FLEETSPAN_TEST_JAEGER, the path of a Jaeger"
)
def test_jaeger_reads_its_key_from_the_file(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    """A real one does, with the variable that Compose sets."""
    data, shared = tmp_path / "data", tmp_path / "shared"
    shared.mkdir()
    make_keys(compose, data, shared)
    given = compose["services"]["jaeger"]["environment"]["FLEETSPAN_KEY"]
    given = given.replace("$$", "$").replace("/var/lib/fleetspan-keys", str(shared))
    ports = ("--grpc=off", "--http=127.0.0.1:0", "--web=127.0.0.1:0")
    more = ("--clickhouse=off", "--jaeger=127.0.0.1:0")
    with KeyedCollector(data, ports=(*ports, *more)) as collector:
        body = traces([agent(1, 10), call(1, 11, 10)]).SerializeToString()
        media = {"content_type": "application/x-protobuf"}
        assert (
            collector.request("otlp_http", "POST", "/v1/traces", body, **media)[0]
            == 200
        )
        variables = {"FLEETSPAN_JAEGER": collector.endpoint("jaeger")}
        log = tmp_path / "jaeger.log"
        with Jaeger(
            Path(JAEGER),
            "remote-storage.yaml",
            log,
            variables | {"FLEETSPAN_KEY": given},
        ) as jaeger:
            poll(lambda: jaeger.data("/api/services"), "Jaeger lists a service")
