"""The manifests of Kubernetes, one by one, and as kustomize puts them together."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.collector_processor.fleet import agent, call, traces
from tests.collector_processor.running import Collector, environment
from tests.collector_processor.server_store import ServerStore
from tests.deploy import go_tools
from tests.deploy.files import DEPLOY, FLEETSPAN, documents, load, only, run
from tests.deploy.manifests import check, validate

FOLDER = DEPLOY / "kubernetes"
BASE = FOLDER / "base"


def built(folder: str) -> str:
    """What kustomize makes of a folder."""
    program = str(go_tools.installed(go_tools.KUSTOMIZE))
    done = run(program, "build", str(FOLDER / folder))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "name",
    [
        *(each for each in load(BASE / "kustomization.yaml")["resources"]),
        "secret.example.yaml",
        "../hand-over.yaml",
    ],
)
def test_each_file(name: str, tmp_path: Path) -> None:
    """It is what the schemas of Kubernetes allow."""
    validate((BASE / name).read_text(), tmp_path)


def test_every_file_has_a_use() -> None:
    """A kustomization names all that lies beside it; the example of secrets none does."""
    for folder in (BASE, *sorted((FOLDER / "overlays").iterdir())):
        found = load(folder / "kustomization.yaml")
        named = {each for each in found["resources"] if not each.startswith("..")}
        named |= {each["path"] for each in found.get("patches", ())}
        named |= {
            file
            for each in found.get("configMapGenerator", ())
            for file in each["files"]
        }
        there = {path.name for path in folder.iterdir()}
        assert there - {"kustomization.yaml", "secret.example.yaml"} == named


def test_the_example_of_secrets_lets_nobody_in() -> None:
    """It has the names that the collectors ask for, and no key."""
    secrets = documents((BASE / "secret.example.yaml").read_text())
    by_name = {each["metadata"]["name"]: each["stringData"] for each in secrets}
    assert (
        by_name["fleetspan-keys"]["keys.json"].strip() == '{"version": 1, "keys": []}'
    )
    assert by_name["fleetspan-store"] == {"password": "changeme"}
    pod = load(BASE / "statefulset.yaml")["spec"]["template"]["spec"]
    (mounted,) = (each["secret"] for each in pod["volumes"] if "secret" in each)
    assert mounted["secretName"] == "fleetspan-keys"


@pytest.mark.integration
def test_an_empty_file_of_keys_starts_and_refuses(tmp_path: Path) -> None:
    """As the example says."""
    keys = tmp_path / "keys.json"
    keys.write_text('{"version": 1, "keys": []}')
    variables = {"FLEETSPAN_KEYS_FILE": str(keys)}
    ports = ("--grpc=off", "--http=0.0.0.0:0", "--web=127.0.0.1:0")
    more = ("--clickhouse=off", "--jaeger=off")
    with Collector(
        tmp_path / "data", variables=variables, ports=(*ports, *more)
    ) as collector:
        media = {"content_type": "application/x-protobuf"}
        answer = collector.request("otlp_http", "POST", "/v1/traces", b"", **media)
        assert answer[0] == 401
        # What Kubernetes asks, with the address of the pod and no key.
        assert (
            collector.request("web", "GET", "/healthz", host="10.1.2.3:4319")[0] == 200
        )


@pytest.mark.go
@pytest.mark.slow
@pytest.mark.timeout(2000)
class TestBuilt:
    """What kustomize makes, which is what is applied."""

    def test_base(self, tmp_path: Path) -> None:
        """Three collectors over a server."""
        text = built("base")
        validate(text, tmp_path)
        found = documents(text)
        settings = check(found, tmp_path, embedded=False)
        assert settings.store.password == "secret1"  # noqa: S105
        assert only(found, "StatefulSet")["spec"]["replicas"] == 3
        assert only(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
        assert {each["metadata"].get("namespace", "fleetspan") for each in found} == {
            "fleetspan"
        }

    def test_single(self, tmp_path: Path) -> None:
        """One collector with the embedded engine, which knows of no server."""
        text = built("overlays/single")
        validate(text, tmp_path)
        found = documents(text)
        check(found, tmp_path, embedded=True)
        assert only(found, "StatefulSet")["spec"]["replicas"] == 1
        assert "STORE" not in text

    def test_clickhouse_operator(self, tmp_path: Path) -> None:
        """Collectors are sent to the operator's Service, cluster and password."""
        text = built("overlays/clickhouse-operator")
        validate(text, tmp_path, unknown=2)
        found = documents(text)
        store = check(found, tmp_path, embedded=False).store
        server = only(found, "ClickHouseInstallation")
        keeper = only(found, "ClickHouseKeeperInstallation")
        assert store.host == f"clickhouse-{server['metadata']['name']}"
        assert store.password == "secret1"  # noqa: S105
        configuration = server["spec"]["configuration"]
        (cluster,) = configuration["clusters"]
        assert cluster["name"] == store.cluster
        assert cluster["layout"] == {"shardsCount": 2, "replicasCount": 2}
        (node,) = configuration["zookeeper"]["nodes"]
        assert node["host"] == f"keeper-{keeper['metadata']['name']}"
        reference = configuration["users"]["fleetspan/password"]["valueFrom"]
        assert reference == {
            "secretKeyRef": {"name": "fleetspan-store", "key": "password"}
        }
        assert_uses_its_templates(server)
        assert_uses_its_templates(keeper)


def assert_uses_its_templates(installation: dict[str, Any]) -> None:
    """The templates that are the default are there, and no others."""
    templates = installation["spec"]["templates"]
    default = installation["spec"]["defaults"]["templates"]
    (pod,) = templates["podTemplates"]
    (claim,) = templates["volumeClaimTemplates"]
    assert default == {
        "podTemplate": pod["name"],
        "dataVolumeClaimTemplate": claim["name"],
    }


@pytest.fixture
def job() -> dict[str, Any]:
    """The Job that stores what a collector has left."""
    found: dict[str, Any] = load(FOLDER / "hand-over.yaml")
    return found


def test_the_job_is_as_the_collectors_are(job: dict[str, Any]) -> None:
    """It has their user, their store, and the volume of one of them."""
    spec = load(BASE / "statefulset.yaml")["spec"]
    theirs, its = spec["template"]["spec"], job["spec"]["template"]["spec"]
    assert its["securityContext"] == theirs["securityContext"]
    (collector,), (container,) = theirs["containers"], its["containers"]
    assert container["securityContext"] == collector["securityContext"]
    assert container["env"] == collector["env"][1:]
    (volume,) = (v for v in its["volumes"] if "persistentVolumeClaim" in v)
    assert volume["persistentVolumeClaim"]["claimName"] == "data-fleetspan-2"
    tag = load(BASE / "kustomization.yaml")["images"][0]["newTag"]
    assert container["image"] == f"{collector['image']}:{tag}"


@pytest.mark.integration
@pytest.mark.slow
def test_a_journal_is_handed_over(job: dict[str, Any], tmp_path: Path) -> None:
    """What a killed collector acknowledged while its store was away is stored by the Job."""
    server = ServerStore(tmp_path / "server")
    data = tmp_path / "data"
    variables = {"FLEETSPAN_STORE": server.url}
    try:
        with Collector(data, variables=variables) as collector:
            collector.post("traces", request(1))
            collector.settle()
            server.stop(signal.SIGKILL)
            collector.post("traces", request(2))
            collector.kill()
        # It says so while the store is away, and loses nothing.
        assert hand_over(job, data, server.url).returncode != 0
        server.start()
        done = hand_over(job, data, server.url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 rows of 1 segments are stored" in done.stdout
        rows = run(
            *(str(FLEETSPAN), "--data", str(tmp_path / "reader"), "sql"),
            *("--format", "TabSeparated"),
            "SELECT count(), uniq(TraceId) FROM otel_traces",
            FLEETSPAN_STORE=server.url,
        )
        assert rows.stdout.split() == ["4", "2"], rows.stderr
    finally:
        server.stop()


def request(number: int) -> bytes:
    """A run of two spans."""
    body: bytes = traces([agent(number, 10), call(number, 11, 10)]).SerializeToString()
    return body


def hand_over(
    job: dict[str, Any], data: Path, store: str
) -> subprocess.CompletedProcess[str]:
    """Run what the Job runs, without waiting for other collectors: there are none."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    arguments = container["args"]
    assert "--after=120" in arguments
    return subprocess.run(
        [str(FLEETSPAN), *arguments, "--after=0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(FLEETSPAN_DATA=str(data), FLEETSPAN_STORE=store),
    )
