"""What a call costs: list prices by model, date and tier, and the user's own.

A model, a tier or a mode without a price has none: NaN, never 0, and never the price of
something else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._errors import UsageError
from fleetspan_collector.derive._list_prices import VERSION, WINDOW_S, list_rates
from fleetspan_collector.derive._own_prices import EXPECTED, OwnPrices
from fleetspan_collector.derive._rates import KINDS, Floats, Rates
from fleetspan_collector.derive.service_tiers import words_of

__all__ = ["KINDS", "Floats", "PriceBook", "Rates"]

Booleans = NDArray[np.bool_]


class PriceBook:
    """Prices calls, and says by which table.

    Args:
        overrides: The user's own prices by model, as `_own_prices` describes them:
            US dollars per million tokens, by the names in `KINDS`, and more.

    Attributes:
        version: Names the tables that the prices come from; stored with each cost.

    Raises:
        ValueError: When the user's own prices are not as described.
    """

    def __init__(self, overrides: Mapping[str, Mapping[str, Any]] | None = None):
        self._own = OwnPrices(overrides or {})
        self.version = VERSION
        if self._own.digest:
            self.version += f" + own {self._own.digest}"

    @classmethod
    def load(cls, path: Path | None) -> PriceBook:
        """Read the user's price file; without one, list prices alone.

        Args:
            path: A TOML file with one table per model; see `_own_prices`.

        Raises:
            UsageError: When the file cannot be read or holds anything else.
        """
        if path is None:
            return cls()
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls(document["models"])
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"the price file {path} cannot be used",
                because=f"{error}; expected {EXPECTED}",
                suggestion="fleetspan config show --origin",
            ) from error

    def cost_usd(
        self,
        providers: Sequence[str],
        models: Sequence[str],
        started_s: NDArray[np.int64],
        tokens: Floats,
        *,
        service_tiers: Sequence[str] | None = None,
        cost_unknown: Booleans | None = None,
        web_searches: Floats | None = None,
    ) -> Floats:
        """Price calls.

        Args:
            providers: ``gen_ai.provider.name`` of each call, ``""`` when unknown.
            models: Model of each call, ``""`` when unknown.
            started_s: Unix time of each call in seconds.
            tokens: One row per call, columns as `KINDS` (input without cache).
            service_tiers: How each call was processed, in the provider's own words
                (`service_tiers`), ``""`` for the standard price; all standard when
                None.
            cost_unknown: Calls whose cost nobody can tell, whatever the tokens say.
            web_searches: How many searches the provider made during each call.

        Returns:
            US dollars per call; NaN where the model, the tier or something else that was
            used has no price.
        """
        tiers = [""] * len(models) if service_tiers is None else service_tiers
        costs = np.full(len(models), np.nan)
        for (provider, model, window, words), rows in _grouped(
            providers, models, started_s, tiers
        ):
            rates = self._rates(provider, model, window, words)
            if rates is not None:
                searches = None if web_searches is None else web_searches[rows]
                costs[rows] = rates.cost_usd(tokens[rows], searches)
        return costs if cost_unknown is None else np.where(cost_unknown, np.nan, costs)

    def _rates(
        self, provider: str, model: str, window: int, words: tuple[str, ...]
    ) -> Rates | None:
        if self._own.holds(model, window * WINDOW_S):
            return self._own.rates(model, window * WINDOW_S, words)
        return list_rates(provider, model, window, words)


_Group = tuple[str, str, int, tuple[str, ...]]


def _grouped(
    providers: Sequence[str],
    models: Sequence[str],
    started_s: NDArray[np.int64],
    service_tiers: Sequence[str],
) -> Iterator[tuple[_Group, list[int]]]:
    """Yield provider, model, time and words, and the calls that share them."""
    windows = (started_s // WINDOW_S).tolist()
    groups: dict[_Group, list[int]] = {}
    rows = zip(providers, models, windows, service_tiers, strict=True)
    for row, (provider, model, window, tier) in enumerate(rows):
        if model:
            key = (provider, model, window, words_of(tier))
            groups.setdefault(key, []).append(row)
    yield from groups.items()
