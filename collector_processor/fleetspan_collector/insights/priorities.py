"""The ten things most worth doing: savings and changes for the worse, ranked together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

from fleetspan_collector.insights.change import Change
from fleetspan_collector.insights.review import Review
from fleetspan_collector.insights.savings import Saving, Whole
from fleetspan_collector.insights.sentences import change_proof, change_text

_MOST: Final = 10
_BETTER_UP: Final = frozenset(("cache_share",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """Something to do.

    Attributes:
        priority: 1 for what comes first.
        kind: ``saving``, or ``change`` for the worse.
        title: What it is about.
        what: What is the case.
        action: What to do.
        seconds: Wall time that it saves in such a phase, or takes more; None when that
            is not known, or not what has changed.
        usd: US dollars likewise.
        score: Its share of the phase's wall time and of its cost, and of its runs for
            failures, added up.
        finding_ids: The evidence, where findings are.
        run_ids: The runs.
        span_ids: The spans.
    """

    priority: int
    kind: Literal["saving", "change"]
    title: str
    what: str
    action: str
    seconds: float | None
    usd: float | None
    score: float
    finding_ids: list[str]
    run_ids: list[str]
    span_ids: list[str]


def insights_of(review: Review) -> list[Insight]:
    """Return the things most worth doing, at most ten, first things first."""
    found = [_of_saving(saving) for saving in review.savings]
    found += _of_changes(review)
    found.sort(key=lambda each: (-each.score, each.title))
    return [
        replace(insight, priority=number)
        for number, insight in enumerate(found[:_MOST], start=1)
    ]


def _of_saving(saving: Saving) -> Insight:
    whose = f" of {saving.agent}" if saving.agent else ""
    detector = saving.detector.replace("_", " ")
    return Insight(
        priority=0,
        kind="saving",
        title=f"{detector}: {saving.subject_kind} {saving.subject}{whose}",
        what=saving.what,
        action=saving.advice,
        seconds=saving.seconds,
        usd=saving.usd,
        score=saving.score,
        finding_ids=saving.finding_ids,
        run_ids=saving.run_ids,
        span_ids=saving.span_ids,
    )


def _of_changes(review: Review) -> Iterator[Insight]:
    whole = Whole(seconds=review.figures.wall_s, usd=review.figures.cost_usd)
    for change in review.changes:
        worse = (
            change.difference < 0
            if change.measure in _BETTER_UP
            else (change.difference > 0)
        )
        if change.because_of is not None or not worse or change.measure == "presence":
            continue
        effect = change.difference * change.times
        seconds = effect if change.measure == "seconds" else None
        usd = effect if change.measure == "usd" else None
        score = whole.score(seconds, usd)
        if change.measure == "failures":
            runs = review.figures.runs or 1
            score += change.difference * change.runs_after / runs
        yield Insight(
            priority=0,
            kind="change",
            title=f"changed: {change_text(change)}",
            what=f"{change_text(change)} ({change_proof(change)})",
            action=_look_into(change),
            seconds=seconds,
            usd=usd,
            score=score,
            finding_ids=[],
            run_ids=change.run_ids,
            span_ids=[],
        )


def _look_into(change: Change) -> str:
    what = f"{change.dimension} {change.subject}"
    if change.measure == "failures":
        return f"Find out what makes {what} fail; it did so less in the earlier phase."
    if change.measure == "cache_share":
        return f"See what changes in the beginning of the prompts of {what}."
    if change.unit == "usd":
        return (
            f"Compare the tokens and calls of {what} with those of the earlier phase."
        )
    return f"Find out what has changed in {what}, or go back to what was before."


def insights_document(review: Review) -> list[dict[str, object]]:
    """Return the same for a JSON document."""
    return [asdict(insight) for insight in insights_of(review)]
