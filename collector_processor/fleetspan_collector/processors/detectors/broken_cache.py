"""Broken cache: input that a provider had in its cache was paid for in full again.

**Rule.** A call misses when, of the last call before it by the same agent and model that had
more than ``detect_broken_cache_prefix_tokens`` of input, less than half was read from the
cache, although it has at least as much input itself (so that nothing was taken out of the
conversation) and began after that one had ended and within an hour of it. An agent is told
of when what its misses cost is at least ``detect_broken_cache_usd`` and
``detect_broken_cache_share`` of what its calls cost; where nothing is priced, the share is of
input tokens.

A model is only held to this if it caches: a call of it in the run has read from a cache or
written to one; or its provider caches unasked, which is taken from its prices (reading costs
less than input, writing does not cost more), and the calls say that they read nothing. So
Anthropic's models are not told of where nobody asked them to cache, nor are models whose
cache tokens are not told at all. A call that does not tell them, of a model that elsewhere
in the run does, has read none.

**Cause**, the first that fits: ``provider_switch``, the provider is another one (64 % of the
misses of 500 public runs); ``model_switch``, another model was called in between; ``idle``,
the pause was longer than the cache is kept (an hour where the agent writes for an hour, else
5 minutes); else ``prefix_changed``: something near the beginning is not the same each time.

**Source.** 4,000 tokens and half: as the 7.1 % misses, worth 11.6 % of the cost, of those
public runs were counted. Cache lifetimes: the providers' documentation of prompt caching.

**Evidence.** The calls that missed.

**Saving.** The missed tokens at the price of a cache read in place of what they were billed
as; no seconds.

**False alarms.** At most 5 % of runs in which no call missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors._conversation import (
    CallTokens,
    Floats,
    conversations_of,
    ends_of,
    numbered,
    previous_of_same,
    tokens_of,
)
from fleetspan_collector.processors.detectors._severity import by_cost
from fleetspan_collector.processors.detectors._wording import agent_name, count_of
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.model_facts import cost_of, saved_usd
from fleetspan_collector.processors.run import NONE, Indexes, Run

_READ_SHARE: Final = 0.5
_SAME_SIZE: Final = 0.98
"""Providers count the tokens of one text a little differently."""
_ONE_OF_EACH: Final = 1_000.0 * np.eye(3, 5)
"""A thousand tokens of input, as a read, and as a write."""
_SHORT_S: Final = 300.0
_LONG_S: Final = 3600.0

_BECAUSE: Final = {
    "provider_switch": "the provider was another one",
    "model_switch": "another model was called in between",
    "idle": "the pause was longer than a cache is kept",
    "prefix_changed": "something near the beginning had changed",
}
_ADVICE: Final = {
    "provider_switch": "Pin the provider of this model: a cache is not shared between "
    "providers.",
    "model_switch": "Keep one model for one conversation, or give the other model an "
    "agent of its own: each has a cache of its own.",
    "idle": "Write with the one-hour lifetime, or ask again before the cache expires.",
    "prefix_changed": "Keep everything before the newest message the same from call to "
    "call: no times, ids or changing tool lists near the beginning.",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Misses:
    """Calls that missed.

    Attributes:
        calls: Their rows, ascending.
        tokens: For each how many tokens a cache should have had.
        causes: For each why.
    """

    calls: Indexes
    tokens: Floats
    causes: list[str]


class BrokenCache:
    """Finds agents whose calls miss the cache; see the module.

    Args:
        settings: Thresholds.
    """

    name = "broken_cache"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._prefix = settings.detect_broken_cache_prefix_tokens
        self._usd = settings.detect_broken_cache_usd
        self._share = settings.detect_broken_cache_share

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        misses = misses_of(run, prefix_tokens=self._prefix)
        if not len(misses.calls):
            return
        saved = _saved_usd(run, misses)
        agent = run.tree.call_agent
        order = np.argsort(agent[misses.calls], kind="stable")
        agents, begins = np.unique(agent[misses.calls[order]], return_index=True)
        for each, at in zip(agents.tolist(), np.split(order, begins[1:]), strict=True):
            share, usd = _share(
                run, conversations_of(run).of_agent(each), misses, saved, at
            )
            if share >= self._share and (usd is None or usd >= self._usd):
                yield _finding(run, each, misses, at, share, usd)


def misses_of(run: Run, *, prefix_tokens: int) -> Misses:
    """The calls of a run that missed the cache, whatever they cost.

    Args:
        run: The run.
        prefix_tokens: The input of the call before must be larger than this.
    """
    tokens, agent = tokens_of(run), run.tree.call_agent
    large = (tokens.whole > prefix_tokens) & (agent != NONE)
    cold = large & (tokens.read * _SAME_SIZE < _READ_SHARE * tokens.whole)
    rows = np.flatnonzero(large)
    # As a rule nothing but the first call of each agent reads so little.
    if not conversations_of(run).follows(np.flatnonzero(cold)).any():
        return Misses(calls=rows[:0], tokens=tokens.whole[:0], causes=[])
    model = numbered(run.llm_calls.strings("Model"))
    same = previous_of_same(agent[rows] * (len(model) + 1) + model[rows])
    rows, before = rows[same != NONE], rows[same[same != NONE]]
    starts = run.llm_calls.nanoseconds("StartTime")
    ends = ends_of(starts, run.llm_calls.floats("DurationMs"))
    pause = (starts[rows] - ends[before]) / 1e9
    reusable = tokens.whole[before]
    missed = (
        (reusable > prefix_tokens)
        & (tokens.whole[rows] >= _SAME_SIZE * reusable)
        & (tokens.read[rows] < _READ_SHARE * reusable)
        & (pause >= 0)
        & (pause <= _LONG_S)
    )
    if missed.any():
        missed[missed] = _able(run, tokens, rows[missed])
    rows, before = rows[missed], before[missed]
    reusable = np.minimum(reusable[missed], tokens.whole[rows])
    return Misses(
        calls=rows,
        tokens=reusable - tokens.read[rows],
        causes=_causes(run, rows, before, pause[missed]),
    )


def _able(run: Run, tokens: CallTokens, rows: Indexes) -> NDArray[np.bool_]:
    """Which of some calls are of models that cache."""
    model = run.llm_calls.strings("Model")
    caches = set(model[(tokens.read > 0) | (tokens.written > 0)].tolist())
    if caches.issuperset(model[rows].tolist()):
        return np.ones(len(rows), dtype=bool)
    told = tokens.read_told[rows]
    unasked: dict[str, bool] = {}
    able = []
    for row, says in zip(rows.tolist(), told.tolist(), strict=True):
        name = model[row]
        if name not in caches and says and name not in unasked:
            unasked[name] = _caches_unasked(run, row)
        able.append(name in caches or (says and unasked[name]))
    return np.array(able)


def _caches_unasked(run: Run, call: int) -> bool:
    """Whether the provider caches whatever it is sent, as far as its prices tell."""
    one = np.array([call, call, call])
    fresh, read, written = cost_of(run, one, _ONE_OF_EACH).tolist()
    return bool(read < fresh and written <= fresh)


def _causes(run: Run, rows: Indexes, before: Indexes, pause: Floats) -> list[str]:
    """Why each call missed what the call before it had."""
    provider = run.llm_calls.strings("Provider")
    conversations = conversations_of(run)
    place, order = conversations.place, conversations.order
    model = run.llm_calls.strings("Model")
    wrote_1h = set(run.tree.call_agent[tokens_of(run).written_1h > 0].tolist())
    causes = []
    for row, last, seconds in zip(
        rows.tolist(), before.tolist(), pause.tolist(), strict=True
    ):
        kept_s = _LONG_S if run.tree.call_agent[row] in wrote_1h else _SHORT_S
        if provider[row] != provider[last]:
            causes.append("provider_switch")
        elif model[order[place[row] - 1]] != model[row]:
            causes.append("model_switch")
        elif seconds > kept_s:
            causes.append("idle")
        else:
            causes.append("prefix_changed")
    return causes


def _saved_usd(run: Run, misses: Misses) -> Floats:
    """What each miss has cost more than a read; NaN where there is no price."""
    billed = tokens_of(run).by_price(misses.calls)
    fresh, read, short, hour, output = billed.T
    # A program that writes pays the lost prefix as a write, others as plain input.
    writes = np.where(short + hour >= misses.tokens, misses.tokens, 0)
    from_fresh = np.minimum(fresh, misses.tokens - writes)
    writes = np.minimum(short + hour, misses.tokens - from_fresh)
    from_short = np.minimum(short, writes)
    from_hour = writes - from_short
    hit = np.column_stack(
        [
            fresh - from_fresh,
            read + from_fresh + writes,
            short - from_short,
            hour - from_hour,
            output,
        ]
    )
    return saved_usd(run, misses.calls, billed, hit)


def _share(
    run: Run, calls: Indexes, misses: Misses, saved: Floats, at: Indexes
) -> tuple[float, float | None]:
    """The misses of an agent as a share of what its calls cost, and in US dollars."""
    usd = float(np.nansum(saved[at]))
    cost = float(np.nansum(run.llm_calls.floats("CostUsd")[calls]))
    if np.isnan(saved[at]).all() or cost <= 0:
        whole = float(np.nansum(tokens_of(run).whole[calls]))
        priced = None if np.isnan(saved[at]).all() else usd
        return float(misses.tokens[at].sum()) / max(whole, 1.0), priced
    return usd / cost, usd


def _finding(
    run: Run,
    agent: int,
    misses: Misses,
    at: Indexes,
    share: float,
    usd: float | None,
) -> Finding:
    counts = Counter(misses.causes[each] for each in at.tolist())
    cause, most = counts.most_common(1)[0]
    tokens = int(misses.tokens[at].sum())
    calls = misses.calls[at]
    name = agent_name(run, agent)
    of_cost = f", {share:.0%} of its cost," if usd is not None else ""
    return Finding(
        location=run.agents.strings("AgentId")[agent],
        severity=Severity.INFO if cause == "idle" else by_cost(run, usd, share),
        what=f"{count_of(len(at), 'call')} of {name} paid again for {tokens:,} tokens"
        f"{of_cost} that the call before had been given; in {most} {_BECAUSE[cause]}.",
        advice=_ADVICE[cause],
        agents=(agent,),
        calls=tuple(calls.tolist()),
        seconds=0.0,
        usd=usd,
        details={
            "cause": cause,
            "misses": len(at),
            "missed_tokens": tokens,
            "share": round(share, 4),
            **{f"misses_{name}": count for name, count in sorted(counts.items())},
        },
    )
