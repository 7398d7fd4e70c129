"""Which changes stand for themselves, and which are a part or a consequence of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from fleetspan_collector.insights import noise
from fleetspan_collector.insights.change import Found
from fleetspan_collector.insights.measures import Both, Dimension, Family
from fleetspan_collector.insights.noise import Samples

Explained = tuple[Found, Found | None]
"""A change, and what it is a part or a consequence of."""

_MOST_OF_IT: Final = 0.5
_FINEST_FIRST: Final[tuple[Dimension, ...]] = ("tool", "model", "agent", "run")


def reasons(both: Both, found: Sequence[Found]) -> Iterator[Explained]:
    """Find for each change what it is a part, or a consequence, of."""
    families: dict[Family, list[Found]] = {"time": [], "money": [], "failure": []}
    for each in found:
        families[each.measure.family].append(each)
    yield from _consequences(both, families["time"])
    yield from _consequences(both, families["failure"])
    yield from _parts(both, families["money"])


def _consequences(both: Both, found: Sequence[Found]) -> Iterator[Explained]:
    """Steps make agents slow, or fail, and agents their runs.

    A change of an agent or a run stands for itself when at least half of it is left
    without what finer changes add to it.
    """
    causes: list[Found] = []
    for each in sorted(found, key=_fineness):
        finer = [
            cause
            for cause in causes
            if cause.measure.dimension != each.measure.dimension
            and cause.rises == each.rises
        ]
        reasons = [[cause] for cause in finer]
        if len(finer) > 1:
            reasons.append(finer)
        reason = next(
            (
                some[0]
                for some in reasons
                if not _still(each, _without(both, each, some))
            ),
            None,
        )
        if reason is None:
            causes.append(each)
        yield each, reason


def _fineness(found: Found) -> tuple[int, float]:
    return _FINEST_FIRST.index(found.measure.dimension), found.p


def _without(both: Both, found: Found, causes: Sequence[Found]) -> Samples:
    """Return what would have been measured without what some changes have added."""
    samples = found.samples
    amount = samples.amount.copy()
    for cause in causes:
        table = both.tables[cause.measure.dimension]
        runs = both.after.runs.count
        if found.measure.family == "failure":
            failed = table.by_run(cause.subject, "failures", runs) > 0
            amount[samples.later & failed[np.where(samples.later, samples.run, 0)]] = 0
            continue
        if cause.size.after <= 0:
            continue
        seconds = table.by_run(cause.subject, "seconds", runs)
        added = seconds * (1 - cause.size.before / cause.size.after)
        here = added[np.where(samples.later, samples.run, 0)]
        amount -= np.where(samples.later, here, 0.0)
    return replace(samples, amount=amount)


def _still(found: Found, samples: Samples) -> bool:
    """Whether samples show at least half of a change, and more than noise."""
    if noise.p_value(samples) > noise.LEVEL:
        return False
    left = noise.size(samples, found.measure.centre)
    whole = found.size.after - found.size.before
    return (left.after - left.before) / whole >= _MOST_OF_IT


def _parts(both: Both, found: Sequence[Found]) -> Iterator[Explained]:
    """What runs cost is told by run; agents and models that show the same are parts.

    An agent or a model stands for itself when it has also changed in runs whose own
    cost has not.
    """
    runs = [each for each in found if each.measure.dimension == "run"]
    dear = [each for each in runs if each.measure.name == "usd"]
    for each in runs:
        same = (other for other in dear if other.subject == each.subject)
        yield each, next(same, None) if each not in dear else None
    code_of = {name: code for code, name in enumerate(both.names)}
    causes = dear or runs
    changed = [code_of[cause.subject] for cause in causes]
    for each in found:
        if each.measure.dimension == "run":
            continue
        stratum = each.samples.stratum
        elsewhere = each.samples.where(~np.isin(stratum, changed))
        here = (cause for cause in causes if (stratum == code_of[cause.subject]).any())
        own = elsewhere.enough and _still(each, elsewhere)
        yield each, None if own else next(here, None)
