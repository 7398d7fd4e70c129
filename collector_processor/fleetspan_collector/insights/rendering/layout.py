"""What a review's page shows, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fleetspan_collector.cli._text import duration, usd
from fleetspan_collector.insights import noise
from fleetspan_collector.insights.change import Change
from fleetspan_collector.insights.figures import Figures
from fleetspan_collector.insights.ledger import CATEGORIES
from fleetspan_collector.insights.phase import Span
from fleetspan_collector.insights.priorities import Insight, insights_of
from fleetspan_collector.insights.rendering._details import (
    cost,
    failures,
    performance,
    unknown,
)
from fleetspan_collector.insights.rendering.blocks import (
    Bar,
    Bars,
    Block,
    Grid,
    Heading,
    Item,
    Items,
    Paragraph,
)
from fleetspan_collector.insights.review import Earlier, Review, in_utc
from fleetspan_collector.insights.sentences import (
    amount,
    change_proof,
    change_text,
    ledger_text,
    percent,
    saved_text,
    seconds_text,
    several,
)

_EVIDENCE: Final = 5


def lay_out(review: Review) -> list[Block]:
    """Return the page of a review."""
    return [
        *_beginning(review),
        *_figures(review),
        *_time(review),
        *_to_do(review),
        *_changes(review),
        *cost(review),
        *performance(review),
        *failures(review),
        *unknown(review),
    ]


def lay_out_briefly(review: Review) -> list[Block]:
    """Return the part of the page that says what to do, and what has changed."""
    return [
        *_beginning(review),
        *_time(review),
        *_to_do(review),
        *_changes(review),
    ]


def _beginning(review: Review) -> Iterator[Block]:
    span, figures = review.span, review.figures
    yield Heading(f"Review, {in_utc(span.since_ns)} to {in_utc(span.until_ns)} UTC", 1)
    limits = list(_limits(span))
    if limits:
        yield Paragraph(f"Only {'; '.join(limits)}.", aside=True)
    if not figures.runs:
        yield Paragraph("No run began in this time.")
        return
    yield Paragraph(" ".join(_summary(review)))
    if review.narrative is not None:
        yield Paragraph(review.narrative.text)
        yield Paragraph(
            f"This paragraph was written by {review.narrative.model} from the figures "
            "below. They do not depend on it.",
            aside=True,
        )


def _limits(span: Span) -> Iterator[str]:
    """Say which runs of the time are left out."""
    if 0 < len(span.sessions) <= _EVIDENCE:
        yield f"sessions {', '.join(span.sessions)}"
    elif span.sessions:
        yield f"{len(span.sessions)} sessions"
    if span.project:
        yield f"project {span.project}"
    if span.environment:
        yield f"environment {span.environment}"


def _summary(review: Review) -> Iterator[str]:
    figures = review.figures
    yield (
        f"{several(figures.runs, 'run')} with {several(figures.agents, 'agent')}, "
        f"{several(figures.llm_calls, 'model call')} and "
        f"{several(figures.tool_calls, 'tool call')} cost "
        f"{usd(figures.cost_usd)}; half of them took {duration(figures.wall_p50_s)} or "
        f"less, 95 of 100 {duration(figures.wall_p95_s)} or less."
    )
    if figures.failed_share is not None:
        wrong = figures.failed + figures.abandoned
        share = percent(figures.failed_share)
        yield f"{several(wrong, 'run')} ({share}) failed or ended without a sign."
    if review.ledger is not None:
        yield f"Time went into: {ledger_text(review.ledger)}."
    if review.savings:
        together = saved_text(review.together.seconds, review.together.usd)
        ways = "opportunity" if len(review.savings) == 1 else "opportunities"
        yield f"{len(review.savings)} {ways} would save {together} together."
    if review.changes:
        own = [each for each in review.changes if each.because_of is None]
        have = "thing has" if len(own) == 1 else "things have"
        yield f"{len(own)} {have} changed by more than noise."
    elif review.earlier is not None and review.earlier.comparison is not None:
        yield "Nothing has changed by more than noise since the earlier phase."


_FIGURES: Final[tuple[tuple[str, str, str], ...]] = (
    ("runs", "runs", "calls"),
    ("agents", "agents", "tokens"),
    ("model calls", "llm_calls", "tokens"),
    ("tool calls", "tool_calls", "tokens"),
    ("cost", "cost_usd", "usd"),
    ("cost per run", "cost_per_run_usd", "usd"),
    ("wall time, half of runs", "wall_p50_s", "s"),
    ("wall time, 95 of 100", "wall_p95_s", "s"),
    ("runs that failed or were abandoned", "failed_share", "share"),
    ("runs in which anything failed", "runs_with_errors", "calls"),
    ("read from the cache", "cache_share", "share"),
    ("complexity of tasks, of 10", "complexity", "points"),
    ("effort of runs, of 10", "effort", "points"),
)


def _figures(review: Review) -> Iterator[Block]:
    figures = review.figures
    if not figures.runs:
        return
    earlier = review.earlier.figures if review.earlier else None
    rows = [
        _row(
            name,
            _value(figures, field),
            _value(earlier, field) if earlier else None,
            unit,
        )
        for name, field, unit in _FIGURES
    ]
    rows += [
        _row(
            f"{kind.replace('_', ' ')} tokens",
            tokens,
            earlier.tokens[kind] if earlier else None,
            "tokens",
        )
        for kind, tokens in figures.tokens.items()
    ]
    yield Heading("Figures")
    if earlier is None:
        yield Grid(("", "this phase"), tuple(row[:2] for row in rows))
        return
    yield Grid(("", "this phase", "earlier", "difference"), tuple(rows))
    yield Paragraph(
        "Sums depend on how many runs of which kind there were; what has changed in "
        "itself is listed below.",
        aside=True,
    )


def _value(figures: Figures, field: str) -> float | None:
    value: float | None = getattr(figures, field)
    return value


def _row(
    name: str, now: float | None, before: float | None, unit: str
) -> tuple[str, ...]:
    change = "?"
    if now is not None and before is not None:
        if unit == "share":
            change = f"{(now - before) * 100:+.1f} points"
        elif before:
            change = f"{now / before - 1:+.0%}"
        else:
            change = "-" if now == before else "new"
    whole = "tokens" if unit == "calls" else unit
    return name, amount(now, whole), amount(before, whole), change


def _time(review: Review) -> Iterator[Block]:
    ledger = review.ledger
    if ledger is None or not ledger.wall_s:
        return
    before = review.earlier.ledger if review.earlier else None
    yield Heading("Where the time went")
    bars = []
    for name, label in CATEGORIES.items():
        seconds, share = ledger.seconds[name], ledger.share(name) or 0.0
        past = before.share(name) if before else None
        aside = "" if past is None else f" (earlier {percent(past)})"
        bars.append(
            Bar(label, share, f"{percent(share)}  {seconds_text(seconds)}{aside}")
        )
    yield Bars(tuple(bars))
    yield Paragraph(
        f"Every second of the {duration(ledger.wall_s)} of {ledger.runs} runs, once, "
        "along their critical paths: what a run was waiting for at that moment.",
        aside=True,
    )


def _to_do(review: Review) -> Iterator[Block]:
    insights = insights_of(review)
    if not insights:
        return
    yield Heading("What to do, first things first")
    yield Items(tuple(map(_insight, insights)), numbered=True)


def _insight(insight: Insight) -> Item:
    if insight.kind == "saving":
        mark = f"saves {saved_text(insight.seconds, insight.usd)}"
    elif insight.usd:
        mark = f"costs {usd(insight.usd)} more"
    else:
        mark = f"takes {duration(insight.seconds)} more" if insight.seconds else ""
    lines = [insight.what] if insight.kind == "saving" else []
    number = len(insight.run_ids)
    if insight.kind == "saving" and number > 1:
        lines.append(
            f"That is the largest of {len(insight.finding_ids)} such findings "
            f"in {number} runs."
        )
    return Item(
        title=insight.title,
        lines=(*lines, f"→ {insight.action}"),
        mark=mark,
        evidence=_evidence(insight),
    )


def _evidence(insight: Insight) -> tuple[tuple[str, tuple[str, ...]], ...]:
    kinds = (
        ("runs", insight.run_ids),
        ("spans", insight.span_ids),
        ("findings", insight.finding_ids),
    )
    return tuple((name, tuple(ids)) for name, ids in kinds if ids)


def _changes(review: Review) -> Iterator[Block]:
    earlier = review.earlier
    if earlier is None:
        return
    yield Heading(
        f"What has changed since {in_utc(earlier.span.since_ns)} to "
        f"{in_utc(earlier.span.until_ns)} UTC"
    )
    if earlier.comparison is None:
        yield Paragraph("There is nothing to compare: one of the phases has no runs.")
        return
    own = [each for each in review.changes if each.because_of is None]
    if not own:
        yield Paragraph("Nothing by more than noise.")
    else:
        items = []
        for change in own:
            parts = [each for each in review.changes if each.because_of == change.key]
            lines = [f"with it: {change_text(each)}" for each in parts]
            lines += _errors(review, change)
            lines.append(change_proof(change))
            evidence = (("runs", tuple(change.run_ids)),)
            items.append(Item(change_text(change), tuple(lines), evidence=evidence))
        yield Items(tuple(items))
    yield Paragraph(_method(earlier), aside=True)


def _errors(review: Review, change: Change) -> list[str]:
    """Say with which errors something fails that fails more, or less, than before."""
    if change.measure != "failures":
        return []
    errors = [
        f"{each.error} ×{each.times}, {each.before} before"
        for each in review.failures
        if (each.kind, each.name) == (change.dimension, change.subject)
    ]
    return [f"errors: {'; '.join(errors[:3])}"] if errors else []


def _method(earlier: Earlier) -> str:
    comparison = earlier.comparison
    compared = comparison.compared if comparison else 0
    too_few = comparison.too_few if comparison else 0
    few = (
        f" Not compared: {too_few} of the run names, agents, tools and models, with fewer than "
        f"{noise.FEWEST_RUNS} runs of the same name in one of the phases."
        if too_few
        else ""
    )
    return (
        f"{compared} comparisons by Mann-Whitney's rank sum over runs, each run against "
        "runs of its own name, adjusted for their number (Benjamini-Hochberg): of what "
        f"is named, one in {1 / noise.LEVEL:.0f} is expected to be chance, and where "
        f"nothing has changed, one review in {1 / noise.LEVEL:.0f} names something. "
        "Sizes are for the later phase's mix of runs." + few
    )
