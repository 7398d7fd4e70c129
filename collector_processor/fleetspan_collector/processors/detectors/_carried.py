"""What turns that brought nothing have cost the calls after them, which carry them along."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.derive.prices import KINDS
from fleetspan_collector.processors.detectors._billing import OLDEST_FIRST, without
from fleetspan_collector.processors.detectors._conversation import (
    Floats,
    conversations_of,
    tokens_of,
)
from fleetspan_collector.processors.model_facts import saved_usd
from fleetspan_collector.processors.run import NONE, Indexes, Run

SHRUNK: Final = 0.8
"""A conversation whose next input is smaller than this share has been summed up."""

_INPUT: Final = slice(0, KINDS.index("output"))
_FRESH, _READ, _SHORT, _HOUR = (
    KINDS.index(kind)
    for kind in ("input", "cache_read", "cache_write_5m", "cache_write_1h")
)


def carried_usd(run: Run, wasted: Indexes) -> float:
    """What the calls after wasted ones would have cost less without them.

    Where a stretch of calls is wasted, the first one after it would have been given what
    the first one of it was given; those after that carry so many tokens too many, until
    the conversation shrinks.

    Args:
        run: The run.
        wasted: Rows of ``run.llm_calls``.

    Returns:
        US dollars; 0 where nothing is priced.
    """
    total = 0.0
    agents = np.unique(run.tree.call_agent[wasted])
    for agent in agents[agents != NONE].tolist():
        calls = conversations_of(run).of_agent(agent)
        calls = calls[tokens_of(run).whole[calls] > 0]
        total += _of_agent(run, calls, np.isin(calls, wasted))
    return total


def until_shrunk(whole: Floats) -> Indexes:
    """For each call of an agent the place of the first one after it that has shrunk."""
    shrunk = np.zeros(len(whole), dtype=bool)
    shrunk[1:] = whole[1:] < SHRUNK * whole[:-1]
    places = np.append(np.flatnonzero(shrunk), len(whole))
    return places[np.searchsorted(places, np.arange(len(whole)), side="right")]


def _of_agent(run: Run, calls: Indexes, wasted: NDArray[np.bool_]) -> float:
    edges = np.diff(np.concatenate(([False], wasted, [False])).astype(np.int8))
    first, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    whole = tokens_of(run).whole[calls]
    followed = after < len(calls)
    first, after = first[followed], after[followed]
    grown = whole[after] - whole[first]
    carries = grown > 0
    first, after, grown = first[carries], after[carries], grown[carries]
    if not len(first):
        return 0.0
    steps = np.zeros(len(calls) + 1)
    np.add.at(steps, after + 1, grown)
    np.add.at(steps, np.maximum(until_shrunk(whole)[after], after + 1), -grown)
    billed = tokens_of(run).by_price(calls)
    leaner = billed.copy()
    leaner[after] = _as_asked_first(billed[first], billed[after], grown)
    leaner = without(leaner, np.maximum(np.cumsum(steps)[:-1], 0), OLDEST_FIRST)
    kept = ~wasted
    saved = saved_usd(run, calls[kept], billed[kept], leaner[kept])
    return float(np.nansum(saved))


def _as_asked_first(first: Floats, after: Floats, grown: Floats) -> Floats:
    """What a call after a stretch would have been billed in the place of its first one.

    Args:
        first: Tokens of the first calls of stretches, columns as `prices.KINDS`.
        after: Those of the calls after them.
        grown: By how much the input of these is larger.
    """
    whole = first[:, _INPUT].sum(axis=1)
    unread = whole - first[:, _READ]
    unread_after = after[:, _INPUT].sum(axis=1) - after[:, _READ]
    # Where the first one missed the cache and this one did not, the miss was its own.
    missed = (unread > whole / 2) & (unread_after < whole / 2)
    unread = np.maximum(np.where(missed, 0, unread), unread_after - grown)
    unread = np.clip(unread, 0, whole)
    would = after.copy()
    would[:, _READ] = whole - unread
    fresh = would[:, _FRESH] = np.minimum(after[:, _FRESH], unread)
    rest = unread - fresh
    short, hour = after[:, _SHORT] + first[:, _SHORT], after[:, _HOUR] + first[:, _HOUR]
    would[:, _HOUR] = np.where(hour > 0, rest, 0)
    would[:, _SHORT] = np.where((hour <= 0) & (short > 0), rest, 0)
    would[:, _FRESH] += np.where((hour <= 0) & (short <= 0), rest, 0)
    return would
