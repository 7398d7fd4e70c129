"""What Jaeger's interface counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class JaegerMetrics:
    """The metrics of Jaeger's interface.

    Attributes:
        calls: Calls answered, by method and gRPC status.
        seconds: How long they took, by method.
        spans: Spans sent.
        cut_spans: Spans whose values were cut, because they do not fit into a message.
        left_out: Spans and traces left out of answers, by reason.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "fleetspan_jaeger_calls_total",
            "Calls answered, by method and gRPC status.",
            ("method", "code"),
            registry=registry,
        )
        self.seconds = Histogram(
            "fleetspan_jaeger_call_seconds",
            "How long calls took.",
            ("method",),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.spans = Counter(
            "fleetspan_jaeger_spans_total", "Spans sent.", registry=registry
        )
        self.cut_spans = Counter(
            "fleetspan_jaeger_cut_spans_total",
            "Spans whose values were cut, because they do not fit into a message.",
            registry=registry,
        )
        self.left_out = Counter(
            "fleetspan_jaeger_left_out_total",
            "Spans and traces left out of answers, by reason.",
            ("reason",),
            registry=registry,
        )
