"""Findings and runs in figures: for ``/metrics``, and as OTLP where that is set up."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from fleetspan import _semconv as semconv
from fleetspan_collector.insights.documents import severity_of
from fleetspan_collector.notify.batch import AnalysisBatch
from fleetspan_collector.processors.finding import Severity

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

_MOST_DETECTORS: Final = 100
"""More of them, which only plugins can bring, are counted together as ``other``."""
_MOST_REMEMBERED: Final = 100_000
_STATUSES: Final = frozenset({"ok", "error", "abandoned"})
_SIZES: Final = (
    # Instrument, column, unit, buckets, what it is.
    (semconv.RUN_DURATION, "WallSeconds", "s", semconv.WORKFLOW_SECONDS, "Wall time"),
    (semconv.RUN_COST, "CostUsd", "USD", semconv.USD, "Cost in US dollars"),
    (semconv.RUN_SAVINGS, "SavedUsd", "USD", semconv.USD, "US dollars to be saved"),
    (
        semconv.RUN_TIME_SAVINGS,
        "SavedSeconds",
        "s",
        semconv.WORKFLOW_SECONDS,
        "Seconds to be saved",
    ),
)

_FINDING: Final = ("Tenant", "FindingId", "Detector", "Severity")
_RUN: Final = ("Tenant", "RunId", "RunOpen", "WallSeconds", "SavedUsd", "SavedSeconds")


class Figures:
    """Counts each finding once for each severity that it rises to, and each run once.

    Once for this process: a run that is summed up again after a restart counts again, in
    counters that have begun anew.

    Args:
        registry: Of ``/metrics``.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._findings = Counter(
            "fleetspan_findings_total",
            "Findings, counted when found and when their severity rises.",
            ["detector", "severity"],
            registry=registry,
        )
        self._sizes = {
            name: Histogram(
                f"{name.replace('.', '_')}_{'seconds' if unit == 's' else 'usd'}",
                f"{what} of runs that have ended.",
                ["status"],
                buckets=buckets,
                registry=registry,
            )
            for name, _, unit, buckets, what in _SIZES
        }
        self._detectors: set[str] = set()
        self._seen: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._otel_findings: Any = None
        self._otel_sizes: dict[str, Any] = {}

    def attach(self, meter: Meter) -> None:
        """Record everything with OpenTelemetry too."""
        self._otel_findings = meter.create_counter(
            semconv.FINDINGS, "{finding}", "Findings of processors"
        )
        self._otel_sizes = {
            name: meter.create_histogram(
                name,
                unit,
                f"{what} of runs that have ended",
                explicit_bucket_boundaries_advisory=buckets,
            )
            for name, _, unit, buckets, what in _SIZES
        }

    def count(self, batch: AnalysisBatch) -> None:
        """Count what is new in a batch."""
        for row in batch.finding_rows(_FINDING):
            severity = severity_of(row["Severity"])
            if self._is_new(
                ("finding", row["Tenant"], row["FindingId"]), severity.rank
            ):
                self._count(self._label(row["Detector"]), severity)
        for row in batch.analysis_rows(_RUN):
            key = ("run", row["Tenant"], row["RunId"])
            if not row["RunOpen"] and self._is_new(key, 0):
                self._measure(row)

    def _count(self, detector: str, severity: Severity) -> None:
        self._findings.labels(detector, str(severity)).inc()
        if self._otel_findings is not None:
            names = semconv.FINDING_ATTRIBUTES
            about = {names["detector"]: detector, names["severity"]: str(severity)}
            self._otel_findings.add(1, about)

    def _measure(self, row: dict[str, Any]) -> None:
        status = row["Status"] if row["Status"] in _STATUSES else "unknown"
        for name, column, *_ in _SIZES:
            size = row[column]
            if size is None:
                continue
            self._sizes[name].labels(status).observe(size)
            if name in self._otel_sizes:
                self._otel_sizes[name].record(size, {semconv.RUN_STATUS: status})

    def _is_new(self, key: tuple[str, str, str], level: int) -> bool:
        known = self._seen.get(key)
        if known is not None and known >= level:
            return False
        self._seen[key] = level
        while len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _label(self, detector: str) -> str:
        if detector not in self._detectors:
            if len(self._detectors) >= _MOST_DETECTORS:
                return "other"
            self._detectors.add(detector)
        return detector
