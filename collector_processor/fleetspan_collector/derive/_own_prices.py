"""Prices of a user's own file, which go before the public table.

A table for each model, in US dollars per million tokens::

    [models."house-model"]            # as little as this will do
    input = 3
    output = 15
    usd_per_web_search = 0.01         # of searches that the provider makes
    us_factor = 1.1                   # surcharge for inference in the US alone

    [[models."house-model".tiers]]    # above so many input tokens, for the whole call
    start = 200_000
    input = 6
    output = 22.5

    [models."house-model".batch]      # also fast, flex, priority, or any other word
    input = 1.5
    output = 7.5

    [[models."house-model".dated]]    # from that day (UTC) on, in place of all above
    valid_from = 2026-11-01
    input = 2
    output = 10

A kind of input that is left out costs what input costs; output that is left out costs
nothing. A mode that is left out has no price. A model with dated prices alone costs what
the public table says before the first of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np

from fleetspan_collector.derive._rates import KINDS, Rates
from fleetspan_collector.derive.service_tiers import US, words_of

_FOREVER: Final = -math.inf
_TIERS: Final = "tiers"
_DATED: Final = "dated"
_US_FACTOR: Final = "us_factor"
_SEARCH: Final = "usd_per_web_search"

EXPECTED: Final = (
    f"[models.NAME] with {', '.join(KINDS)} in US dollars per million tokens;"
    " tiers (start, …), batch, fast, flex, priority, us_factor, usd_per_web_search, dated (valid_from, …)"
)
"""What a price file may hold, in a line."""


@dataclass(frozen=True, slots=True)
class _PriceList:
    """Prices of one model from a time on.

    Attributes:
        starts_s: Unix time from which it holds.
        by_words: Rates by how calls were processed; the standard ones under ``()``.
        us_factor: Surcharge for inference in the US alone; NaN when unknown.
    """

    starts_s: float
    by_words: Mapping[tuple[str, ...], Rates]
    us_factor: float


class OwnPrices:
    """The models of a price file.

    Args:
        models: The table ``models`` of the file.

    Attributes:
        digest: Names these prices; empty when there are none.

    Raises:
        ValueError: When something in it is not as the module's text says.
    """

    def __init__(self, models: Mapping[str, Mapping[str, Any]]) -> None:
        if not isinstance(models, Mapping):
            raise ValueError(f"models = {models!r}")  # noqa: TRY004 - a file's mistake
        self._lists = {
            name: _price_lists(name, table) for name, table in models.items()
        }
        self.digest = ""
        if models:
            text = json.dumps(models, sort_keys=True, default=str)
            self.digest = hashlib.sha256(text.encode()).hexdigest()[:8]

    def holds(self, model: str, at_s: float) -> bool:
        """Whether these prices, and not the public ones, are for a model at a time."""
        return self._list(model, at_s) is not None

    def rates(self, model: str, at_s: float, words: tuple[str, ...]) -> Rates | None:
        """Return the prices of a model; None when calls processed so have none."""
        prices = self._list(model, at_s)
        if prices is None:
            return None
        rates = prices.by_words.get(tuple(word for word in words if word != US))
        if rates is None or US not in words:
            return rates
        return None if math.isnan(prices.us_factor) else rates.times(prices.us_factor)

    def _list(self, model: str, at_s: float) -> _PriceList | None:
        holding = None
        for each in self._lists.get(model, ()):
            if each.starts_s <= at_s:
                holding = each
        return holding


def _price_lists(name: str, table: Mapping[str, Any]) -> list[_PriceList]:
    """Return a model's price lists, in the order of the days from which they hold."""
    if not isinstance(table, Mapping):
        raise _wrong(name, table)
    dated = table.get(_DATED, [])
    if not isinstance(dated, list):
        raise _wrong(f"{name}.{_DATED}", dated)
    rest = {key: value for key, value in table.items() if key != _DATED}
    lists = [_price_list(name, _FOREVER, rest)] if rest or not dated else []
    for entry in dated:
        where = f"{name}.{_DATED}"
        if not isinstance(entry, Mapping):
            raise _wrong(where, entry)
        prices = dict(entry)
        day = prices.pop("valid_from", None)
        # A time with a zone would be a datetime, which is a date too.
        if type(day) is not date:
            raise _wrong(f"{where}.valid_from", day)
        starts = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        lists.append(_price_list(where, starts, prices))
    return sorted(lists, key=lambda each: each.starts_s)


def _price_list(where: str, starts_s: float, table: Mapping[str, Any]) -> _PriceList:
    prices = dict(table)
    factor = _optional(where, prices, _US_FACTOR)
    search = _optional(where, prices, _SEARCH)
    modes = {
        key: prices.pop(key) for key in list(prices) if key not in (*KINDS, _TIERS)
    }
    by_words: dict[tuple[str, ...], Rates] = {(): _rates(where, prices, search)}
    for mode, own in modes.items():
        words = words_of(mode)
        if not isinstance(own, Mapping) or not words or US in words:
            raise _wrong(f"{where}.{mode}", own)
        by_words[words] = _rates(f"{where}.{mode}", own, search)
    return _PriceList(starts_s, by_words, factor)


def _optional(where: str, prices: dict[str, Any], name: str) -> float:
    """Take a number out of a table; NaN when it is not there."""
    value = prices.pop(name, None)
    if value is None:
        return math.nan
    if not _is_amount(value):
        raise _wrong(f"{where}.{name}", value)
    return float(value)


def _rates(where: str, table: Mapping[str, Any], usd_per_web_search: float) -> Rates:
    tiers = table.get(_TIERS, [])
    if not isinstance(tiers, list):
        raise _wrong(f"{where}.{_TIERS}", tiers)
    rows = [_row(where, {k: v for k, v in table.items() if k != _TIERS})]
    starts: list[float] = []
    for tier in tiers:
        if not isinstance(tier, Mapping):
            raise _wrong(f"{where}.{_TIERS}", tier)
        prices = dict(tier)
        start = prices.pop("start", None)
        after = starts[-1] if starts else 0
        if type(start) is not int or start <= after:
            raise _wrong(f"{where}.{_TIERS}.start", start)
        starts.append(start)
        rows.append(_row(f"{where}.{_TIERS}", prices))
    return Rates(
        np.array(starts, dtype=np.float64),
        np.array(rows) / 1e6,
        usd_per_web_search=usd_per_web_search,
    )


def _row(where: str, prices: Mapping[str, Any]) -> list[float]:
    for kind, usd in prices.items():
        if kind not in KINDS or not _is_amount(usd):
            raise _wrong(f"{where}.{kind}", usd)
    plain = prices.get("input", 0.0)
    return [
        float(prices.get(kind, 0.0 if kind == "output" else plain)) for kind in KINDS
    ]


def _is_amount(value: object) -> bool:
    """Whether it is a number of US dollars; true is none, nor is nan."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value < math.inf


def _wrong(where: str, value: object) -> ValueError:
    return ValueError(f"models.{where} = {value!r}")
