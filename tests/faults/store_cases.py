"""Runs for a store: placed in time so that what is compared with them can be told.

Only faults that memory finds, for what is asked is whether the store finds them, too; the
benchmark counts how often memory does not.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Final

from fleetspan_collector.processors.baselines import Baselines
from tests.faults.as_otlp import as_otlp
from tests.faults.healthy import KINDS, healthy
from tests.faults.inject import case
from tests.faults.plan import Plan
from tests.faults.through_the_store import in_memory
from tests.faults.truth import Case

HOUR_NS: Final = 3_600_000_000_000
START_NS: Final = (time.time_ns() // HOUR_NS - 4) * HOUR_NS
"""Runs that are over begin in one hour, so that none is history of another."""

_SEEDS: Final = range(40)
_SKIPPED: Final = ("end before start",)
"""The table of spans has lengths without a sign: such a span has none in it."""


def healthy_plan(seed: object, kind: str) -> Plan:
    """Return a healthy run of a kind of fleet."""
    plan = healthy(("store", seed), kind)
    plan.start_ns = START_NS
    return plan


def ended_cases(
    detector: str, usual: Mapping[str, Baselines] | None = None
) -> Iterator[Case]:
    """Yield runs that are over, of all fleets in turn, whose fault memory finds."""
    for seed in _SEEDS:
        for kind in usual or KINDS:
            baselines = usual[kind] if usual else None
            found = case(
                detector, seed, healthy_plan((detector, seed), kind), baselines
            )
            if found is None or found.truth.variant in _SKIPPED:
                continue
            if not found.faulty.facts.open and _finds(found):
                yield found


def open_cases(detector: str) -> Iterator[Case]:
    """Yield runs that go on at this moment, whose fault memory finds."""
    for seed, kind in itertools.product(_SEEDS, KINDS):
        plan = healthy_plan((detector, seed), kind)
        found = case(detector, seed, plan)
        if found is not None and found.faulty.facts.open and _finds(found):
            yield _now(detector, seed, plan, found)


def left_cases() -> Iterator[Case]:
    """Yield runs of which nobody is left, the last sign half an hour ago or longer."""
    for seed, kind in itertools.product(_SEEDS, KINDS):
        plan = healthy_plan(("left", seed), kind)
        found = case("stuck_agent", seed, plan)
        if found is not None and found.truth.variant == "abandoned":
            yield _now("stuck_agent", seed, plan, found)


def _now(detector: str, seed: int, plan: Plan, found: Case) -> Case:
    """Return a case again, with the moment at which it is seen at the present."""
    plan.start_ns += time.time_ns() - found.faulty.context.now_ns
    again = case(detector, seed, plan)
    assert again is not None
    return again


def _finds(given: Case) -> bool:
    """Whether memory finds the fault."""
    told = as_otlp(given.faulty)
    return any(
        said.detector == given.truth.detector and said.lies_at(given.truth, told)
        for said in in_memory(given.faulty, told)
    )
