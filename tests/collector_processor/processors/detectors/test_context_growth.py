"""When a context has grown too far, and what to have held it at a level would save."""

from __future__ import annotations

from typing import Any

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.detectors.context_growth import ContextGrowth
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

PRICES = PriceBook({"house": {"input": 10, "cache_read": 1, "output": 50}})


def building() -> Building:
    """Begin a run of one agent."""
    made = Building(context=Context(prices=PRICES))
    made.agent("main", 0, 10_000)
    return made


def call(made: Building, at: float, fresh: int, read: int, **given: Any) -> None:
    """Add a call, with what it costs."""
    made.call(
        "main",
        at,
        1,
        **{
            "Model": "house",
            "Provider": "",
            "InputTokens": fresh,
            "CacheReadTokens": read,
            "CacheWriteTokens": 0,
            "OutputTokens": 0,
            "CostUsd": (fresh * 10 + read) / 1e6,
            **given,
        },
    )


def found(made: Building) -> list[Finding]:
    """Return what is found in the run."""
    return list(ContextGrowth(ProcessorSettings()).findings(made.run()))


def test_what_lies_beyond_the_level_is_saved() -> None:
    """From 10,000 by 10,000 to 110,000 tokens, held at 55,000: 5, 15 … 55 thousand less."""
    made = building()
    call(made, 0, 10_000, 0)
    for step in range(1, 11):
        call(made, step * 10, 10_000, step * 10_000)
    (finding,) = found(made)
    assert finding.calls == (5, 6, 7, 8, 9, 10)
    assert finding.details["held_at_tokens"] == 55_000
    assert finding.usd == pytest.approx((5 + 15 + 25 + 35 + 45 + 55) * 1_000 / 1e6)
    assert finding.seconds == 0.0


def test_a_context_below_the_limit_is_well() -> None:
    """90,000 tokens of a window that nobody knows."""
    made = building()
    call(made, 0, 10_000, 0)
    for step in range(1, 9):
        call(made, step * 10, 10_000, step * 10_000)
    assert found(made) == []


def test_the_share_of_a_smaller_window_counts() -> None:
    """gpt-3.5-turbo takes 16,385 tokens; 12,000 are beyond 70 %."""
    made = building()
    for step in range(60):
        made.call(
            "main",
            step * 10,
            1,
            Model="gpt-3.5-turbo",
            Provider="openai",
            InputTokens=2_000 + min(step * 1_000, 12_000),
            OutputTokens=10,
            CostUsd=(2_000 + min(step * 1_000, 12_000)) * 0.5 / 1e6,
        )
    (finding,) = found(made)
    assert finding.details["held_at_tokens"] == 6_308
    assert finding.details["most_tokens"] == 14_000


def test_an_agent_that_began_large_has_not_grown() -> None:
    """Its task is that large; nothing can be summed up."""
    made = building()
    for step in range(20):
        call(made, step * 10, 10_000, 100_000)
    assert found(made) == []


def test_an_agent_that_sums_up_in_time_is_well() -> None:
    """It goes to 90,000 tokens and starts over."""
    made = building()
    for _ in range(3):
        for step in range(9):
            call(made, len(made._calls) * 10, 10_000, step * 10_000)
    assert found(made) == []


def test_without_a_price_the_saving_is_unknown() -> None:
    """The tokens decide alone."""
    made = building()
    for step in range(12):
        call(made, step * 10, 10_000, step * 10_000, Model="unheard-of", CostUsd=None)
    (finding,) = found(made)
    assert finding.usd is None
    assert finding.details["most_tokens"] == 120_000
