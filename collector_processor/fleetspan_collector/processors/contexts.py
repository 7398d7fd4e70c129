"""What is known beside a run: settings, prices, baselines and past outcomes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from fleetspan_collector.config import Settings, of_processors
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.baseline_store import BaselineStore
from fleetspan_collector.processors.baselines import Baselines
from fleetspan_collector.processors.outcome_store import OutcomeStore
from fleetspan_collector.processors.outcomes import PastOutcomes
from fleetspan_collector.processors.run import Context, RunFacts
from fleetspan_collector.store._engine import Engine

_MOST_KEPT: Final = 256
_KEPT_S: Final = 60.0
_HOUR_S: Final = 3600
_REFRESH_EVERY_S: Final = 60.0
"""Baselines are of whole hours; within one they need not be the newest."""


class Contexts:
    """Gives each run what was known before the hour in which it began.

    Args:
        engine: A connection that is used by one thread at a time.
        settings: The collector's settings.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._settings = of_processors(settings)
        self._days = settings.baseline_days
        self._prices = PriceBook.load(settings.price_override_file)
        self._baselines = BaselineStore(engine)
        self._outcomes = OutcomeStore(engine)
        self._contexts: dict[tuple[str, int], Context] = {}
        self._history: dict[tuple[str, int], tuple[float, Baselines, PastOutcomes]] = {}
        self._hours: set[tuple[str, int]] = set()
        self._refreshed_at = float("-inf")
        self._now_ns = 0

    def begin(self, now_ns: int) -> None:
        """Begin a round at this moment, Unix nanoseconds."""
        self._now_ns = now_ns
        self._contexts.clear()

    def of(self, facts: RunFacts) -> Context:
        """What is known beside a run.

        Raises:
            ClickHouseError: When the store fails.
        """
        key = (facts.tenant, facts.bucket_s)
        if key not in self._contexts:
            baselines, outcomes = self._before(*key)
            self._contexts[key] = Context(
                settings=self._settings,
                prices=self._prices,
                now_ns=self._now_ns,
                baselines=baselines,
                outcomes=outcomes,
            )
        return self._contexts[key]

    def _before(self, tenant: str, hour_s: int) -> tuple[Baselines, PastOutcomes]:
        key, now_s = (tenant, hour_s), time.monotonic()
        if key not in self._history or now_s - self._history[key][0] > _KEPT_S:
            if len(self._history) >= _MOST_KEPT:
                self._history.clear()
            self._history[key] = (
                now_s,
                self._baselines.load(tenant, hour_s, self._days),
                self._outcomes.load(tenant, hour_s),
            )
        return self._history[key][1:]

    def note(self, runs: Sequence[RunFacts]) -> None:
        """Runs have been analysed: those that have ended become history."""
        self._hours.update(
            (facts.tenant, facts.bucket_s) for facts in runs if not facts.open
        )

    def refresh(self) -> None:
        """Make the history of hours that are over, now and then.

        Nothing is held against the present hour, so it can wait.

        Raises:
            ClickHouseError: When the store fails; it can be called again.
        """
        if time.monotonic() - self._refreshed_at < _REFRESH_EVERY_S:
            return
        now_s = self._now_ns // 1_000_000_000
        if self._refreshed_at == float("-inf"):
            # What an earlier collector, or an earlier version, has left.
            since_s = max(0, int(now_s - self._days * 86_400))
            self._baselines.catch_up(since_s=since_s)
        over = {each for each in self._hours if each[1] + _HOUR_S <= now_s}
        self._baselines.refresh(over)
        self._hours -= over
        self._refreshed_at = time.monotonic()
