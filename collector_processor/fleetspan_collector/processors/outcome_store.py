"""What became of tasks before, read from the rollups of agents."""

from __future__ import annotations

from typing import Final

from fleetspan_collector.processors.outcomes import Outcomes, PastOutcomes
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_LAST_S: Final = 2**32 - _HOUR_S
_MOST: Final = 10_000
"""Kinds of task and models, the most frequent ones."""


class OutcomeStore:
    """Reads past outcomes.

    Args:
        engine: A connection that this object alone uses.
        window_days: How many days before an hour count.
    """

    def __init__(self, engine: Engine, window_days: float = 30) -> None:
        self._engine = engine
        self._window_s = int(window_days * _DAY_S)

    def load(self, tenant: str, before_s: int) -> PastOutcomes:
        """Read what became of tasks in runs that began before an hour.

        Agents that ended well or with an error count; of those that were abandoned
        nobody knows.

        Args:
            tenant: Whose.
            before_s: A Unix second; runs of its own hour do not count, nor later ones.

        Raises:
            ClickHouseError: When the store fails.
        """
        before = min(max(before_s, 0), _LAST_S) // _HOUR_S * _HOUR_S
        rows = self._engine.arrow(
            _sql.render("outcomes_load", database=self._engine.address.database),
            {
                "tenant": tenant,
                "since": max(before - self._window_s, 0),
                "before": before,
                "most": _MOST,
            },
        )
        return PastOutcomes(
            {
                (row["kind"], row["model"]): Outcomes(
                    agents=row["agents"], failures=row["failures"]
                )
                for row in rows.to_pylist()
            }
        )
