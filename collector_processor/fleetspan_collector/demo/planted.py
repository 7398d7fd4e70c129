"""Whether what was planted in the demo's runs is what processors have found."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.insights.findings import FindingRow, read_findings
from fleetspan_collector.insights.phase import Span
from fleetspan_collector.insights.review import Review, make_review

FOUND_BY: Final = {
    "loop": "no_progress_loop",
    "cost spike": "overpowered_model",
    "one by one": "serialised_subagents",
    "straggler": "straggler",
    "rate limit": "rate_limit_wait",
    "retry storm": "retry_storm",
    "broken cache": "broken_cache",
    "large output": "oversized_output",
}
"""The detector that must find an odd run, by what is odd about it."""

# How long to go on when no more runs get analysed.
_PATIENCE_S: Final = 20.0
_POLL_S: Final = 0.1


def await_analysis(source: OwnerSource, truth: Mapping[str, Any]) -> None:
    """Wait until processors have looked at every run that is over.

    Raises:
        CollectorError: When they do not get on with it.
    """
    since_ns = min(run["start_ns"] for run in truth["runs"])
    waiting, before = -1, -2
    deadline = time.monotonic() + _PATIENCE_S
    while waiting := _waiting(source, since_ns):
        if waiting != before:
            before, deadline = waiting, time.monotonic() + _PATIENCE_S
        elif time.monotonic() >= deadline:
            raise CollectorError(
                "the runs of the demo are not analysed",
                because=f"{waiting} of them wait, and none was done for "
                f"{_PATIENCE_S:.0f} s",
                suggestion="fleetspan doctor",
            )
        time.sleep(_POLL_S)


def _waiting(source: OwnerSource, since_ns: int) -> int:
    """Return how many runs are over and not analysed as such."""
    query = (
        "SELECT count() AS waiting FROM runs WHERE Status != 'running'"  # noqa: S608 - a number of ours
        f" AND StartTime >= fromUnixTimestamp64Nano({since_ns})"
        " AND RunId NOT IN (SELECT RunId FROM run_analyses WHERE RunOpen = 0)"
    )
    row = json.loads(b"".join(source.sql(query, "JSONEachRow")))
    return int(row["waiting"])


def check_findings(
    source: OwnerSource, truth: Mapping[str, Any], *, off: Collection[str] = ()
) -> None:
    """Compare what was planted with what is found.

    Args:
        source: The collector.
        truth: What was done, as `gather` returns it.
        off: Processors that do not run.

    Raises:
        CollectorError: When something was not found.
    """
    missing = list(not_found(truth, read_findings(source), off=off))
    if missing:
        raise CollectorError(
            "what was planted was not found",
            because="; ".join(missing),
            suggestion="fleetspan findings",
        )


def not_found(
    truth: Mapping[str, Any],
    findings: Sequence[FindingRow],
    *,
    off: Collection[str] = (),
) -> Iterator[str]:
    """Yield what was planted and not found, each as a sentence."""
    found = {(finding["run_id"], finding["detector"]) for finding in findings}
    for run in truth["runs"]:
        detector = FOUND_BY.get(run["special"])
        if detector is None or detector in off:
            continue
        if (run["run_id"], detector) not in found:
            yield f"{detector} did not find the {run['special']} of {run['run_id']}"


def review_release(source: OwnerSource, truth: Mapping[str, Any]) -> Review:
    """Review the runs of the fleet's new version against those before it."""
    now_ns = time.time_ns()
    released_ns = min(run["start_ns"] for run in truth["runs"] if run["released"])
    first_ns = min(run["start_ns"] for run in truth["runs"])
    # Runs of other demos may have been at the same time.
    sessions = tuple(sorted({run["session_id"] for run in truth["runs"]}))
    return make_review(
        source,
        Span(since_ns=released_ns, until_ns=now_ns, sessions=sessions),
        Span(since_ns=first_ns, until_ns=released_ns, sessions=sessions),
        now_ns,
    )
