"""Taking a snapshot by hand, over the web port."""

from __future__ import annotations

from typing import Any

import prometheus_client
from starlette.testclient import TestClient

from fleetspan_collector.web.app import Sources, create_app
from fleetspan_collector.web.lookup import RunNotFoundError
from fleetspan_collector.web.memory_reader import MemoryReader, MemoryRows


def _client(take: Any) -> TestClient:
    async def caught_up(
        timeout_s: float, *, derived: bool, analysed: bool = False
    ) -> bool:
        return True

    async def unready() -> dict[str, str]:
        return {}

    sources = Sources(
        rows=MemoryRows(MemoryReader()),
        registry=prometheus_client.CollectorRegistry(),
        caught_up=caught_up,
        unready=unready,
        snapshot=take,
    )
    return TestClient(create_app(sources), base_url="http://localhost")


def test_the_run_and_the_reason_are_passed_on() -> None:
    """The answer is the snapshot's id."""
    asked = []

    def take(run_id: str, reason: str) -> str:
        asked.append((run_id, reason))
        return "dd08fabe4a3c7d67"

    answer = _client(take).post("/api/v1/snapshots?run=a/b&reason=before%20lunch")
    assert answer.status_code == 200
    assert answer.json() == {"schema_version": 1, "snapshot_id": "dd08fabe4a3c7d67"}
    assert asked == [("a/b", "before lunch")]


def test_what_is_wrong_is_answered() -> None:
    """No run, a run that there is not, a port that only reads, a GET."""

    def take(run_id: str, reason: str) -> str:
        raise RunNotFoundError(
            f"there is no run {run_id!r}", because="…", suggestion="fleetspan ls"
        )

    assert _client(take).post("/api/v1/snapshots").status_code == 400
    unknown = _client(take).post("/api/v1/snapshots?run=x")
    assert (unknown.status_code, unknown.json()["try"]) == (404, "fleetspan ls")
    assert _client(None).post("/api/v1/snapshots?run=x").status_code == 404
    assert _client(take).get("/api/v1/snapshots?run=x").status_code == 405
