"""Deriving again, dead processes and the disk cap, on a real store."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from fleetspan_collector.derive.liveness import own_scope
from fleetspan_collector.store.cap import enforce_cap
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.fleet import (
    RESOURCE,
    agent,
    call,
    logs,
    start_event,
    traces,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """One store for all tests; each uses its own tenant or looks at all of it."""
    with embedded(tmp_path_factory.mktemp("rebuild")) as opened:
        yield opened


@pytest.mark.integration
def test_rebuild_derives_the_same_rows_again(store: Embedded) -> None:
    """Canonical rows after `rebuild` equal those before, whatever stood in their tables."""
    store.take(traces([agent(1, 1), agent(1, 2, 1)]), tenant="again")
    before = store.canonical("again")
    assert len(before["agents"]) == 2
    store.engine.command("TRUNCATE TABLE otel.canonical_agents")
    store.engine.command("TRUNCATE TABLE otel.evidence")
    assert store.canonical("again")["agents"] == []
    said: list[str] = []
    resolved, failed = store.derivation.rebuild(said.append)
    assert (resolved >= 1, failed) == (True, 0)
    assert store.canonical("again") == before
    assert said[-1] == f"{resolved} traces"


@pytest.mark.integration
def test_rebuild_leaves_what_raw_rows_no_longer_tell(store: Embedded) -> None:
    """Runs outlive their raw rows; deriving again does not take them back."""
    store.take(traces([agent(3, 1), call(3, 2, 1)]), tenant="old")
    before = store.canonical("old")
    assert len(before["llm_calls"]) == 1
    store.engine.command(
        "ALTER TABLE otel.otel_traces DELETE WHERE Tenant = 'old'"
        " SETTINGS mutations_sync = 2"
    )
    store.derivation.rebuild(lambda what: None)
    assert store.canonical("old") == before


@pytest.mark.integration
@pytest.mark.skipif(own_scope() is None, reason="only Linux names its processes")
def test_what_a_dead_process_was_doing_is_abandoned(
    store: Embedded, tmp_path: Path
) -> None:
    """A started agent whose process is gone is abandoned, also after a rebuild.

    It becomes what it says of itself when its end arrives after all.
    """
    gone = f"{own_scope()}1/999999999"
    resource = {**RESOURCE, "fleetspan.process.id": gone}
    store.take(logs([start_event(7, 1, "agent")], resource), tenant="dead")

    def status() -> list[str]:
        rows = store.rows("agents", "Tenant = 'dead'", "toString(Status) AS status")
        return [row["status"] for row in rows]

    assert status() == ["running"]
    assert store.derivation.find_dead() == 1
    assert status() == ["abandoned"]
    assert store.derivation.find_dead() == 0
    store.derivation.rebuild(lambda what: None)
    assert status() == ["abandoned"]
    store.take(traces([agent(7, 1)]), tenant="dead")
    assert status() == ["ok"]


@pytest.mark.integration
def test_the_cap_drops_the_oldest_days_of_raw_rows(store: Embedded) -> None:
    """Past the cap whole days go, oldest first; without a cap, or below it, none."""
    store.take(traces([agent(9, 1)]), tenant="cap")
    assert enforce_cap(store.engine, 0) == []
    assert enforce_cap(store.engine, 1 << 40) == []
    dropped = enforce_cap(store.engine, 1)
    assert dropped == sorted(dropped)
    assert len(dropped) >= 1
    assert store.rows("otel_traces", "toDate(Timestamp) < today()") == []
    assert len(store.rows("agents", "Tenant = 'cap'")) == 1
