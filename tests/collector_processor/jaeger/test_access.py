"""Who may read what: keys and tenants, as Jaeger can send them."""

from __future__ import annotations

import base64
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from fleetspan_collector.access import Scope
from fleetspan_collector.access.key_gate import KeyGate
from fleetspan_collector.access.keys import KeyFile
from tests.collector_processor.access.keyed import bearer, make_key
from tests.collector_processor.jaeger.building import NOON_NS, one, trace_id
from tests.collector_processor.jaeger.serving import (
    Client,
    Served,
    served,
    timestamp,
)

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Keyed:
    """What is served, and its keys."""

    serving: Served
    keys: dict[str, str]

    def by(self, key: str, **metadata: str) -> Client:
        """A client with a key."""
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        return self.serving.connect(bearer(self.keys[key]) | named)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Keyed]:
    """A store of two tenants, whose spans have the same ids in part."""
    folder = tmp_path_factory.mktemp("access")
    keys = {
        "a": make_key(folder, "a"),
        "b": make_key(folder, "b"),
        "all": make_key(folder, None),
        "ingest": make_key(folder, "a", (Scope.INGEST,)),
        "unknown": "fs_this-is-no-key",
    }
    gate = KeyGate(KeyFile(folder / "keys.json"))
    with served(folder, gate) as serving:
        serving.take(
            one(1, 1, service="a-shop", attributes={"secret": "of a"}),
            one(1, 2, service="a-stock", parent=1),
            one(2, 1, service="a-shop"),
            tenant="a",
        )
        serving.take(
            one(1, 1, service="b-shop", attributes={"secret": "of b"}),
            one(1, 3, service="b-stock", parent=1),
            tenant="b",
        )
        yield Keyed(serving, keys)


def everything(client: Client) -> str:
    """Ask everything; return all answers as text."""
    answers = [
        *(client.services(), client.operations("a-shop"), client.operations("b-shop")),
        client.get_ids(trace_id(1), trace_id(2)),
        *(client.find(), client.find_ids(), client.summaries()),
        client.find(service_name="b-shop", attributes={"secret": "of b"}),
        client.find(service_name="a-shop", attributes={"secret": "of a"}),
        client.dependencies(timestamp(NOON_NS - 1), None),
    ]
    return repr(answers)


@pytest.mark.parametrize(("tenant", "other"), [("a", "b"), ("b", "a")])
def test_a_tenant_sees_its_own(keyed: Keyed, tenant: str, other: str) -> None:
    """No answer has anything of another tenant, even where ids are the same."""
    found = everything(keyed.by(tenant))
    assert f"{tenant}-shop" in found
    assert f"of {tenant}" in found
    assert f"{other}-shop" not in found
    assert f"{other}-stock" not in found
    assert f"of {other}" not in found


def test_a_key_of_all_tenants(keyed: Keyed) -> None:
    """It sees everybody's, and one tenant's where Jaeger names it."""
    found = everything(keyed.by("all"))
    assert "a-shop" in found
    assert "b-shop" in found
    assert keyed.by("all", x_tenant="a").services() == ["a-shop", "a-stock"]
    assert keyed.by("all", x_tenant="b").services() == ["b-shop", "b-stock"]
    assert keyed.by("all", x_tenant="nobody").services() == []
    # Quotes are part of a name, wherever it goes.
    assert keyed.by("all", x_tenant="a' OR '1'='1").services() == []


def test_another_tenant_cannot_be_named(keyed: Keyed) -> None:
    """A key of one tenant reads as this one, or not at all."""
    assert keyed.by("a", x_tenant="a").services() == ["a-shop", "a-stock"]
    with pytest.raises(grpc.RpcError, match="x-tenant") as refused:
        keyed.by("a", x_tenant="b").services()
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer fs_this-is-no-key"},
        {"bearer.token": "fs_this-is-no-key"},
        {"x-tenant": "a"},
    ],
)
def test_without_a_key(keyed: Keyed, metadata: dict[str, str]) -> None:
    """Who shows no key that is in force is UNAUTHENTICATED, and told how to show one."""
    labels = {"face": "jaeger", "reason": "unauthenticated"}
    before = keyed.serving.metric("fleetspan_access_refused_total", **labels)
    client = keyed.serving.connect(metadata)
    with pytest.raises(grpc.RpcError, match="Authorization: Bearer KEY") as refused:
        client.services()
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as refused:
        client.get_ids(trace_id(1))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    after = keyed.serving.metric("fleetspan_access_refused_total", **labels)
    assert after == before + 2


def test_a_key_that_only_sends(keyed: Keyed) -> None:
    """A key without the scope to read is PERMISSION_DENIED."""
    with pytest.raises(grpc.RpcError, match="scope 'read'") as refused:
        keyed.by("ingest").services()
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_key_of_jaegers_user(keyed: Keyed) -> None:
    """The token of its user that Jaeger passes on is a key, too; so is a password."""
    passed_on = keyed.serving.connect({"bearer.token": keyed.keys["b"]})
    assert passed_on.services() == ["b-shop", "b-stock"]
    password = base64.b64encode(f"jaeger:{keyed.keys['a']}".encode()).decode()
    basic = keyed.serving.connect({"authorization": f"Basic {password}"})
    assert basic.services() == ["a-shop", "a-stock"]


def test_health_needs_no_key(keyed: Keyed) -> None:
    """A probe has no key."""
    health: Any = keyed.serving.connect()._channel.unary_unary(
        "/grpc.health.v1.Health/Check"
    )
    assert health(b"", timeout=60) == b"\x08\x01"
