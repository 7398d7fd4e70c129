"""What telling counts, and what is told of runs in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from fleetspan_collector.notify._attempt import Attempt


class NotifyMetrics:
    """How telling goes.

    Attributes:
        attempts: Attempts, by destination and outcome.
        seconds: Time of one attempt, by destination.
        waiting: Notices that wait in memory, by destination.
        deferred: Notices that did not fit in memory and are read from the store later.
        unrecorded: Attempts that are missing from the record.
        rejected: Log records that an OTLP receiver took a request of, but not them.
        metric_failures: Exports of metrics that failed; the next one makes up for it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "fleetspan_notify_attempts_total",
            "Attempts to tell a destination.",
            ["destination", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "fleetspan_notify_attempt_seconds",
            "Seconds of one attempt to tell a destination.",
            ["destination"],
            buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300),
            registry=registry,
        )
        self.waiting = Gauge(
            "fleetspan_notify_waiting",
            "Findings and runs that wait in memory to be told.",
            ["destination"],
            registry=registry,
        )
        self.deferred = Counter(
            "fleetspan_notify_deferred_total",
            "Findings and runs that did not fit in memory and are read again later.",
            registry=registry,
        )
        self.unrecorded = Counter(
            "fleetspan_notify_unrecorded_total",
            "Attempts that could not be written into the record of deliveries.",
            registry=registry,
        )
        self.rejected = Counter(
            "fleetspan_notify_otlp_rejected_total",
            "Log records that an OTLP receiver said it did not take.",
            registry=registry,
        )
        self.metric_failures = Counter(
            "fleetspan_notify_otlp_metric_failures_total",
            "Exports of metrics that failed; their sums are in the next one.",
            registry=registry,
        )

    def attempted(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self.attempts.labels(attempt.destination, str(attempt.outcome)).inc(
            max(len(attempt.notices), 1)
        )
        self.seconds.labels(attempt.destination).observe(attempt.seconds)
