"""What is asked of every manifest of Kubernetes, however it was made."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fleetspan_collector.config import Settings
from fleetspan_collector.config import load as load_settings
from tests.deploy.files import PORTS, documents, only, run

NAMES: Final = {
    "otlp-grpc": "grpc",
    "otlp-http": "http",
    "web": "web",
    "clickhouse": "clickhouse",
    "jaeger": "jaeger",
}
_STRICT: Final = (sys.executable, "-m", "kubernetes_validate", "--strict")


def validate(text: str, folder: Path, *, unknown: int = 0) -> None:
    """See that each document is what the schemas of Kubernetes allow.

    Args:
        text: The documents.
        folder: Where they are written to, to be read.
        unknown: How many are of kinds that Kubernetes does not have itself.
    """
    path = folder / "manifests.yaml"
    path.write_text(text, "utf-8")
    done = run(*_STRICT, str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout + done.stderr
    passed = len(re.findall(r" passed for resource ", said))
    assert said.count("Couldn't find schema") == unknown
    assert passed + unknown == len(documents(text)), said


def check(found: list[dict[str, Any]], folder: Path, *, embedded: bool) -> Settings:
    """Hold manifests to what the collector needs and is.

    Args:
        found: The documents.
        folder: For a file of keys.
        embedded: Whether the store is the embedded engine.

    Returns:
        The settings that a collector takes from its environment and its file.
    """
    (ports,) = (_check_pod(only(found, "StatefulSet")["spec"]),)
    faces = set(NAMES) if embedded else set(NAMES) - {"clickhouse"}
    assert set(ports) == faces
    served: set[str] = set()
    for service in (each for each in found if each["kind"] == "Service"):
        for port in service["spec"]["ports"]:
            assert port["targetPort"] == port["name"]
            assert port["port"] == ports[port["name"]]
            served.add(port["name"])
    assert served == faces
    policy = only(found, "NetworkPolicy")["spec"]["ingress"]
    assert {port["port"] for rule in policy for port in rule["ports"]} == faces
    settings = _settings(found, folder)
    assert settings.store.embedded is embedded or settings.store.path is None
    for name in faces:
        endpoint = settings.endpoints[NAMES[name]]
        assert endpoint is not None
        assert not endpoint.is_loopback
        assert endpoint.port == ports[name]
    assert (settings.clickhouse is not None) is embedded
    return settings


def _check_pod(spec: Mapping[str, Any]) -> dict[str, int]:
    """See that a pod is confined; return its ports by name."""
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["terminationGracePeriodSeconds"] >= 60
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    assert container["args"] == ["up"]
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"] for each in pod["volumes"]}
    (claim,) = spec["volumeClaimTemplates"]
    assert mounts["/var/lib/fleetspan"] == claim["metadata"]["name"]
    assert set(mounts.values()) == volumes | {"data"}
    kept = spec["persistentVolumeClaimRetentionPolicy"]
    assert kept == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    # The first makes the tables.
    assert spec["podManagementPolicy"] == "OrderedReady"
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {name: PORTS[NAMES[name]] for name in ports}
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "web"}
    # Not by the store's state: a collector takes what it is sent while that is away.
    assert container["readinessProbe"]["tcpSocket"] == {"port": "otlp-http"}
    return ports


def _settings(found: list[dict[str, Any]], folder: Path) -> Settings:
    """Read what the collector would: variables with their references, then the file."""
    pod = only(found, "StatefulSet")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables: dict[str, str] = {}
    for each in container.get("env", ()):
        # As Kubernetes does: only what stands before it is known.
        text = each.get("value", "secret1")
        variables[each["name"]] = re.sub(
            r"\$\((\w+)\)", lambda ref: variables[ref[1]], text
        )
    (mapped,) = (each["configMap"] for each in pod["volumes"] if "configMap" in each)
    by_name = {e["metadata"]["name"]: e for e in found if e["kind"] == "ConfigMap"}
    file = folder / "config.toml"
    keys = folder / "keys.json"
    keys.write_text('{"version": 1, "keys": []}')
    text = by_name[mapped["name"]]["data"]["config.toml"]
    assert 'keys_file = "/etc/fleetspan/keys/keys.json"' in text
    file.write_text(text.replace("/etc/fleetspan/keys/keys.json", str(keys)))
    assert variables.pop("FLEETSPAN_CONFIG") == "/etc/fleetspan/settings/config.toml"
    return load_settings(environ=variables, file=file).settings
