"""Whether old outputs are evicted now, and which: only when it saves money, net.

Evicting changes the context from the first evicted output on, so that everything after it
is written into the cache again instead of read. With prices as shares of the input price
(``read``, ``write``), ``removed`` tokens evicted and ``after`` cached tokens left after the
first of them::

    loss now        = (write - read) * after - read * removed
    gain per call   = read * removed

So it waits until there is much to remove and little after it, and evicts all of it at once.
Two things are asked of it. That it pays: the gain over the calls that are expected is more
than the loss and what recalls will probably cost, by a margin. And that it cannot hurt: the loss is no
more than what has been saved so far, should the next call be the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fleetspan_routing.context.ledger import input_usd, output_usd
from fleetspan_routing.context.settings import Prices, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One message, as far as evicting is concerned.

    Attributes:
        tokens: As it is sent.
        stub: As it would be sent once evicted; None when it may not be.
        cached: Whether the provider has it in its cache.
    """

    tokens: float
    stub: float | None
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Eviction:
    """What to evict, and why.

    Attributes:
        messages: Indexes, ascending.
        removed_tokens: What the next call has less.
        loss_usd: What the next call costs more than without it; negative when less.
        gain_usd: What is expected in the end, net.
        forced: Whether only the context window asked for it.
    """

    messages: Sequence[int]
    removed_tokens: float
    loss_usd: float
    gain_usd: float
    forced: bool = False


def choose(
    sizes: Sequence[Size],
    *,
    prices: Prices,
    settings: Settings,
    remaining: float,
    saved_usd: float,
) -> Eviction | None:
    """Return what to evict before the next call, or None.

    Args:
        sizes: All messages of the next call.
        prices: Of the model.
        settings: How much has to be at stake, and may be.
        remaining: Calls expected after the next one.
        saved_usd: What was saved until now, the next call as it stands included.
    """
    total = sum(size.tokens for size in sizes)
    window = settings.window_tokens
    found = list(_blocks(sizes, total, prices, settings, remaining))
    best = max(
        (
            block
            for block in found
            if block.removed_tokens >= settings.least_evicted_tokens
            and block.gain_usd > settings.margin * max(block.loss_usd, 0.0)
            and block.loss_usd <= settings.stake * max(saved_usd, 0.0)
        ),
        key=lambda block: block.gain_usd,
        default=None,
    )
    if best is None and window and found and total > settings.window_share * window:
        return replace(found[-1], forced=True)
    return best


def _blocks(
    sizes: Sequence[Size],
    total: float,
    prices: Prices,
    settings: Settings,
    remaining: float,
) -> Iterator[Eviction]:
    """Yield what may be evicted: the latest message, it and the one before, and so on."""
    messages: list[int] = []
    removed = fresh = after = 0.0
    for at in range(len(sizes) - 1, -1, -1):
        size = sizes[at]
        stays = size.tokens if size.stub is None else size.stub
        after += stays if size.cached else 0.0
        if size.stub is None:
            continue
        messages.append(at)
        removed += size.tokens - size.stub
        fresh += 0.0 if size.cached else size.tokens - size.stub
        loss = _loss(after, removed - fresh, fresh, prices)
        later = remaining * input_usd(prices, fresh=0.0, cached=removed)
        risk = len(messages) * recall_risk(
            total - removed, removed / len(messages), remaining, prices, settings
        )
        yield Eviction(
            messages=messages[::-1],
            removed_tokens=removed,
            loss_usd=loss,
            gain_usd=later - loss - risk,
        )


def _loss(after: float, cached: float, fresh: float, prices: Prices) -> float:
    """Return what the next call costs more, US dollars."""
    rewritten = input_usd(prices, fresh=after, cached=0.0) - input_usd(
        prices, fresh=0.0, cached=after
    )
    return rewritten - input_usd(prices, fresh=fresh, cached=cached)


def recall_risk(
    context: float,
    removed: float,
    remaining: float,
    prices: Prices,
    settings: Settings,
) -> float:
    """Return what is to be expected of one message's recall, US dollars.

    A recall takes a model call that reads the whole context, and puts the text back for
    the rest of the run.

    Args:
        context: Tokens of a call.
        removed: Tokens that would come back.
        remaining: Calls that would have them.
        prices: Of the model.
        settings: How likely it is, and how much a model writes for it.
    """
    asking = input_usd(prices, fresh=float(settings.recall_tokens), cached=context)
    asking += output_usd(prices, settings.recall_tokens)
    back = input_usd(prices, fresh=removed, cached=removed * remaining)
    return settings.recall_rate * (asking + back)
