"""How much of what happened is known, and by what runs can be filtered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import prometheus_client

from fleetspan_collector.web.api.rows import ReadsRows

Lags = Callable[[], Sequence[Mapping[str, Any]]]
"""Says how far behind each destination is, as `documents.Lag`."""

_FACETS: Final[Mapping[str, tuple[str, str]]] = {
    "model": ("Model", "canonical_llm_calls"),
    "agent": ("Name", "canonical_agents"),
    "tool": ("Tool", "canonical_tool_calls"),
    "service": ("Service", "canonical_runs"),
    "project": ("Project", "canonical_runs"),
    "environment": ("Environment", "canonical_runs"),
    "user": ("User", "canonical_runs"),
    "status": ("Status", "runs"),
    "detector": ("Detector", "findings"),
}
FACETS: Final = tuple(_FACETS)


def coverage(
    rows: ReadsRows,
    sees: str | None,
    since_s: int,
    registry: prometheus_client.CollectorRegistry,
    lags: Lags,
) -> dict[str, Any]:
    """Return the document of what is known, and what is not.

    Args:
        rows: The store.
        sees: Whose rows. Who sees one tenant is told nothing of this collector.
        since_s: Unix seconds.
        registry: The metrics of this collector.
        lags: How far behind destinations are.
    """
    found = dict(rows.of(sees, "page_coverage", {"since": since_s})[0])
    own: dict[str, Any] = {
        "refused": {},
        "rejected": {},
        "quarantined_records": 0,
        "forwarding": [],
    }
    if sees is None:
        own = {
            "refused": _by_reason(registry, "fleetspan_receiver_refused_requests"),
            "rejected": _by_reason(registry, "fleetspan_receiver_rejected_items"),
            "quarantined_records": _sum(
                registry, "fleetspan_journal_quarantined_records"
            ),
            "forwarding": [dict(lag) for lag in lags()],
        }
    return {**found, **own}


def facet(
    rows: ReadsRows, sees: str | None, field: str, since_s: int, prefix: str, limit: int
) -> dict[str, Any]:
    """Return the document of the values of a field.

    Args:
        rows: The store.
        sees: Whose rows.
        field: One of `FACETS`.
        since_s: Unix seconds.
        prefix: What is in the value; ``""`` for any.
        limit: How many.
    """
    expression, table = _FACETS[field]
    found = rows.of(
        sees,
        "page_facet",
        {"since": since_s, "prefix": prefix, "limit": limit},
        value=expression,
        table=table,
    )
    return {"field": field, "values": found}


def _by_reason(
    registry: prometheus_client.CollectorRegistry, name: str
) -> dict[str, int]:
    found: dict[str, int] = {}
    for labels, value in _samples(registry, name):
        reason = labels.get("reason", "")
        found[reason] = found.get(reason, 0) + int(value)
    return {reason: count for reason, count in found.items() if count}


def _sum(registry: prometheus_client.CollectorRegistry, name: str) -> int:
    return int(sum(value for _, value in _samples(registry, name)))


def _samples(
    registry: prometheus_client.CollectorRegistry, name: str
) -> list[tuple[Mapping[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for family in registry.collect()
        if family.name == name
        for sample in family.samples
        if sample.name in (name, f"{name}_total")
    ]
