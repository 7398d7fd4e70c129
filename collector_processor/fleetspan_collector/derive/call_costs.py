"""Rows of llm calls with what they cost: the one rule for deriving and for repricing.

Both price from the columns of ``canonical_llm_calls`` alone, so that a stored call can be
priced again long after what it was derived from has expired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetspan_collector.derive.prices import KINDS, Booleans, Floats, PriceBook

UNKNOWABLE: Final = "unknown"
"""``PriceVersion`` of a call whose cost nobody can tell, whatever prices there are."""

UNPRICED: Final = ""
"""``PriceVersion`` of a call whose model, or tier, has no price."""

TOKEN_COLUMNS: Final = (
    "InputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "CacheWrite5mTokens",
    "CacheWrite1hTokens",
    "OutputTokens",
)

Column: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True, slots=True)
class CallCosts:
    """What calls cost.

    Attributes:
        usd: ``CostUsd``, NaN where it is not known.
        versions: ``PriceVersion``.
    """

    usd: Floats
    versions: NDArray[np.object_]

    @property
    def cost_column(self) -> pa.Array:
        """``CostUsd`` with nulls."""
        return pa.array(self.usd, type=pa.float64(), from_pandas=True)

    @property
    def version_column(self) -> pa.Array:
        """``PriceVersion``."""
        return pa.array(self.versions, type=pa.string())

    @property
    def fingerprint(self) -> NDArray[np.uint64]:
        """Numbers that stand for the costs and their versions.

        XORed into the fingerprint of a row's other content: so it can be taken out
        again, and another cost put in, by one who no longer knows that content.
        """
        words = {version: _number(version) for version in set(self.versions.tolist())}
        of_version = np.array(
            [words[version] for version in self.versions.tolist()], dtype=np.uint64
        )
        # One and the same NaN, whatever the sign or the payload that it came with.
        bits = np.where(np.isnan(self.usd), np.nan, self.usd).view(np.uint64)
        return _scrambled(bits ^ _scrambled(of_version))


def price_calls(
    prices: PriceBook,
    calls: Mapping[str, Column] | pa.Table,
    *,
    cost_unknown: Booleans | None = None,
) -> CallCosts:
    """Price calls.

    Args:
        prices: The prices.
        calls: ``Provider``, ``Model``, ``StartTime`` and the `TOKEN_COLUMNS` as in
            ``canonical_llm_calls``; ``ServiceTier`` and ``WebSearches``, if known.
        cost_unknown: Calls whose cost nobody can tell. Calls without usage are among
            them anyway.
    """
    names = calls.column_names if isinstance(calls, pa.Table) else calls.keys()
    unusable = _without_usage(calls)
    if cost_unknown is not None:
        unusable |= cost_unknown
    tiers = _strings(calls["ServiceTier"]) if "ServiceTier" in names else None
    searches = _floats(calls["WebSearches"]) if "WebSearches" in names else None
    usd = prices.cost_usd(
        _strings(calls["Provider"]),
        _strings(calls["Model"]),
        _nanoseconds(calls["StartTime"]) // 1_000_000_000,
        priced_tokens(calls),
        service_tiers=tiers,
        cost_unknown=unusable,
        web_searches=searches,
    )
    unpriced = np.where(unusable, UNKNOWABLE, UNPRICED)
    versions = np.where(np.isnan(usd), unpriced, prices.version).astype(object)
    return CallCosts(usd, versions)


def stored_costs(calls: pa.Table) -> CallCosts:
    """Return what rows of ``canonical_llm_calls`` say that they cost."""
    usd = np.where(_nulls(calls["CostUsd"]), np.nan, _floats(calls["CostUsd"]))
    return CallCosts(usd, np.array(_strings(calls["PriceVersion"]), dtype=object))


def priced_tokens(calls: Mapping[str, Column] | pa.Table) -> Floats:
    """Return tokens by the kinds that have a price, one row per call.

    Cache writes of unknown lifetime count as written for 5 minutes.
    """
    known = {name: _floats(calls[name]) for name in TOKEN_COLUMNS}
    hour = known["CacheWrite1hTokens"]
    by_kind = {
        "input": known["InputTokens"],
        "cache_read": known["CacheReadTokens"],
        "cache_write_5m": np.maximum(known["CacheWriteTokens"] - hour, 0),
        "cache_write_1h": hour,
        "output": known["OutputTokens"],
    }
    return np.column_stack([by_kind[kind] for kind in KINDS])


def lifetime_unknown(
    calls: Mapping[str, Column] | pa.Table, of_claude_code: Booleans
) -> Booleans:
    """Calls whose cache writes have a price that their feed cannot tell.

    Claude Code writes for 5 minutes and for an hour, and some of its feeds do not say
    which; elsewhere 5 minutes are the default that a program has to leave on purpose.
    """
    written = _floats(calls["CacheWriteTokens"]) > 0
    return of_claude_code & written & _nulls(calls["CacheWrite1hTokens"])


def _without_usage(calls: Mapping[str, Column] | pa.Table) -> Booleans:
    """Calls of which neither input nor output is known."""
    return _nulls(calls["InputTokens"]) & _nulls(calls["OutputTokens"])


def _nulls(column: Column) -> Booleans:
    return np.asarray(pc.is_null(column), dtype=bool)


def _floats(column: Column) -> Floats:
    """Numbers, 0 for unknown."""
    return np.asarray(pc.fill_null(column.cast(pa.float64()), 0), dtype=np.float64)


def _strings(column: Column) -> list[str]:
    texts: list[str] = column.cast(pa.string()).to_pylist()
    return texts


def _nanoseconds(column: Column) -> NDArray[np.int64]:
    numbers = np.asarray(column.cast(pa.timestamp("ns")).cast(pa.int64()))
    return numbers.astype(np.int64, copy=False)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _scrambled(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all others (splitmix64's finisher)."""
    with np.errstate(over="ignore"):
        state = numbers + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))
