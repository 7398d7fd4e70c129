"""What going on with another model costs."""

from __future__ import annotations

import pytest

from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.routing.cache_loss import loss_by_prices
from fleetspan_routing.outcomes import Task


def test_what_was_cached_is_read_and_written_anew() -> None:
    """By the other model's prices: a write instead of a read."""
    rates = {"input": 3.0, "cache_read": 0.3, "cache_write_5m": 3.75, "output": 15.0}
    prices = PriceBook({"m": rates})
    loss = loss_by_prices(prices)
    assert loss("m", Task(cached_tokens=100_000)) == pytest.approx(0.345)
    assert loss("m", Task()) == 0


def test_no_price() -> None:
    """Nobody can tell; it is not nothing."""
    assert loss_by_prices(PriceBook())("nobody-1", Task(cached_tokens=1)) is None
