"""A collector with keys and runs of two tenants, for all tests of one module."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from fleetspan_collector.access import Scope
from tests.collector_processor.access.faces import PROTOBUF
from tests.collector_processor.access.keyed import KeyedCollector, bearer, make_key
from tests.collector_processor.clickhouse_http.endpoint import Endpoint
from tests.collector_processor.fleet import agent, traces
from tests.collector_processor.running import FREE_PORTS

PORTS = tuple(
    "--clickhouse=127.0.0.1:0" if each.startswith("--clickhouse") else each
    for each in FREE_PORTS
)
LIMITS = {
    "FLEETSPAN_CLICKHOUSE_MAX_SECONDS": "20",
    "FLEETSPAN_CLICKHOUSE_MAX_ROWS": "2000000",
}
RUNS = {"a": 3, "b": 2}
"""Runs by tenant."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Generator[Endpoint]:
    """The interface of a collector that has a few runs of two tenants."""
    data = tmp_path_factory.mktemp("clickhouse") / "data"
    data.mkdir()
    keys = {
        "a": make_key(data, "a", (Scope.READ, Scope.INGEST)),
        "b": make_key(data, "b", (Scope.READ, Scope.INGEST)),
        "c writes": make_key(data, "c", (Scope.READ, Scope.WRITE)),
        "a ingests": make_key(data, "a", (Scope.INGEST,)),
        "reads all": make_key(data, None, (Scope.READ,)),
        "all": make_key(data, None, tuple(Scope)),
    }
    with KeyedCollector(data, ports=PORTS, variables=LIMITS) as collector:
        for tenant, runs in RUNS.items():
            for number in range(1, runs + 1):
                trace = number + 100 * (tenant == "b")
                name = f"agent of {tenant}"
                body = traces([agent(trace, 10, gen_ai__agent__name=name)])
                headers = PROTOBUF | bearer(keys[tenant])
                status, _, _ = collector.ask(
                    "otlp_http",
                    "POST",
                    "/v1/traces",
                    body.SerializeToString(),
                    headers,
                )
                assert status == 200
        collector.settle()
        yield Endpoint(collector, keys)
