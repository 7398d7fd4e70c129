"""Context growth: an agent drags an ever longer conversation through all its calls.

**Rule.** The input of one agent's calls (fresh, read from a cache and written to one) has
grown to ``detect_context_growth_tokens``, or to ``detect_context_growth_window_share`` of
what its model takes where that is less, and to at least twice what it began with, not
by one step for the most part (that would be an oversized output); and to hold it at
``detect_context_growth_level_tokens`` (less in proportion for small windows) would have saved at least
``detect_context_growth_usd`` and ``detect_context_growth_share`` of what its calls cost.

**Source.** Of 500 public runs 3.8 % went beyond 50,000 tokens, and more than twice as many
of those failed as of the others (the longest input is the best single sign of failure that
was found in them, AUC 0.71).

**Evidence.** The calls beyond the level.

**Saving.** The calls are billed again with no more input than the level; what is left out
is taken from what they read from a cache first, as it is from the middle of the
conversation. The level is twice what the agent began with, should that be more. What it
costs to sum up is not counted. No seconds.

**False alarms.** At most 5 % of healthy runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors._billing import OLDEST_FIRST, without
from fleetspan_collector.processors.detectors._conversation import (
    Floats,
    conversations_of,
    tokens_of,
)
from fleetspan_collector.processors.detectors._severity import by_cost
from fleetspan_collector.processors.detectors._wording import agent_name, count_of
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.model_facts import context_window, saved_usd
from fleetspan_collector.processors.run import NONE, Indexes, Run

_GROWN: Final = 2.0
_ONE_STEP: Final = 0.5


class ContextGrowth:
    """Finds agents whose context grew and cost; see the module.

    Args:
        settings: Thresholds.
    """

    name = "context_growth"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._tokens = settings.detect_context_growth_tokens
        self._window_share = settings.detect_context_growth_window_share
        self._level = settings.detect_context_growth_level_tokens
        self._usd = settings.detect_context_growth_usd
        self._share = settings.detect_context_growth_share

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        whole, agent = tokens_of(run).whole, run.tree.call_agent
        rows = np.flatnonzero((whole >= self._least_limit(run)) & (agent != NONE))
        if not len(rows):
            return
        for each in np.unique(agent[rows]).tolist():
            calls = conversations_of(run).of_agent(each)
            finding = self._of_agent(run, each, calls[whole[calls] > 0])
            if finding:
                yield finding

    def _of_agent(self, run: Run, agent: int, calls: Indexes) -> Finding | None:
        whole = tokens_of(run).whole[calls]
        largest = int(np.argmax(whole))
        limit = self._limit(
            run.llm_calls.strings("Provider")[calls[largest]],
            run.llm_calls.strings("Model")[calls[largest]],
        )
        if whole[largest] < max(limit, _GROWN * whole[0]):
            return None
        if np.diff(whole).max() > _ONE_STEP * (whole[largest] - whole[0]):
            return None
        level = max(self._level * limit / self._tokens, _GROWN * whole[0])
        billed = tokens_of(run).by_price(calls)
        after = without(billed, np.maximum(whole - level, 0), OLDEST_FIRST)
        saved = saved_usd(run, calls, billed, after)
        cost = float(np.nansum(run.llm_calls.floats("CostUsd")[calls]))
        beyond = calls[whole > level]
        if np.isnan(saved).all():
            share = float(np.maximum(whole - level, 0).sum() / whole.sum())
            usd = None
        else:
            usd = float(np.nansum(saved))
            share = usd / cost if cost > 0 else 0.0
        if share < self._share or (usd is not None and usd < self._usd):
            return None
        return _finding(run, agent, beyond, whole, level, share, usd)

    def _least_limit(self, run: Run) -> float:
        """Tokens below which no call of the run is too large."""
        providers = run.llm_calls.strings("Provider").tolist()
        models = set(
            zip(providers, run.llm_calls.strings("Model").tolist(), strict=True)
        )
        return min((self._limit(*model) for model in models), default=self._tokens)

    def _limit(self, provider: str, model: str) -> float:
        """Tokens from which on a call of a model is too large."""
        window = context_window(provider, model)
        if window is None:
            return self._tokens
        return min(self._tokens, self._window_share * window)


def _finding(
    run: Run,
    agent: int,
    beyond: Indexes,
    whole: Floats,
    level: float,
    share: float,
    usd: float | None,
) -> Finding:
    name = agent_name(run, agent)
    of_what = "its cost" if usd is not None else "all its input"
    return Finding(
        location=run.agents.strings("AgentId")[agent],
        severity=by_cost(run, usd, share),
        what=f"The context of {name} grew from {whole[0]:,.0f} to {whole.max():,.0f} "
        f"tokens; what lay beyond {level:,.0f} in {count_of(len(beyond), 'call')} was "
        f"{share:.0%} of {of_what}.",
        advice=f"Sum the conversation up, or clear old tool results, at {level:,.0f} "
        "tokens; give side tasks to sub-agents, which return only what they found.",
        agents=(agent,),
        calls=tuple(beyond.tolist()),
        seconds=0.0,
        usd=usd,
        details={
            "first_tokens": int(whole[0]),
            "most_tokens": int(whole.max()),
            "held_at_tokens": int(level),
            "calls_beyond": len(beyond),
            "share": round(share, 4),
        },
    )
