"""What a call costs: list prices by model, date and tier, and the user's own.

Prices come from `genai-prices <https://pypi.org/project/genai-prices/>`_, which is
asked once per model, half hour (some prices depend on the time of day) and tier;
calls are then priced as arrays. A model without a price has none: NaN, never 0.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import genai_prices
import numpy as np
from genai_prices import Usage, calc_price
from genai_prices.types import TieredPrices
from numpy.typing import NDArray

from fleetspan_collector._errors import UsageError

Floats = NDArray[np.float64]

KINDS: Final = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""The kinds of tokens that have a price, in the order of a rate vector."""

_PROBE: Final = 1_000_000
_WINDOW_S: Final = 1800
_MAX_MODELS: Final = 4096
_FREE: Final = 0.0

_PROVIDERS: Final = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}
"""``gen_ai.provider.name`` where genai-prices has another word for it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one model at one time.

    Attributes:
        starts: Total input tokens above which each further tier holds, ascending.
        usd_per_token: One row per tier (the first holds from 0), columns as `KINDS`.
    """

    starts: Floats
    usd_per_token: Floats


class PriceBook:
    """Prices calls, and says by which table.

    Args:
        overrides: The user's own prices by model: US dollars per million tokens, by
            the names in `KINDS`.

    Attributes:
        version: Names the tables that the prices come from; stored with each cost.
    """

    def __init__(self, overrides: Mapping[str, Mapping[str, float]] | None = None):
        self._overrides = {model: dict(p) for model, p in (overrides or {}).items()}
        self.version = f"genai-prices {genai_prices.__version__}"
        if self._overrides:
            text = repr(
                sorted((m, sorted(p.items())) for m, p in self._overrides.items())
            )
            digest = hashlib.sha256(text.encode()).hexdigest()[:8]
            self.version += f" + own {digest}"

    @classmethod
    def load(cls, path: Path | None) -> PriceBook:
        """Read the user's price file; without one, list prices alone.

        Args:
            path: A TOML file with one table per model:
                ``[models."my-model"]``, then ``input = 1.5`` and so on, in US dollars
                per million tokens.

        Raises:
            UsageError: When the file cannot be read or holds anything else.
        """
        if path is None:
            return cls()
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            models = document["models"]
            for model, prices in models.items():
                for kind, usd in prices.items():
                    if (
                        kind not in KINDS
                        or type(usd) not in (int, float)
                        or not 0 <= usd < math.inf
                    ):
                        raise ValueError(f"models.{model}.{kind} = {usd!r}")
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise UsageError(
                f"the price file {path} cannot be used",
                because=f"{error}; expected [models.NAME] with {', '.join(KINDS)} in"
                " US dollars per million tokens",
                suggestion="fleetspan config show --origin",
            ) from error
        return cls(models)

    def cost_usd(
        self,
        providers: list[str],
        models: list[str],
        started_s: NDArray[np.int64],
        tokens: Floats,
    ) -> Floats:
        """Price calls.

        Args:
            providers: ``gen_ai.provider.name`` of each call, ``""`` when unknown.
            models: Model of each call, ``""`` when unknown.
            started_s: Unix time of each call in seconds.
            tokens: One row per call, columns as `KINDS` (input without cache).

        Returns:
            US dollars per call; NaN where the model has no price.
        """
        costs = np.full(len(models), np.nan)
        for (provider, model, window), rows in _grouped(providers, models, started_s):
            rates = self._rates(provider, model, window)
            if rates is None:
                continue
            mine = tokens[rows]
            tier = np.searchsorted(rates.starts, mine[:, :4].sum(axis=1), side="left")
            costs[rows] = (rates.usd_per_token[tier] * mine).sum(axis=1)
        return costs

    def _rates(self, provider: str, model: str, window: int) -> Rates | None:
        if own := self._overrides.get(model):
            row = [own.get(kind, _fallback(own, kind)) / 1e6 for kind in KINDS]
            return Rates(np.empty(0), np.array([row]))
        return _list_rates(provider, model, window)


def _fallback(own: Mapping[str, float], kind: str) -> float:
    """A kind of input without a price of its own costs what input costs."""
    return _FREE if kind == "output" else own.get("input", _FREE)


def _grouped(
    providers: list[str], models: list[str], started_s: NDArray[np.int64]
) -> Iterator[tuple[tuple[str, str, int], list[int]]]:
    windows = (started_s // _WINDOW_S).tolist()
    groups: dict[tuple[str, str, int], list[int]] = {}
    for row, key in enumerate(zip(providers, models, windows, strict=True)):
        if key[1]:
            groups.setdefault(key, []).append(row)
    yield from groups.items()


@lru_cache(maxsize=_MAX_MODELS)
def _list_rates(provider: str, model: str, window: int) -> Rates | None:
    """Rates from the public table; None when it does not know the model."""
    when = datetime.fromtimestamp(window * _WINDOW_S, UTC)
    for candidate in dict.fromkeys((_PROVIDERS.get(provider, provider) or None, None)):
        try:
            return _probe(candidate, model, when)
        except LookupError:
            continue
    return None


def _probe(provider: str | None, model: str, when: datetime) -> Rates:
    def usd(**tokens: int) -> float:
        usage = Usage(**tokens)
        answer = calc_price(
            usage, model, provider_id=provider, genai_request_timestamp=when
        )
        return float(answer.total_price)

    listed = calc_price(
        Usage(input_tokens=1), model, provider_id=provider, genai_request_timestamp=when
    ).model_price
    starts = sorted(
        {
            tier.start
            for price in vars(listed).values()
            if isinstance(price, TieredPrices)
            for tier in price.tiers
        }
    )
    rows = []
    for start in [0, *starts]:
        # A price holds for totals above its start, so probe just above it.
        total = start + 1 if start else 1
        plain = usd(input_tokens=total)
        rows.append(
            [
                plain / total,
                usd(input_tokens=total, cache_read_tokens=total) / total,
                usd(
                    input_tokens=total,
                    cache_write_tokens=total,
                    cache_write_5m_tokens=total,
                )
                / total,
                usd(
                    input_tokens=total,
                    cache_write_tokens=total,
                    cache_write_1h_tokens=total,
                )
                / total,
                (usd(input_tokens=total, output_tokens=_PROBE) - plain) / _PROBE,
            ]
        )
    return Rates(np.array(starts, dtype=np.float64), np.array(rows))
