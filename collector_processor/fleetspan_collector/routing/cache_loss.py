"""What it costs to go on with another model, whose provider has nothing of it cached."""

from __future__ import annotations

import time

import numpy as np

from fleetspan_collector.derive.prices import PriceBook
from fleetspan_routing.outcomes import Task
from fleetspan_routing.router import CacheLoss


def loss_by_prices(prices: PriceBook) -> CacheLoss:
    """Return what tells the loss.

    What the present model would read from its cache, the other one reads at the price of
    new input, and writes to its own cache.
    """

    def loss(model: str, task: Task) -> float | None:
        count = float(task.cached_tokens)
        rows = np.array([[0.0, 0.0, count, 0.0, 0.0], [0.0, count, 0.0, 0.0, 0.0]])
        now = np.full(2, int(time.time()))
        written, read = prices.cost_usd(["", ""], [model, model], now, rows)
        return None if np.isnan(written) or np.isnan(read) else float(written - read)

    return loss
