"""What ingest counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class IngestMetrics:
    """Metrics of the way from journal to canonical rows.

    Attributes:
        inserted_rows: Raw rows that are in the store, by signal.
        reconciled_segments: Segments of which the store was asked what it holds.
        failures: Attempts to insert or derive that failed and are tried again, by step.
        resolved_groups: Traces and sessions that were resolved, repeats included.
        failed_groups: Traces and sessions that could not be resolved; see the log.
        step_seconds: Time of one step over one round, by step.
        lag_seconds: Age of the oldest journaled record that is not readable yet.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.inserted_rows = Counter(
            "fleetspan_ingest_inserted_rows_total",
            "Raw rows inserted into the store.",
            ["signal"],
            registry=registry,
        )
        self.reconciled_segments = Counter(
            "fleetspan_ingest_reconciled_segments_total",
            "Segments whose rows in the store were compared before inserting.",
            registry=registry,
        )
        self.failures = Counter(
            "fleetspan_ingest_failures_total",
            "Failed attempts, each tried again.",
            ["step"],
            registry=registry,
        )
        self.resolved_groups = Counter(
            "fleetspan_ingest_resolved_groups_total",
            "Traces and sessions resolved, repeats included.",
            registry=registry,
        )
        self.failed_groups = Counter(
            "fleetspan_ingest_failed_groups_total",
            "Traces and sessions that could not be resolved.",
            registry=registry,
        )
        self.step_seconds = Histogram(
            "fleetspan_ingest_step_seconds",
            "Seconds of one step of one round.",
            ["step"],
            buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
            registry=registry,
        )
        self.lag_seconds = Gauge(
            "fleetspan_ingest_lag_seconds",
            "Age of the oldest journaled record that cannot be read yet.",
            registry=registry,
        )
