"""What has changed between two phases, by how much, and what is only a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fleetspan_collector.insights import noise
from fleetspan_collector.insights._presence import come_and_gone
from fleetspan_collector.insights._reasons import reasons
from fleetspan_collector.insights.change import Change, Found
from fleetspan_collector.insights.measures import MEASURES, Both, Dimension, Measure
from fleetspan_collector.insights.noise import Samples

_EVIDENCE: Final = 5
"""Runs that are named for a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of comparing two phases.

    Attributes:
        changes: What differs by more than noise, what stands for itself first.
        compared: How many comparisons were made.
        too_few: How many runs, agents, tools and models, by name, could not be compared,
            for want of runs in one of the phases.
    """

    changes: list[Change]
    compared: int
    too_few: int


_Tried = tuple[Measure, str, Samples]


def compare(both: Both) -> Comparison:
    """Compare two phases."""
    tried: list[_Tried] = []
    too_few = 0
    for dimension, subject in both.subjects():
        ready = list(_ready(both, dimension, subject))
        tried += ready
        too_few += not ready
    presence = list(come_and_gone(both))
    chances = [noise.p_value(samples) for _, _, samples in tried]
    chances += [change.p for change in presence]
    adjusted = noise.adjusted(chances)
    found = [
        each
        for (measure, subject, samples), p in zip(tried, adjusted, strict=False)
        if p <= noise.LEVEL and (each := _sized(measure, subject, samples, p))
    ]
    changes = [_change(both, each, reason) for each, reason in reasons(both, found)]
    changes += [
        replace(change, p=p)
        for change, p in zip(presence, adjusted[len(tried) :], strict=True)
        if p <= noise.LEVEL
    ]
    changes.sort(key=lambda each: (each.because_of is not None, each.p, each.key))
    return Comparison(changes=changes, compared=len(chances), too_few=too_few)


def _ready(both: Both, dimension: Dimension, subject: str) -> Iterator[_Tried]:
    """Yield the measures of a subject that can be compared."""
    for measure in MEASURES:
        if measure.dimension == dimension:
            samples = both.tables[dimension].samples(subject, measure)
            if samples is not None:
                yield measure, subject, samples


def _sized(measure: Measure, subject: str, samples: Samples, p: float) -> Found | None:
    """Say how large it is; None where it is too small, or the size may be nothing."""
    size = noise.size(samples, measure.centre)
    apart = abs(size.after - size.before)
    least = measure.least if measure.share else measure.least * abs(size.before)
    if apart < least or size.low <= 0 <= size.high:
        return None
    return Found(measure=measure, subject=subject, samples=samples, size=size, p=p)


def _change(both: Both, found: Found, reason: Found | None) -> Change:
    samples, size = found.samples, found.size
    return Change(
        dimension=found.measure.dimension,
        subject=found.subject,
        measure=found.measure.name,
        unit=found.measure.unit,
        before=size.before,
        after=size.after,
        difference=size.after - size.before,
        ratio=size.after / size.before if size.before > 0 else None,
        low=size.low,
        high=size.high,
        p=found.p,
        times=float(samples.count[samples.later].sum()),
        runs_before=int((~samples.later).sum()),
        runs_after=int(samples.later.sum()),
        run_names=[both.names[code] for code in np.unique(samples.stratum)],
        because_of=None if reason is None else reason.key,
        run_ids=_evidence(both, found),
    )


def _evidence(both: Both, found: Found) -> list[str]:
    """Return ids of the later runs that show it most."""
    later = found.samples.where(found.samples.later)
    values = later.amount / later.count
    order = np.argsort(-values if found.rises else values, kind="stable")
    ids = both.after.runs.strings("run_id")
    return [str(each) for each in ids[later.run[order[:_EVIDENCE]]]]
