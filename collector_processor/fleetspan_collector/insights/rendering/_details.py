"""The second half of a review's page: cost, performance, failures, what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from fleetspan_collector.cli._text import count, duration, usd
from fleetspan_collector.insights.measures import Dimension
from fleetspan_collector.insights.parts import Part
from fleetspan_collector.insights.rendering.blocks import (
    Block,
    Grid,
    Heading,
    Item,
    Items,
    Paragraph,
)
from fleetspan_collector.insights.review import Review, RunLine
from fleetspan_collector.insights.sentences import (
    percent,
    seconds_text,
    several,
)

_ROWS: Final = 10


def cost(review: Review) -> Iterator[Block]:
    """Say what cost most."""
    if review.figures.cost_usd is None:
        return
    yield Heading("Cost")
    titles: tuple[tuple[Dimension, str], ...] = (
        ("run", "run"),
        ("agent", "agent"),
        ("model", "model"),
    )
    for dimension, title in titles:
        parts = [part for part in review.parts[dimension] if part.usd][:_ROWS]
        head = (title, "runs", "times", "cost", "share", "cached")
        rows = tuple(_dear(part, review.figures.cost_usd) for part in parts)
        keep = len(head) if dimension == "model" else len(head) - 1
        yield Grid(head[:keep], tuple(row[:keep] for row in rows))
    if review.figures.cost_per_30_days_usd is not None:
        monthly = usd(review.figures.cost_per_30_days_usd)
        yield Paragraph(f"At this rate 30 days cost {monthly}.")
    yield _runs("dearest runs", review.dearest)


def _dear(part: Part, whole: float) -> tuple[str, ...]:
    share = part.usd / whole if part.usd is not None and whole else None
    numbers = (str(part.runs), count(part.times), usd(part.usd), percent(share))
    return (part.subject, *numbers, percent(part.cache_share))


def performance(review: Review) -> Iterator[Block]:
    """Say what took longest."""
    if not review.figures.runs:
        return
    yield Heading("Performance")
    for dimension in ("run", "agent", "tool", "model"):
        parts = sorted(review.parts[dimension], key=lambda part: -(part.seconds or 0))
        rows: tuple[tuple[str, ...], ...] = tuple(map(_slow, parts[:_ROWS]))
        head: tuple[str, ...] = (
            dimension,
            "runs",
            "times",
            "half",
            "95 of 100",
            "in all",
            "failed",
        )
        if dimension == "agent":
            # Where runs waited for nothing else; "in all" has what side by side took.
            head = (*head, "held up")
            paths = (seconds_text(part.path_s) for part in parts[:_ROWS])
            rows = tuple((*row, path) for row, path in zip(rows, paths, strict=True))
        yield Grid(head, rows)
    yield _runs("slowest runs", review.slowest)
    yield _runs("fastest runs", review.fastest)


def _slow(part: Part) -> tuple[str, ...]:
    return (
        part.subject,
        str(part.runs),
        count(part.times),
        duration(part.p50_s),
        duration(part.p95_s),
        duration(part.seconds),
        percent(part.failed_share),
    )


def _runs(title: str, runs: Sequence[RunLine]) -> Grid:
    rows = tuple(
        (run.name, run.run_id, run.status, duration(run.wall_s), usd(run.usd))
        for run in runs
    )
    return Grid((title, "id", "status", "took", "cost"), rows, words=3)


def failures(review: Review) -> Iterator[Block]:
    """Say what failed."""
    if not review.failures:
        return
    yield Heading("What failed")
    compared = review.earlier is not None
    head = ("", "which", "error", "times", "runs", *(["earlier"] if compared else []))
    rows = tuple(
        (
            each.kind,
            each.name,
            each.error,
            str(each.times),
            str(each.runs),
            *([str(each.before)] if compared else []),
        )
        for each in review.failures[:_ROWS]
    )
    yield Grid(head, rows, words=3)


def unknown(review: Review) -> Iterator[Block]:
    """Say what is not known."""
    figures = review.figures
    parts = (
        (figures.running, "run", "not over, and without a length yet"),
        (figures.unpriced_calls, "model call", "without a known price, left out above"),
        (figures.orphan_spans, "span", "with a parent that has not come"),
        (figures.runs - figures.analysed, "run", "not looked at by processors"),
        (figures.set_aside, "run", "on which a processor failed or took too long"),
    )
    lines = [
        f"{several(number, thing)} {text}." for number, thing, text in parts if number
    ]
    if figures.unattributed_usd:
        spent = usd(figures.unattributed_usd)
        lines.append(
            f"Clients say that {spent} more was spent than these calls tell of."
        )
    if lines:
        yield Heading("What is not known")
        yield Items(tuple(map(Item, lines)))
