"""What is known beside a run: settings, prices, baselines and past outcomes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from fleetspan_collector.config import Settings, of_processors
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.baseline_store import BaselineStore
from fleetspan_collector.processors.outcome_store import OutcomeStore
from fleetspan_collector.processors.outcomes import PastOutcomes
from fleetspan_collector.processors.run import Context, RunFacts
from fleetspan_collector.store._engine import Engine

_MOST_KEPT: Final = 256
_KEPT_S: Final = 60.0
_HOURS_AT_ONCE: Final = 24
_LATE_DAYS: Final = 2
"""Once all is made, hours of so many days are looked at for late rows."""

_HOUR_S: Final = 3600
_REFRESH_LATE_EVERY_S: Final = 5.0
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
        self._outcomes = OutcomeStore(engine, settings.baseline_days)
        self._contexts: dict[tuple[str, int], Context] = {}
        self._past: dict[tuple[str, int], tuple[float, PastOutcomes]] = {}
        self._caught_up = False
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
            self._contexts[key] = Context(
                settings=self._settings,
                prices=self._prices,
                now_ns=self._now_ns,
                # Kept for a minute there.
                baselines=self._baselines.load(*key, self._days),
                outcomes=self._outcomes_before(*key),
            )
        return self._contexts[key]

    def _outcomes_before(self, tenant: str, hour_s: int) -> PastOutcomes:
        key, now_s = (tenant, hour_s), time.monotonic()
        if key not in self._past or now_s - self._past[key][0] > _KEPT_S:
            if len(self._past) >= _MOST_KEPT:
                self._past.clear()
            self._past[key] = (now_s, self._outcomes.load(tenant, hour_s))
        return self._past[key][1]

    def refresh(self, hours_s: Iterable[int] = ()) -> None:
        """Make the history of hours that are over, a few at a time, now and then.

        Args:
            hours_s: Unix seconds of the hours of runs that wait to be analysed: when
                they are over, as of runs that are imported, history changes faster.

        Raises:
            ClickHouseError: When the store fails; it can be called again.
        """
        now_s = time.time()
        late = any(hour + _HOUR_S <= now_s for hour in hours_s)
        pause_s = _REFRESH_LATE_EVERY_S if late else _REFRESH_EVERY_S
        if time.monotonic() - self._refreshed_at < pause_s:
            return
        days = _LATE_DAYS if self._caught_up else self._days
        made = self._baselines.catch_up(
            since_s=max(0, int(now_s - days * 86_400)), most=_HOURS_AT_ONCE
        )
        if made < _HOURS_AT_ONCE:
            self._caught_up = True
            self._refreshed_at = time.monotonic()
