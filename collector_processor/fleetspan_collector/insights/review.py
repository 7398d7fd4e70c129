"""A review: one phase, what could be saved in it, and what has changed since another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from fleetspan_collector.insights import noise
from fleetspan_collector.insights.asking import Asks
from fleetspan_collector.insights.change import Change
from fleetspan_collector.insights.changes import Comparison, compare
from fleetspan_collector.insights.documents import rfc3339
from fleetspan_collector.insights.figures import Figures, figures_of
from fleetspan_collector.insights.ledger import Ledger, ledger_of
from fleetspan_collector.insights.measures import Both, Dimension
from fleetspan_collector.insights.parts import Failure, Part, failures_of, parts_of
from fleetspan_collector.insights.phase import Phase, Span, read_phase
from fleetspan_collector.insights.savings import (
    Saving,
    Whole,
    all_together,
    savings_of,
)

_LISTED: Final = 5
_RUN_FIELDS: Final = ("run_id", "session_id", "name", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run that is named in a review.

    Attributes:
        run_id: Its id.
        session_id: The conversation.
        name: What it is called.
        status: How it stands.
        started_at: RFC 3339 in UTC.
        wall_s: How long it took, in seconds; None while it goes on.
        usd: What it cost; None when not known.
    """

    run_id: str
    session_id: str
    name: str
    status: str
    started_at: str
    wall_s: float | None
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrative:
    """A paragraph that a model wrote about the figures; nothing depends on it.

    Attributes:
        model: The model.
        text: What it wrote.
    """

    model: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The phase that another one is held against.

    Attributes:
        span: Which runs it is of.
        figures: Its figures.
        ledger: Where its time went.
        comparison: What has changed since; None when one of the two is empty.
    """

    span: Span
    figures: Figures
    ledger: Ledger | None
    comparison: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that is worked out about a phase.

    Attributes:
        made_ns: When, Unix nanoseconds.
        span: Which runs it is of.
        figures: Its figures.
        ledger: Where its time went; None when no run is analysed.
        savings: Opportunities, the most saving first.
        together: What all of them save together, nothing twice.
        parts: Its run names, agents, tools and models.
        failures: What failed.
        slowest: Runs that took longest.
        fastest: Runs that took least.
        dearest: Runs that cost most.
        earlier: What it is held against, if anything.
        narrative: A model's paragraph, if one was asked for and came.
    """

    made_ns: int
    span: Span
    figures: Figures
    ledger: Ledger | None
    savings: list[Saving]
    together: Whole
    parts: dict[Dimension, list[Part]]
    failures: list[Failure]
    slowest: list[RunLine]
    fastest: list[RunLine]
    dearest: list[RunLine]
    earlier: Earlier | None
    narrative: Narrative | None = None

    @property
    def changes(self) -> Sequence[Change]:
        """What has changed; what stands for itself first."""
        if self.earlier is None or self.earlier.comparison is None:
            return ()
        return self.earlier.comparison.changes

    def told_by(self, model: str, text: str) -> Review:
        """The same review with a paragraph."""
        return replace(self, narrative=Narrative(model=model, text=text))


def make_review(source: Asks, span: Span, against: Span | None, now_ns: int) -> Review:
    """Review a phase.

    Args:
        source: Where to read.
        span: The phase.
        against: The earlier one; None for none.
        now_ns: The present, Unix nanoseconds.
    """
    phase = read_phase(source, span)
    before = None if against is None else read_phase(source, against)
    wall, cost = _lengths(phase), phase.runs.floats("cost_usd")
    return Review(
        made_ns=now_ns,
        span=span,
        figures=figures_of(phase),
        ledger=ledger_of(phase.runs),
        savings=savings_of(phase),
        together=all_together(phase),
        parts=parts_of(phase),
        failures=failures_of(phase, before),
        slowest=_runs(phase, -wall),
        fastest=_runs(phase, wall),
        dearest=_runs(phase, -cost),
        earlier=None if before is None else _earlier(before, phase),
    )


def _earlier(before: Phase, phase: Phase) -> Earlier:
    filled = before.runs.count and phase.runs.count
    return Earlier(
        span=before.span,
        figures=figures_of(before),
        ledger=ledger_of(before.runs),
        comparison=compare(Both(before, phase)) if filled else None,
    )


def _lengths(phase: Phase) -> noise.Floats:
    """Return how long runs took; an end before the start is no length."""
    wall = phase.runs.floats("wall_s")
    return np.where(wall >= 0, wall, np.nan)


def _runs(phase: Phase, order: noise.Floats) -> list[RunLine]:
    """Return the first runs in an order; those where it is not known are left out."""
    rows = np.argsort(order, kind="stable")[:_LISTED]
    return [_run(phase, int(row)) for row in rows if np.isfinite(order[row])]


def _run(phase: Phase, row: int) -> RunLine:
    runs = phase.runs
    wall, cost = float(_lengths(phase)[row]), float(runs.floats("cost_usd")[row])
    return RunLine(
        **{name: str(runs.strings(name)[row]) for name in _RUN_FIELDS},
        started_at=rfc3339(int(runs.integers("start_ns")[row])),
        wall_s=wall if np.isfinite(wall) else None,
        usd=cost if np.isfinite(cost) else None,
    )


def document_of(review: Review) -> dict[str, object]:
    """Make the JSON document of a review, without its ``schema_version``."""
    earlier = review.earlier
    return {
        "generated_at": rfc3339(review.made_ns),
        "phase": _phase_document(review.span, review.figures, review.ledger),
        "against": None
        if earlier is None
        else _phase_document(earlier.span, earlier.figures, earlier.ledger),
        "savings": [asdict(each) for each in review.savings],
        "savings_together": asdict(review.together),
        "changes": [asdict(each) for each in review.changes],
        "comparison": None
        if earlier is None or earlier.comparison is None
        else {
            "test": "Mann-Whitney rank sum over runs, by run name (van Elteren)",
            "adjustment": "Benjamini-Hochberg",
            "interval": "95 % bootstrap over runs",
            "level": noise.LEVEL,
            "fewest_runs": noise.FEWEST_RUNS,
            "comparisons": earlier.comparison.compared,
            "too_few_runs": earlier.comparison.too_few,
        },
        "parts": {
            dimension: [asdict(each) for each in parts]
            for dimension, parts in review.parts.items()
        },
        "failures": [asdict(each) for each in review.failures],
        "slowest_runs": [asdict(each) for each in review.slowest],
        "fastest_runs": [asdict(each) for each in review.fastest],
        "dearest_runs": [asdict(each) for each in review.dearest],
        "narrative": None if review.narrative is None else asdict(review.narrative),
    }


def _phase_document(
    span: Span, figures: Figures, ledger: Ledger | None
) -> dict[str, object]:
    return {
        **span.document,
        "figures": asdict(figures),
        "time_ledger": None if ledger is None else asdict(ledger),
    }


def in_utc(nanoseconds: int) -> str:
    """Write a time for people, to the minute."""
    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC):%Y-%m-%d %H:%M}"
