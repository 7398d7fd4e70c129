"""What the receivers count."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Every value that a `protocol` label can have.
PROTOCOLS: Final = ("grpc", "http/protobuf", "http/json")

_HOOK_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)


class ReceiverMetrics:
    """The receivers' metrics.

    Attributes:
        requests: Requests accepted, after they were durable.
        items: Spans, log records and data points in accepted requests.
        bytes: Bytes in accepted requests, decompressed, as handed to the journal.
        refused: Requests answered with an error, by reason.
        rejected: Items taken out of requests that were otherwise accepted, by reason.
        rewritten_values: Attribute and body values nested too deep for the store,
            replaced by their JSON text.
        internal_faults: Requests answered with "try again" because of a fault of ours.
        in_flight_bytes: Request bytes held now.
        claude_hooks: Hooks of Claude Code accepted, by event; ``unknown`` for events that
            this version does not know, ``unreadable`` for none.
        claude_problems: What was wrong with hooks and transcript lines that were kept
            all the same, by reason.
        claude_hook_seconds: From a hook's last byte to its answer.
        grpc_unread_calls: gRPC calls begun whose message has not arrived: under way, cut
            off, or over the size limit, which gRPC itself refuses without telling us.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        by_protocol = ("signal", "protocol")
        self.requests = Counter(
            "fleetspan_receiver_requests_total",
            "Requests accepted, after they were durable.",
            by_protocol,
            registry=registry,
        )
        self.items = Counter(
            "fleetspan_receiver_items_total",
            "Spans, log records and data points in accepted requests.",
            by_protocol,
            registry=registry,
        )
        self.bytes = Counter(
            "fleetspan_receiver_bytes_total",
            "Bytes in accepted requests, decompressed, as handed to the journal.",
            by_protocol,
            registry=registry,
        )
        self.refused = Counter(
            "fleetspan_receiver_refused_requests_total",
            "Requests answered with an error, by reason.",
            (*by_protocol, "reason"),
            registry=registry,
        )
        self.rejected = Counter(
            "fleetspan_receiver_rejected_items_total",
            "Items taken out of requests that were otherwise accepted, by reason.",
            ("signal", "reason"),
            registry=registry,
        )
        self.rewritten_values = Counter(
            "fleetspan_receiver_rewritten_values_total",
            "Values nested too deep for the store, replaced by their JSON text.",
            ("signal",),
            registry=registry,
        )
        self.internal_faults = Counter(
            "fleetspan_receiver_internal_faults_total",
            'Requests answered with "try again" because of a fault of ours.',
            by_protocol,
            registry=registry,
        )
        self.in_flight_bytes = Gauge(
            "fleetspan_receiver_in_flight_bytes",
            "Request bytes held now.",
            registry=registry,
        )
        self.claude_hooks = Counter(
            "fleetspan_receiver_claude_hooks_total",
            "Hooks of Claude Code accepted, by event.",
            ("event",),
            registry=registry,
        )
        self.claude_problems = Counter(
            "fleetspan_receiver_claude_problems_total",
            "What was wrong with hooks and transcript lines that were kept all the same.",
            ("signal", "reason"),
            registry=registry,
        )
        self.claude_hook_seconds = Histogram(
            "fleetspan_receiver_claude_hook_seconds",
            "From the last byte of a hook to its answer, in seconds.",
            buckets=_HOOK_BUCKETS_S,
            registry=registry,
        )
        self.grpc_unread_calls = Gauge(
            "fleetspan_receiver_grpc_unread_calls",
            "gRPC calls begun whose message is under way, was cut off or over the limit.",
            registry=registry,
        )
