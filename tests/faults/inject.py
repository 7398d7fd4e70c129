"""All faults by the detector that ought to find them, and a case of each."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from fleetspan_collector.processors.baselines import Baselines
from tests.faults import layout
from tests.faults.drawing import Draw
from tests.faults.injectors import damage, dear, fan_out, repeats, silent, slow, waits
from tests.faults.injectors.planted import Injector, Planted, Seen
from tests.faults.plan import Plan
from tests.faults.truth import Case, Truth

FAULTS: Final[Mapping[str, Injector]] = {
    "dominating_step": slow.dominating_step,
    "serialised_subagents": fan_out.serialised_subagents,
    "straggler": slow.straggler,
    "rate_limit_wait": waits.rate_limit_wait,
    "retry_storm": waits.retry_storm,
    "slower_than_usual": slow.slower_than_usual,
    "stuck_agent": silent.stuck_agent,
    "runaway_fanout": fan_out.runaway_fanout,
    "no_progress_loop": repeats.no_progress_loop,
    "context_growth": dear.context_growth,
    "broken_cache": dear.broken_cache,
    "oversized_output": dear.oversized_output,
    "overpowered_model": dear.overpowered_model,
    "failing_tool": repeats.failing_tool,
    "broken_trace": damage.broken_trace,
}
"""By detector, in the order of the table."""


_LIVE: Final = ("no_progress_loop", "runaway_fanout")
"""Faults that ought to be found while the run goes on, as a quarter of them is seen."""


def case(
    detector: str, seed: object, base: Plan, baselines: Baselines | None = None
) -> Case | None:
    """Plant a fault into a healthy run.

    Args:
        detector: One of `FAULTS`.
        seed: The same seed and run give the same case.
        base: The healthy run; it is not changed.
        baselines: What has been usual of such runs; None for runs without a history.

    Returns:
        The run with and without the fault; None when it has no place for it.
    """
    draw = Draw("fault", detector, seed, base.run_id)
    planted = FAULTS[detector](draw, copy.deepcopy(base))
    if not planted:
        return None
    before = layout.rows_of(planted.healthy)
    rows, seen = layout.rows_of(planted.faulty), planted.seen
    if detector in _LIVE and draw.chance(0.25):
        seen = _while_it_goes_on(rows, planted)
    healthy = layout.make(planted.healthy, before, baselines=baselines)
    faulty = layout.make(
        planted.faulty,
        seen.rows if seen else rows,
        now_ns=seen.now_ns if seen else None,
        baselines=baselines,
    )
    known = seen is None  # Else the run is not over, or not told of as it was.
    truth = Truth(
        detector=detector,
        variant=planted.variant,
        agents=frozenset(planted.agents),
        calls=frozenset(planted.calls),
        tools=frozenset(planted.tools),
        seconds=layout.wall_s(rows) - layout.wall_s(before) if known else 0.0,
        usd=layout.usd(faulty) - layout.usd(healthy) if known else 0.0,
        judged=planted.judged if known else (),
    )
    return Case(origin=base.origin, healthy=healthy, faulty=faulty, truth=truth)


def _while_it_goes_on(rows: layout.Rows, planted: Planted) -> Seen:
    """Return the run as it is seen as soon as the whole fault has happened."""
    agents, tools = set(planted.agents), set(planted.tools)
    happened = [layout.end_ns(row) for row in rows.tools if row["ToolCallId"] in tools]
    if planted.variant in ("wide", "deep"):
        happened = [row["StartTime"] for row in rows.agents if row["AgentId"] in agents]
    now_ns = max(happened) + 1_000_000_000
    return Seen(rows=layout.as_seen(rows, now_ns), now_ns=now_ns)
