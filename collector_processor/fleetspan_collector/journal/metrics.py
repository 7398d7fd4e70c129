"""What the journal counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FSYNC_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
_GROUP_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class JournalMetrics:
    """The journal's metrics. Labels: ``signal`` (five values), ``reason`` (a few).

    Args:
        registry: Where they are registered; ``None`` for a registry of their own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = CollectorRegistry() if registry is None else registry

        def counter(name: str, text: str, *labels: str) -> Counter:
            name = f"fleetspan_journal_{name}"
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            name = f"fleetspan_journal_{name}"
            return Gauge(name, text, labels, registry=registry)

        self.records = counter("records", "Records made durable.", "signal")
        self.rows = counter("rows", "Rows of the records made durable.", "signal")
        self.payload_bytes = counter(
            "payload_bytes", "Payload bytes of the records made durable.", "signal"
        )
        self.duplicates = counter(
            "duplicates", "Requests acknowledged as sent before.", "signal"
        )
        self.refused = counter("refused", "Requests refused.", "reason")
        self.group_size = Histogram(
            "fleetspan_journal_group_size",
            "Requests that one commit made durable.",
            buckets=_GROUP_BUCKETS,
            registry=registry,
        )
        self.fsync_seconds = Histogram(
            "fleetspan_journal_fsync_seconds",
            "Time of one fdatasync of a segment.",
            buckets=_FSYNC_BUCKETS_S,
            registry=registry,
        )
        self.poisoned = counter(
            "poisoned_segments", "Segments given up after a failed write or fsync."
        )
        self.recovered_records = counter(
            "recovered_records", "Records found intact at start-up.", "signal"
        )
        self.cut_bytes = counter("cut_bytes", "Bytes of torn ends cut at start-up.")
        self.quarantined_records = counter(
            "quarantined_records", "Records moved to quarantine.", "signal", "reason"
        )
        self.quarantine_deleted_records = counter(
            "quarantine_deleted_records", "Quarantined records deleted to make room."
        )
        self.forgotten_ids = counter(
            "forgotten_ids", "Record ids forgotten before the window was over."
        )
        self.open_bytes = gauge(
            "open_bytes", "Durable bytes in segments not yet sealed.", "signal"
        )
        self.sealed_segments = gauge(
            "sealed_segments", "Sealed segments that wait to be ingested."
        )
        self.sealed_bytes = gauge(
            "sealed_bytes", "Bytes of sealed segments that wait to be ingested."
        )
        self.waiting_bytes = gauge("waiting_bytes", "Bytes that wait for the disk.")
