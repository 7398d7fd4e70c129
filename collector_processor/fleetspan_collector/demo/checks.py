"""Whether what the agent programs did is what the store holds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.demo._truth import TOKENS
from fleetspan_collector.demo.fleet import DEMO_ATTRIBUTE
from fleetspan_collector.store.rows import RunRow

COUNTED: Final = ("agents", "llm_calls", "tool_calls", "errors", *TOKENS)
"""What is compared for each run."""

# How long to go on when nothing more comes.
_PATIENCE_S: Final = 6.0
_POLL_S: Final = 0.05
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store holds of one demo.

    Attributes:
        spans: Rows of spans.
        distinct_spans: Spans, each counted once.
        starts: Rows of start events.
        runs: The demo's runs, latest first.
    """

    spans: int
    distinct_spans: int
    starts: int
    runs: list[RunRow]


def read_back(
    source: OwnerSource, truth: Mapping[str, Any], *, demo_id: str, database: str
) -> Stored:
    """Read what the store holds, once everything is there or nothing more comes.

    Args:
        source: The collector.
        truth: What was done, as `gather` returns it.
        demo_id: Marks what the demo sent.
        database: Of the store.
    """
    first_ns = min(run["start_ns"] for run in truth["runs"])
    since = datetime.fromtimestamp(first_ns / 1e9 - 1, UTC)
    ids = {run["run_id"] for run in truth["runs"]}
    before: Stored | None = None
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        runs = [run for run in source.runs(since, None) if run["run_id"] in ids]
        stored = Stored(runs=runs, **_count(source, demo_id, database))
        if not any(differences(truth, stored)):
            return stored
        if stored != before:
            before, deadline = stored, time.monotonic() + _PATIENCE_S
        elif time.monotonic() >= deadline:
            return stored
        time.sleep(_POLL_S)


def _count(source: OwnerSource, demo_id: str, database: str) -> dict[str, int]:
    marked = f"ResourceAttributes['{DEMO_ATTRIBUTE}'] = '{demo_id}'"
    query = (
        "SELECT count() AS spans, uniqExact(TraceId, SpanId) AS distinct_spans, "  # noqa: S608 - nothing of it comes from outside
        f"(SELECT count() FROM {database}.otel_logs WHERE {marked}"
        " AND EventName LIKE 'fleetspan.%.start') AS starts"
        f" FROM {database}.otel_traces WHERE {marked}"
    )
    row = json.loads(b"".join(source.sql(query, "JSONEachRow")))
    return {name: int(number) for name, number in row.items()}


def differences(truth: Mapping[str, Any], stored: Stored) -> Iterator[str]:
    """Yield each difference between what was done and what is stored, as a sentence."""
    for what, sent, found in (
        ("spans", truth["spans"], stored.spans),
        ("different spans", truth["spans"], stored.distinct_spans),
        ("start events", truth["starts"], stored.starts),
        ("runs", len(truth["runs"]), len(stored.runs)),
    ):
        if sent != found:
            yield f"{sent} {what} were sent and {found} are stored"
    found_by_id: dict[str, Mapping[str, Any]] = {
        run["run_id"]: run for run in stored.runs
    }
    for run in truth["runs"]:
        row = found_by_id.get(run["run_id"])
        if row is None:
            yield f"the run {run['run_id']} ({run['name']}) is missing"
            continue
        for name in COUNTED:
            if (row[name] or 0) != run[name]:
                yield (
                    f"the run {run['run_id']} ({run['name']}) made {run[name]} {name} "
                    f"and {row[name]} are stored"
                )


def check(truth: Mapping[str, Any], stored: Stored, *, unready: str = "") -> None:
    """Compare what was done with what is stored.

    Args:
        truth: What was done, as `gather` returns it.
        stored: What is stored.
        unready: What the collector says is wrong with it, if anything.

    Raises:
        CollectorError: When they differ.
    """
    found = list(differences(truth, stored))
    if found:
        parts = found[:_SHOWN]
        if len(found) > _SHOWN:
            parts.append(f"and {len(found) - _SHOWN} more")
        if unready:
            parts.append(f"the collector is not ready: {unready}")
        raise CollectorError(
            "what is stored is not what was sent",
            because="; ".join(parts),
            suggestion="fleetspan doctor",
        )


def why_unready(source: OwnerSource) -> str:
    """Return what the collector says is wrong with it; empty when nothing is."""
    try:
        source.get("/readyz")
    except CollectorError as error:
        return error.because
    return ""
