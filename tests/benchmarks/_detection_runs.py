"""Runs for the benchmark of detectors: healthy ones, and ones with a fault planted."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from fleetspan_collector.processors.baselines import Baselines
from fleetspan_collector.processors.run import Run
from tests.faults import captured, healthy, inject, layout, loading
from tests.faults.drawing import Draw
from tests.faults.history import baselines_of
from tests.faults.plan import Plan
from tests.faults.truth import Case

_HISTORY_RUNS: Final = 40
"""Healthy runs of each kind that baselines are made of."""

_TRIES: Final = 60
"""Runs that are tried until a fault has found its place."""

_OPEN_AT: Final = (0.2, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """Healthy runs as plans.

    Attributes:
        seed: Of everything that is generated.
        real: Runs of mini-SWE-agent.
        captures: Runs of Claude Code.
        usual: What has been usual: by the name of generated runs, by the id of real ones.
    """

    seed: int
    real: tuple[Plan, ...]
    captures: tuple[Plan, ...]
    usual: dict[str, Baselines]

    def usual_of(self, plan: Plan) -> Baselines | None:
        """Return what has been usual of such runs; None for runs without a history."""
        return self.usual.get(plan.run_id) or self.usual.get(plan.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthy:
    """A run without a planted fault.

    Attributes:
        origin: ``generated``, ``open``, ``mini_swe`` or ``capture``.
        run: The run.
    """

    origin: str
    run: Run


def bases(seed: int, runs: Path | None, *, with_captures: bool) -> Bases:
    """Load and generate what faults are planted into.

    Args:
        seed: Any number; another gives other runs.
        runs: Folder in the layout of the public runs; None for the usual one.
        with_captures: Whether Claude Code's captures are taken into a store first.
    """
    real = tuple(loading.mini_swe(runs))
    plans: tuple[Plan, ...] = ()
    if with_captures:
        with tempfile.TemporaryDirectory(prefix="fleetspan-captures-") as folder:
            plans = tuple(captured.load(Path(folder)))
    usual: dict[str, Baselines] = {}
    for kind in healthy.KINDS:
        past = [
            healthy.healthy(("past", seed, number), kind)
            for number in range(_HISTORY_RUNS)
        ]
        usual[past[0].name] = baselines_of(map(layout.run_of, past))
    # Each half is held against the other: never a run against itself.
    for half, others in ((real[::2], real[1::2]), (real[1::2], real[::2])):
        before = baselines_of(map(layout.run_of, others))
        usual |= {plan.run_id: before for plan in half}
    return Bases(seed=seed, real=real, captures=plans, usual=usual)


def cases(given: Bases, detector: str, count: int) -> Iterator[Case]:
    """Yield runs with a fault: six of ten generated, three mini-SWE, one a capture.

    Where a fault has no place in runs of an origin, generated ones stand in. Only runs
    that are to be slower than usual have a history, so that no other fault is found by
    it; and only such as were as usual before, for three times as slow as a quick run may
    be quite usual.
    """
    draw = Draw("cases", given.seed, detector)
    history = detector == "slower_than_usual"
    for number in range(count):
        wanted = ("mini_swe", "mini_swe", "mini_swe", "capture")[number % 10 - 6 :][:1]
        origin = wanted[0] if number % 10 >= 6 else "generated"
        found = _case(given, draw, detector, number, origin, history)
        if found is None and origin != "generated":
            found = _case(given, draw, detector, number, "generated", history)
        if found is not None:
            yield found


def healthy_runs(given: Bases, count: int) -> Iterator[Healthy]:
    """Yield healthy runs: generated ones with a history, as many open ones, real ones."""
    for number in range(count):
        plan = healthy.healthy(("control", given.seed, number))
        run = layout.run_of(plan, given.usual_of(plan))
        yield Healthy(origin="generated", run=run)
    draw = Draw("open", given.seed)
    for number in range(count):
        plan = healthy.healthy(("open", given.seed, number))
        yield Healthy(origin="open", run=_open(draw, plan, given.usual_of(plan)))
    for plan in given.real:
        run = layout.run_of(plan, given.usual_of(plan))
        yield Healthy(origin="mini_swe", run=run)
    for plan in given.captures:
        yield Healthy(origin="capture", run=layout.run_of(plan))


def _case(
    given: Bases, draw: Draw, detector: str, number: int, origin: str, history: bool
) -> Case | None:
    pool = {"mini_swe": given.real, "capture": given.captures}.get(origin, ())
    if origin != "generated" and not pool:
        return None
    for attempt in range(_TRIES):
        seed = (given.seed, number, attempt)
        if origin == "generated":
            plan = healthy.healthy((detector, *seed))
        else:
            plan = draw.random.choice(pool)
        usual = given.usual_of(plan) if history else None
        found = inject.case(detector, seed, plan, usual)
        if found is None:
            continue
        if not history or (usual is not None and _as_usual(found, usual)):
            return found
    return None


def _as_usual(case: Case, usual: Baselines) -> bool:
    """Whether a run, and what was made slower in it, was about as fast as most before."""
    run = case.healthy
    known = usual.of("run", run.facts.name)
    wall_s = (run.facts.last_activity_ns - run.facts.start_ns) / 1e9
    if known is None or not known.p50 <= wall_s <= known.p90:
        return False
    ids, kind = run.tool_calls.strings("ToolCallId"), run.tool_calls.strings("Tool")
    tools = [row for row, each in enumerate(ids) if each in case.truth.tools]
    if case.truth.variant != "tool":
        return True
    before = usual.of("tool", str(kind[tools[0]]))
    took_s = float(np.median(run.tool_calls.floats("DurationMs")[tools])) / 1e3
    return before is not None and before.p50 <= took_s


def _open(draw: Draw, plan: Plan, usual: Baselines | None) -> Run:
    """Return a run as it is seen at some moment while it goes on."""
    rows = layout.rows_of(copy.deepcopy(plan))
    start_ns, last_ns = layout.span_ns(rows)
    share = draw.random.uniform(*_OPEN_AT)
    now_ns = start_ns + round((last_ns - start_ns) * share)
    seen = layout.as_seen(rows, now_ns)
    return layout.make(plan, seen, now_ns=now_ns, baselines=usual)
