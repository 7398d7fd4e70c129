"""A collector with keys that holds runs of two tenants."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from fleetspan_collector.access import Scope
from tests.collector_processor.access.faces import PROTOBUF
from tests.collector_processor.access.keyed import KeyedCollector, bearer, make_key
from tests.collector_processor.fleet import agent, call, logs, start_event, tool, traces

RUNS = 7
"""Runs of each tenant that have ended."""


@dataclass(frozen=True)
class Asked:
    """The API of a collector, and keys by name."""

    collector: KeyedCollector
    keys: dict[str, str]

    def get(self, path: str, key: str = "all") -> tuple[int, Any]:
        """Return the status and the document of a path below ``/api/v1``."""
        headers = bearer(self.keys[key])
        status, _, body = self.collector.ask(
            "web", "GET", f"/api/v1/{path}", b"", headers
        )
        return status, json.loads(body)

    def document(self, path: str, key: str = "all") -> Any:
        """Return a document.

        Raises:
            AssertionError: When it is refused.
        """
        status, found = self.get(path, key)
        assert status == 200, found
        return found


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Generator[Asked]:
    """Runs of tenants a and b: a few that have ended, and one that goes on."""
    data = tmp_path_factory.mktemp("api") / "data"
    data.mkdir()
    keys = {
        "a": make_key(data, "a"),
        "b": make_key(data, "b"),
        "c": make_key(data, "c"),
        "ingest": make_key(data, "a", (Scope.INGEST,)),
        "all": make_key(data, None, tuple(Scope)),
    }
    with KeyedCollector(data) as collector:

        def post(signal: str, body: bytes, tenant: str) -> None:
            headers = PROTOBUF | bearer(keys[tenant])
            path = f"/v1/{signal}"
            status, _, said = collector.ask("otlp_http", "POST", path, body, headers)
            assert status == 200, said

        for place, tenant in enumerate(("a", "b")):
            for number in range(1, RUNS + 1):
                trace = 100 * place + number
                named: dict[str, Any] = {
                    "gen_ai__agent__name": f"agent of {tenant}",
                    "gen_ai__conversation__id": f"session of {tenant} {number // 2}",
                    "user__id": f"user of {tenant}",
                }
                spans = [
                    agent(trace, 10, lasts_ms=500, **named),
                    call(trace, 11, 10, gen_ai__request__model=f"model-of-{tenant}"),
                    *(
                        tool(trace, 12 + n, 10, at_ms=20 * n, failed=True)
                        for n in range(6)
                    ),
                ]
                resource = {"service.name": f"service of {tenant}"}
                post("traces", traces(spans, resource).SerializeToString(), tenant)
            event = start_event(
                100 * place + 99, 10, "agent", gen_ai__agent__name=f"worker of {tenant}"
            )
            post("logs", logs([event]).SerializeToString(), tenant)
        collector.settle()
        yield Asked(collector, keys)
