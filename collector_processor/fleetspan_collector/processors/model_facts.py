"""What is known of a model: its context window, its smallest sibling, what tokens cost.

Windows and names come from `genai-prices <https://pypi.org/project/genai-prices/>`_,
costs from the run's own price book, so that a user's own prices hold.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import numpy as np
from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, Provider

from fleetspan_collector.derive.prices import Floats
from fleetspan_collector.processors.run import Indexes, Run

_MOST_MODELS: Final = 4096

_FAMILIES: Final = (
    (
        re.compile(
            r"claude-(?P<tier>haiku|sonnet|opus)-(?P<version>\d+(?:-\d{1,2})?)"
            r"(?:-\d{8}|-latest)?"
        ),
        ("haiku", "sonnet", "opus"),
    ),
    (
        re.compile(
            r"claude-(?P<version>\d+(?:-\d{1,2})?)-(?P<tier>haiku|sonnet|opus)"
            r"(?:-\d{8}|-latest)?"
        ),
        ("haiku", "sonnet", "opus"),
    ),
    (
        re.compile(
            r"gemini-(?P<version>\d+(?:\.\d+)?)-(?P<tier>flash|pro)"
            r"(?:-preview)?"
        ),
        ("flash", "pro"),
    ),
    (
        re.compile(
            r"gpt-(?P<version>\d+(?:\.\d+)?)(?:-(?P<tier>mini|pro))?"
            r"(?:-\d{4}-\d\d-\d\d)?"
        ),
        ("mini", "", "pro"),
    ),
)
"""How makers name the models of a family, and its tiers, weakest first.

Tiers that are too weak for agents with tools (nano, flash-lite) are left out.
"""


@lru_cache(maxsize=_MOST_MODELS)
def context_window(provider: str, model: str) -> int | None:
    """The most input tokens that a model takes; None when that is not known.

    Args:
        provider: ``gen_ai.provider.name``, ``""`` when unknown.
        model: Name of the model.
    """
    found = _found(provider, model)
    return found[1].context_window if found else None


@lru_cache(maxsize=_MOST_MODELS)
def small_sibling(provider: str, model: str) -> str | None:
    """The smallest model of the same family, of the nearest version.

    Args:
        provider: ``gen_ai.provider.name``, ``""`` when unknown.
        model: Name of the model.

    Returns:
        The model itself when it is a smallest one; None for families that are not known
        here.
    """
    mine = _kind_of(model.rpartition("/")[2])
    found = _found(provider, model)
    if mine is None or found is None:
        return None
    if mine[1] == 0:
        return model
    tiers, _, version = mine
    candidates = []
    for each in found[0].models:
        kind = _kind_of(each.id)
        if kind and kind[:2] == (tiers, 0) and not each.deprecated:
            distance = abs(kind[2] - version)
            candidates.append((distance, -kind[2], len(each.id), each.id))
    return min(candidates)[3] if candidates else None


def cost_of(
    run: Run, calls: Indexes, tokens: Floats, *, models: list[str] | None = None
) -> Floats:
    """What calls would cost with other tokens, or by other models, in US dollars.

    Args:
        run: The run.
        calls: Rows of ``run.llm_calls``.
        tokens: One row per call, columns as `prices.KINDS`.
        models: Other models, by call.

    Returns:
        One per call; NaN where there is no price.
    """
    columns = run.llm_calls
    providers = columns.strings("Provider")[calls].tolist()
    return run.context.prices.cost_usd(
        providers,
        models or columns.strings("Model")[calls].tolist(),
        columns.nanoseconds("StartTime")[calls] // 1_000_000_000,
        tokens,
        service_tiers=columns.strings("ServiceTier")[calls].tolist(),
    )


def saved_usd(run: Run, calls: Indexes, before: Floats, after: Floats) -> Floats:
    """What each call would have cost less with other tokens, in US dollars.

    In proportion to what it has cost, should that be known and not be the list price.

    Args:
        run: The run.
        calls: Rows of ``run.llm_calls``.
        before: Tokens that were billed, one row per call, columns as `prices.KINDS`.
        after: Tokens that would have been.
    """
    was = cost_of(run, calls, before)
    would = cost_of(run, calls, after)
    stated = run.llm_calls.floats("CostUsd")[calls]
    factor = np.ones(len(was))
    usable = (was > 0) & (stated > 0)
    factor[usable] = stated[usable] / was[usable]
    return (was - would) * factor


def _found(provider: str, model: str) -> tuple[Provider, ModelInfo] | None:
    snapshot = data_snapshot.get_snapshot()
    before, _, after = model.rpartition("/")
    for candidate, name in ((provider, model), (None, model), (before, after)):
        try:
            return snapshot.find_provider_model(name, None, candidate or None, None)
        except LookupError:
            continue
    return None


def _kind_of(model: str) -> tuple[tuple[str, ...], int, float] | None:
    """Tiers of the family, which of them it is, and its version."""
    for pattern, tiers in _FAMILIES:
        match = pattern.fullmatch(model)
        if match:
            version = float(match["version"].replace("-", "."))
            return tiers, tiers.index(match["tier"] or ""), version
    return None
