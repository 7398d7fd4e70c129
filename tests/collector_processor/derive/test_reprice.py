"""Pricing stored calls again, on a real store."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from fleetspan_collector.derive.call_costs import CallCosts
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.derive.reprice import reprice
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.fleet import START_NS, agent, call, traces

pytestmark = pytest.mark.integration

A_DAY_MS = 86_400_000
COSTS = "CallId, CostUsd, PriceVersion"
RUN = "00000000000000000000000000000001-0000000000000001"


def book(usd: float, **models: Any) -> PriceBook:
    """Return prices of so many US dollars for a million input tokens, output free."""
    return PriceBook({"claude-sonnet-4-5": {"input": usd}, **models})


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """One store for all tests."""
    with embedded(tmp_path_factory.mktemp("reprice"), book(1)) as found:
        yield found


@pytest.fixture
def store(opened: Embedded) -> Embedded:
    """The store with one run of three calls, one of a model that has no price.

    Two have 102 and 103 input tokens; the third began a day after them.
    """
    tables = ("evidence", "evidence_links", "canonical_keys", "otel_traces")
    canonical = ("runs", "agents", "llm_calls", "tool_calls")
    for table in (*tables, *(f"canonical_{name}" for name in canonical)):
        opened.engine.command(f"TRUNCATE TABLE otel.{table}")
    reprice(opened.derivation, book(1))
    opened.take(
        traces(
            [
                agent(1, 1, lasts_ms=2 * A_DAY_MS),
                call(1, 2, 1),
                call(1, 3, 1, gen_ai__request__model="no-such-model"),
                call(1, 4, 1, at_ms=A_DAY_MS),
            ]
        )
    )
    return opened


def costs(store: Embedded) -> dict[str, float | None]:
    """Return the cost of each call in millionths of a US dollar, by its last digit."""
    rows = store.rows("llm_calls", columns=COSTS)
    return {
        row["CallId"][-1]: None
        if row["CostUsd"] is None
        else round(row["CostUsd"] * 1e6, 3)
        for row in rows
    }


def run_totals(store: Embedded) -> tuple[float | None, int]:
    """Return the cost of the run in millionths of a US dollar, and its unpriced calls."""
    (row,) = store.rows("runs", f"RunId = '{RUN}'", "CostUsd, UnpricedCalls")
    usd = row["CostUsd"]
    return None if usd is None else round(usd * 1e6, 3), row["UnpricedCalls"]


def versions(store: Embedded) -> dict[str, set[str]]:
    """Return the versions of all rows of calls, however many replace each other."""
    found: dict[str, set[str]] = {}
    for row in store.rows("canonical_llm_calls", columns="CallId, Version"):
        found.setdefault(row["CallId"][-1], set()).add(str(row["Version"]))
    return found


def test_calls_and_runs_get_the_present_price(store: Embedded) -> None:
    """Costs, versions of prices and totals of runs; a model that got a price is priced."""
    assert costs(store) == {"2": 102, "3": None, "4": 104}
    assert run_totals(store) == (206, 1)
    prices = book(2, **{"no-such-model": {"input": 10}})
    done = reprice(store.derivation, prices)
    assert (done.calls, done.changed_calls, done.changed_runs) == (3, 3, 1)
    assert done.before.cost_usd == pytest.approx(206e-6)
    assert done.after.cost_usd == pytest.approx(1442e-6)
    assert (done.before.unpriced_calls, done.after.unpriced_calls) == (1, 0)
    assert costs(store) == {"2": 204, "3": 1030, "4": 208}
    assert run_totals(store) == (1442, 0)
    stored = {row["PriceVersion"] for row in store.rows("llm_calls", columns=COSTS)}
    assert stored == {prices.version}


def test_a_price_may_go(store: Embedded) -> None:
    """A call whose model has no price any more is unpriced, and so says its run."""
    nothing: Any = {"dated": [{"valid_from": datetime(2000, 1, 1, tzinfo=UTC).date()}]}
    nothing["dated"][0]["batch"] = {"input": 1}
    reprice(store.derivation, PriceBook({"claude-sonnet-4-5": nothing}))
    assert costs(store) == {"2": 0, "3": None, "4": 0}
    assert run_totals(store) == (0, 1)


def test_twice_changes_nothing(store: Embedded) -> None:
    """The second time no row is written."""
    reprice(store.derivation, book(2))
    written = versions(store)
    done = reprice(store.derivation, book(2))
    assert (done.changed_calls, done.relabelled_calls, done.changed_runs) == (0, 0, 0)
    assert versions(store) == written


def test_a_dry_run_writes_nothing(store: Embedded) -> None:
    """It says what would change; the store and the prices in use stay as they are."""
    written = versions(store)
    done = reprice(store.derivation, book(2), dry_run=True)
    assert (done.changed_calls, done.changed_runs) == (2, 1)
    assert done.after.cost_usd == pytest.approx(412e-6)
    assert versions(store) == written
    store.take(traces([call(1, 5, 1)]))
    assert costs(store)["5"] == 105


def test_since(store: Embedded) -> None:
    """Only calls that began from then on; the run's total is that of all of them."""
    noon = datetime.fromtimestamp(START_NS / 1e9 + 3600, UTC)
    done = reprice(store.derivation, book(2), since=noon)
    assert (done.calls, done.changed_calls, done.changed_runs) == (1, 1, 1)
    assert costs(store) == {"2": 102, "3": None, "4": 208}
    assert run_totals(store) == (310, 1)


def test_the_same_price_by_another_name(store: Embedded) -> None:
    """Costs that stay get the version of the prices that they were checked against."""
    prices = book(1, other={"input": 1})
    done = reprice(store.derivation, prices)
    assert (done.changed_calls, done.relabelled_calls, done.changed_runs) == (0, 2, 0)
    stored = {row["PriceVersion"] for row in store.rows("llm_calls", columns=COSTS)}
    assert stored == {"", prices.version}


def test_what_has_expired_is_priced_too(store: Embedded) -> None:
    """Neither raw rows nor evidence are needed."""
    for table in ("evidence", "evidence_links", "otel_traces"):
        store.engine.command(f"TRUNCATE TABLE otel.{table}")
    reprice(store.derivation, book(3))
    assert costs(store) == {"2": 306, "3": None, "4": 312}
    assert run_totals(store) == (618, 1)


def test_late_evidence_does_not_bring_the_old_price_back(store: Embedded) -> None:
    """What is derived after repricing is priced by the new prices, calls of old too."""
    reprice(store.derivation, book(2))
    store.take(traces([call(1, 5, 1)]))
    assert costs(store) == {"2": 204, "3": None, "4": 208, "5": 210}
    assert run_totals(store) == (622, 1)


def test_an_interrupted_one_is_made_good(store: Embedded) -> None:
    """Calls that were written, and a run that was not: the next time adds the run up."""
    reprice(store.derivation, book(2))
    store.engine.command(
        "INSERT INTO otel.canonical_runs SELECT * REPLACE (Version + 1 AS Version,"
        " 206e-6 AS CostUsd) FROM otel.canonical_runs FINAL"
    )
    assert run_totals(store)[0] == 206
    done = reprice(store.derivation, book(2))
    assert (done.changed_calls, done.changed_runs) == (0, 1)
    assert run_totals(store) == (412, 1)


def test_deriving_again_finds_nothing_to_write(store: Embedded) -> None:
    """The fingerprints on record are those of the rows as they are priced now."""
    reprice(store.derivation, book(2))
    written = versions(store)
    # The same span again: its group is resolved once more.
    store.take(traces([call(1, 2, 1)]))
    assert versions(store) == written


def test_costs_can_be_exchanged_in_a_fingerprint() -> None:
    """What one cost put in, it takes out; unknown costs are all alike."""
    content = np.array([17, 4], dtype=np.uint64)
    old = CallCosts(np.array([0.5, np.nan]), np.array(["a", ""], dtype=object))
    new = CallCosts(np.array([0.25, np.nan]), np.array(["b", ""], dtype=object))
    same = CallCosts(np.array([0.5, -np.nan]), np.array(["a", ""], dtype=object))
    assert (old.fingerprint == same.fingerprint).all()
    assert old.fingerprint[0] != new.fingerprint[0]
    stored = content ^ old.fingerprint
    assert (
        stored ^ old.fingerprint ^ new.fingerprint == content ^ new.fingerprint
    ).all()
