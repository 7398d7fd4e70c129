"""Oversized output: a tool's result is so large that reading it again and again costs.

**Rule.** A result of at least ``detect_oversized_output_tokens`` (`ResultBytes` at
`_BYTES_PER_TOKEN`), which the agent's next call was given: its input grew by at least half
of that. Where the growth is known it is what counts, since clients cut results; results that
one call was given together share it by their size. The results of one tool in one agent are
told of together when they cost at least ``detect_oversized_output_usd`` and
``detect_oversized_output_share`` of what the agent's calls cost.

**Source.** Claude Code cuts at 25,000 tokens (files) and 30,000 characters (commands); of
239 public runs, whose results are cut at 10,000 characters as a rule, two had so large a
result. About 4 bytes a token: providers' rule of thumb for English and code.

**Evidence.** The tool calls, and the calls that were first given their results.

**Saving.** Everything of these results beyond `_KEPT_TOKENS` each: taken from the fresh or
written input of the first call that had it, and from what later calls of the same model read
from the cache, until the conversation shrinks. No seconds.

**False alarms.** At most 5 % of healthy runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors._billing import (
    NEWEST_FIRST,
    OLDEST_FIRST,
    without,
)
from fleetspan_collector.processors.detectors._carried import until_shrunk
from fleetspan_collector.processors.detectors._conversation import (
    Floats,
    askers_of,
    conversations_of,
    numbered,
    readers_of,
    tokens_of,
)
from fleetspan_collector.processors.detectors._severity import by_cost
from fleetspan_collector.processors.detectors._wording import agent_name, count_of
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.model_facts import saved_usd
from fleetspan_collector.processors.run import NONE, Indexes, Run

_BYTES_PER_TOKEN: Final = 4
_KEPT_TOKENS: Final = 2_000
_GIVEN_SHARE: Final = 0.5
_MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Results:
    """Large results of one tool in one agent.

    Attributes:
        tools: Their rows.
        tokens: What each brought into the conversation.
        readers: The call that was first given each.
    """

    tools: Indexes
    tokens: Floats
    readers: Indexes


class OversizedOutput:
    """Finds tools whose results are too large; see the module.

    Args:
        settings: Thresholds.
    """

    name = "oversized_output"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._tokens = settings.detect_oversized_output_tokens
        self._usd = settings.detect_oversized_output_usd
        self._share = settings.detect_oversized_output_share

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        size = run.tool_calls.floats("ResultBytes") / _BYTES_PER_TOKEN
        large = np.flatnonzero(size >= self._tokens)
        if not len(large):
            return
        given = _given_tokens(run, size)[large]
        kept = given >= _GIVEN_SHARE * self._tokens
        large, given = large[kept], given[kept]
        place = numbered(
            run.tool_calls.strings("AgentId")[large],
            run.tool_calls.strings("Tool")[large],
        )
        weight = np.bincount(place, weights=given)
        for each in np.argsort(-weight, kind="stable")[:_MOST].tolist():
            at = place == each
            rows = large[at]
            results = _Results(
                tools=rows, tokens=given[at], readers=readers_of(run)[rows]
            )
            finding = self._of_results(run, results)
            if finding:
                yield finding

    def _of_results(self, run: Run, results: _Results) -> Finding | None:
        agent = int(run.tree.tool_agent[results.tools[0]])
        calls = conversations_of(run).of_agent(agent)
        saved = _saved_usd(run, calls, results)
        cost = float(np.nansum(run.llm_calls.floats("CostUsd")[calls]))
        if np.isnan(saved).all():
            usd = None
            whole = float(np.nansum(tokens_of(run).whole[calls]))
            share = float(results.tokens.sum()) / max(whole, 1.0)
        else:
            usd = float(np.nansum(saved))
            share = usd / cost if cost > 0 else 0.0
        if share < self._share or (usd is not None and usd < self._usd):
            return None
        return _finding(run, agent, results, share, usd)


def _given_tokens(run: Run, size: Floats) -> Floats:
    """What the result of each tool call brought into its agent's conversation.

    Args:
        run: The run.
        size: Tokens of each result, NaN where not told.
    """
    reader, asker = readers_of(run), askers_of(run)
    tokens = tokens_of(run)
    given = np.where(reader == NONE, 0.0, np.nan_to_num(size))
    model = numbered(run.llm_calls.strings("Model"))
    known = np.flatnonzero((reader != NONE) & (asker != NONE))
    known = known[model[reader[known]] == model[asker[known]]]
    before = tokens.whole[asker[known]] + tokens.output[asker[known]]
    growth = tokens.whole[reader[known]] - before
    together = np.bincount(
        np.maximum(reader, 0), weights=given, minlength=len(model) or 1
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mine = growth * given[known] / together[reader[known]]
    told = ~np.isnan(mine)
    given[known[told]] = np.clip(mine[told], 0, given[known[told]])
    return given


def _saved_usd(run: Run, calls: Indexes, results: _Results) -> Floats:
    """What each call of the agent would have cost less without the results."""
    tokens = tokens_of(run)
    model = numbered(run.llm_calls.strings("Model")[calls])
    first, later = np.zeros(len(calls)), np.zeros(len(calls))
    # The calls of one agent are by start, and so are rows.
    row_at = np.searchsorted(calls, results.readers)
    saved_tokens = np.maximum(results.tokens - _KEPT_TOKENS, 0)
    for number in np.unique(model[row_at]).tolist():
        mine = np.flatnonzero(model == number)
        here = model[row_at] == number
        begins = np.searchsorted(mine, row_at[here])
        whole = tokens.whole[calls[mine]]
        ends = until_shrunk(whole)[begins]
        np.add.at(first, mine[begins], saved_tokens[here])
        steps = np.zeros(len(mine) + 1)
        np.add.at(steps, begins + 1, saved_tokens[here])
        np.add.at(steps, ends, -saved_tokens[here])
        later[mine] = np.cumsum(steps)[: len(mine)]
    billed = tokens.by_price(calls)
    after = without(billed, np.maximum(later, 0), OLDEST_FIRST)
    after = without(after, first, NEWEST_FIRST)
    return saved_usd(run, calls, billed, after)


def _finding(
    run: Run, agent: int, results: _Results, share: float, usd: float | None
) -> Finding:
    tool = run.tool_calls.strings("Tool")[results.tools[0]]
    name = agent_name(run, agent)
    tokens = int(results.tokens.sum())
    count = len(results.tools)
    of_cost = f": {share:.0%} of what its calls cost" if usd is not None else ""
    return Finding(
        location=f"{run.agents.strings('AgentId')[agent]}/{tool}",
        severity=by_cost(run, usd, share),
        what=f"{count_of(count, 'result')} of {tool or 'a tool'} put {tokens:,} tokens "
        f"into the conversation of {name}{of_cost}.",
        advice=f"Have {tool or 'the tool'} return less: a page, a summary, or the matching lines, and "
        "write the rest to a file that can be searched.",
        agents=(agent,),
        calls=tuple(np.unique(results.readers).tolist()),
        tools=tuple(results.tools.tolist()),
        seconds=0.0,
        usd=usd,
        details={
            "tool": tool,
            "results": count,
            "tokens": tokens,
            "largest_tokens": int(results.tokens.max()),
            "share": round(share, 4),
        },
    )
