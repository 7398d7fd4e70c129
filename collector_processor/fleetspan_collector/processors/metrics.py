"""What processors count."""

from __future__ import annotations

import prometheus_client


class ProcessorMetrics:
    """Counters of analysis, for ``/metrics``.

    Args:
        registry: Where they are listed.
    """

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.runs = prometheus_client.Counter(
            "fleetspan_analysed_runs",
            "Runs that were analysed, again each time they changed.",
            registry=registry,
        )
        self.waiting = prometheus_client.Gauge(
            "fleetspan_dirty_runs",
            "Runs that have changed and wait to be analysed.",
            registry=registry,
        )
        self.seconds = prometheus_client.Counter(
            "fleetspan_processor_seconds",
            "Seconds that each processor has worked.",
            ["processor"],
            registry=registry,
        )
        self.failures = prometheus_client.Counter(
            "fleetspan_processor_failures",
            "Runs that a processor failed on (error), hung on (hang), or ended its "
            "process on (crash).",
            ["processor", "reason"],
            registry=registry,
        )
        self.off = prometheus_client.Gauge(
            "fleetspan_processor_off",
            "1 for a processor that is switched off: it hung too often, or could not be "
            "made.",
            ["processor"],
            registry=registry,
        )
        self.dropped = prometheus_client.Counter(
            "fleetspan_findings_dropped",
            "Findings beyond what one processor may say of one run.",
            registry=registry,
        )
        self.rounds = prometheus_client.Counter(
            "fleetspan_analysis_failures",
            "Rounds of analysis that failed as a whole, and are tried again.",
            registry=registry,
        )
