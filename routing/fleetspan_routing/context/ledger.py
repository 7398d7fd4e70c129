"""What the context takes, with the optimiser and without: tokens and cost, always both.

Both are counted as with an ideal prefix cache: what a call has in common with the call
before, from its beginning, is read from the cache, unless the cache has forgotten it; the
rest is written at full price.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetspan_routing.context.settings import Prices

_MILLION = 1_000_000


@dataclass(slots=True, kw_only=True)
class Taken:
    """What calls took.

    Attributes:
        input_tokens: All that were sent.
        cached_tokens: Those of them that came from the cache.
        usd: What they cost, US dollars.
    """

    input_tokens: float = 0.0
    cached_tokens: float = 0.0
    usd: float = 0.0

    def add(self, tokens: float, cached: float, prices: Prices) -> None:
        """Count one call."""
        self.input_tokens += tokens
        self.cached_tokens += cached
        self.usd += input_usd(prices, fresh=tokens - cached, cached=cached)


def input_usd(prices: Prices, *, fresh: float, cached: float) -> float:
    """Return what input tokens cost, US dollars."""
    share = prices.cached_write * fresh + prices.cached_read * cached
    return share * prices.input_usd / _MILLION


def output_usd(prices: Prices, tokens: float) -> float:
    """Return what output tokens cost, US dollars."""
    return tokens * prices.output_usd / _MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was saved, and how; input only, and what recalls cost.

    Attributes:
        calls: Model calls, those for recalls too.
        raw_input_tokens: What would have been sent without the optimiser.
        input_tokens: What was sent.
        raw_usd: What that would have cost, US dollars, cache and all.
        usd: What it cost, with the model calls that recalls took.
        cuts: Tool outputs that were cut when they arrived.
        repeats: Tool outputs that were in the context already.
        evictions: How often old outputs were evicted.
        evicted: How many outputs that were.
        recalls: How often something was asked back.
        forced: Evictions that only the context window asked for.
    """

    calls: int
    raw_input_tokens: float
    input_tokens: float
    raw_usd: float
    usd: float
    cuts: int
    repeats: int
    evictions: int
    evicted: int
    recalls: int
    forced: int

    @property
    def saved_usd(self) -> float:
        """US dollars that were saved; below 0 when it was dearer."""
        return self.raw_usd - self.usd

    def __str__(self) -> str:
        tokens = _percent(self.input_tokens, self.raw_input_tokens)
        usd = _percent(self.usd, self.raw_usd)
        return (
            f"{self.calls} calls: {self.input_tokens:,.0f} input tokens ({tokens} of"
            f" {self.raw_input_tokens:,.0f}), ${self.usd:.4f} ({usd} of"
            f" ${self.raw_usd:.4f}, cache counted); {self.cuts} outputs cut,"
            f" {self.repeats} repeats, {self.evicted} evicted in {self.evictions}"
            f" blocks ({self.forced} forced), {self.recalls} recalls"
        )


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "all"


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Counts calls as they are and as they would have been.

    Attributes:
        prices: Of the model.
        raw: Without the optimiser.
        now: With it.
    """

    prices: Prices
    raw: Taken = field(default_factory=Taken)
    now: Taken = field(default_factory=Taken)
    calls: int = 0
    own_calls: int = 0
    cuts: int = 0
    repeats: int = 0
    evictions: int = 0
    evicted: int = 0
    recalls: int = 0
    forced: int = 0

    @property
    def saved_usd(self) -> float:
        """US dollars saved so far."""
        return self.raw.usd - self.now.usd

    def report(self) -> Report:
        """Return where it stands."""
        return Report(
            calls=self.calls,
            raw_input_tokens=self.raw.input_tokens,
            input_tokens=self.now.input_tokens,
            raw_usd=self.raw.usd,
            usd=self.now.usd,
            cuts=self.cuts,
            repeats=self.repeats,
            evictions=self.evictions,
            evicted=self.evicted,
            recalls=self.recalls,
            forced=self.forced,
        )
