"""The Helm chart: linted, rendered, and held to what the plain manifests are held to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.deploy import go_tools
from tests.deploy.files import DEPLOY, documents, load, only, run
from tests.deploy.manifests import check, validate

CHART = DEPLOY / "helm" / "fleetspan"
SERVER = "store.url=clickhouse://fleetspan:$(STORE_PASSWORD)@clickhouse:8123/otel"

pytestmark = [pytest.mark.go, pytest.mark.slow, pytest.mark.timeout(2000)]


def helm(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Helm, with a home of its own."""
    program = str(go_tools.installed(go_tools.HELM))
    return run(program, *arguments, HOME=str(folder))


def rendered(folder: Path, *values: str) -> str:
    """What the chart becomes with these values set."""
    given = [word for value in values for word in ("--set", value)]
    done = helm("template", "blue", str(CHART), *given, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lint(tmp_path: Path) -> None:
    """Helm has nothing to say against it."""
    done = helm("lint", "--strict", str(CHART), folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout + done.stderr


def test_embedded(tmp_path: Path) -> None:
    """Without any value: one collector with the embedded engine."""
    text = rendered(tmp_path)
    validate(text, tmp_path)
    found = documents(text)
    check(found, tmp_path, embedded=True)
    assert only(found, "StatefulSet")["spec"]["replicas"] == 1
    assert "STORE_PASSWORD" not in text


def test_server(tmp_path: Path) -> None:
    """With a store on a server: as many as wanted, and its password from a Secret."""
    text = rendered(tmp_path, SERVER, "replicas=3")
    validate(text, tmp_path)
    found = documents(text)
    settings = check(found, tmp_path, embedded=False)
    assert (settings.store.host, settings.store.password) == ("clickhouse", "secret1")
    assert only(found, "StatefulSet")["spec"]["replicas"] == 3


def test_other_values(tmp_path: Path) -> None:
    """Each that the defaults leave out finds its place."""
    text = rendered(
        tmp_path,
        "networkPolicy.enabled=false",
        "persistence.storageClass=fast",
        "image.tag=1.2.3",
        "imagePullSecrets[0].name=pull",
        "nodeSelector.disk=ssd",
        "tolerations[0].key=agents",
    )
    validate(text, tmp_path)
    found = documents(text)
    assert not [each for each in found if each["kind"] == "NetworkPolicy"]
    spec = only(found, "StatefulSet")["spec"]
    assert spec["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"
    pod = spec["template"]["spec"]
    assert pod["containers"][0]["image"] == "fleetspan:1.2.3"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [{"key": "agents"}]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("replicas=3", "maximum: got 3, want 1"),
        ("replicas=many", "/replicas"),
        ("store.url=http://clickhouse:8123", "/store/url"),
        ("keysSecret=", "/keysSecret"),
        ("replica=1", "additional properties 'replica' not allowed"),
        ("persistence.size=lots", "/persistence/size"),
    ],
)
def test_wrong_values_are_refused(value: str, said: str, tmp_path: Path) -> None:
    """By the schema, which says where it is."""
    done = helm("template", "blue", str(CHART), "--set", value, folder=tmp_path)
    assert done.returncode != 0
    assert said in done.stderr


def test_its_pods_are_those_of_the_plain_manifests(tmp_path: Path) -> None:
    """Two descriptions of one thing, which may not grow apart."""
    found = documents(rendered(tmp_path, SERVER))
    chart = only(found, "StatefulSet")["spec"]["template"]["spec"]
    plain = load(DEPLOY / "kubernetes" / "base" / "statefulset.yaml")
    pod = plain["spec"]["template"]["spec"]
    for name in ("securityContext", "terminationGracePeriodSeconds"):
        assert chart[name] == pod[name]
    (ours,), (theirs,) = chart["containers"], pod["containers"]
    same = ("args", "env", "ports", "startupProbe", "livenessProbe", "readinessProbe")
    for name in (*same, "lifecycle", "securityContext", "volumeMounts"):
        assert ours[name] == theirs[name], name
