"""What forwarding counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class ForwardMetrics:
    """Counters of all destinations.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(
                f"fleetspan_forward_{name}",
                text,
                ["destination", *labels],
                registry=registry,
            )

        self.requests = counter("requests", "Requests that were taken.", "signal")
        self.rows = counter("rows", "Spans, records and points in them.", "signal")
        self.rejected = counter("rejected", "Of these, not taken after all.")
        self.retries = counter("retries", "Attempts that failed and are made again.")
        self.dropped = counter(
            "dropped_records", "Requests given up, by why.", "reason"
        )
        self.lag_seconds = Gauge(
            "fleetspan_forward_lag_seconds",
            "Age of the oldest record that is not there yet.",
            ["destination"],
            registry=registry,
        )
