"""What another policy would have got, from what the store knows."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from fleetspan_collector.routing.decisions import log_of, policy_of
from fleetspan_collector.routing.memory import Source, remember
from fleetspan_collector.routing.texts import half_of, judged_by_half
from fleetspan_routing.off_policy import evaluate
from fleetspan_routing.router import Policy, Router
from fleetspan_routing.tiers import parse
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.routing.test_chooser import (
    by_chance,
    write_outcomes,
)

pytestmark = pytest.mark.integration

TIERS: Final = parse(
    {
        "tiers": {
            "weak": {"models": ["haiku"], "up_to": 5},
            "strong": {"models": ["opus"]},
        }
    }
)


@pytest.fixture
def store(tmp_path: Path) -> Generator[Embedded]:
    """A store of its own."""
    with embedded(tmp_path / "store") as opened:
        yield opened


@pytest.mark.slow
def test_a_policy_that_goes_by_texts(store: Embedded) -> None:
    """Each half of the texts is routed by what was judged of the other one."""
    write_outcomes(store, by_chance(1_000))
    source = Source.of_engine(store.engine)
    texts = source.texts()
    rows = source.outcomes()
    log = log_of(rows, TIERS, texts=texts)
    assert len(log) == 1_000
    assert sorted(each.text for each in log.decisions) == sorted(
        row["Task"] for row in texts
    )
    halves = judged_by_half(texts, TIERS, 0.95)
    assert all(half["claude-code"].may for half in halves)
    router = Router(
        tiers=TIERS, outcomes=remember(rows, TIERS), policy=Policy(by_text=True)
    )
    by_text = evaluate(log, policy_of(router, time.time(), halves), level=0.999)
    assert by_text.quality.doubly_robust.low < 0.95 < by_text.quality.doubly_robust.high
    assert by_text.shares["haiku"] == pytest.approx(0.5, abs=0.1)
    assert by_text.cost_usd is not None
    assert by_text.cost_usd.doubly_robust.value == pytest.approx(0.055, abs=0.01)
    chances = log.policy(policy_of(router, time.time(), (halves[0], {})))
    weak = log.models.index("haiku")
    spared = {
        half_of(each.text)
        for each, row in zip(log.decisions, chances, strict=True)
        if row[weak]
    }
    assert spared == {1}
