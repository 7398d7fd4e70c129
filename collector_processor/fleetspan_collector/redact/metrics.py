"""What redaction counts; no label ever holds text of a client."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class RedactionMetrics:
    """The metrics of redaction.

    Attributes:
        redacted: Secrets and personal data replaced by markers, by kind.
        content: Pieces of content taken out or replaced, by signal.
        looked_at: Requests that were looked at closely, by signal.
        rewritten: Requests that were changed, by signal.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.redacted = Counter(
            "fleetspan_redaction_redacted_values_total",
            "Secrets and personal data replaced by markers, by kind.",
            ("kind",),
            registry=registry,
        )
        self.content = Counter(
            "fleetspan_redaction_content_values_total",
            "Pieces of content taken out, or replaced by their length and hash.",
            registry=registry,
        )
        self.looked_at = Counter(
            "fleetspan_redaction_suspected_requests_total",
            "Requests in which something might have been, looked at closely.",
            ("signal",),
            registry=registry,
        )
        self.rewritten = Counter(
            "fleetspan_redaction_rewritten_requests_total",
            "Requests from which something was taken.",
            ("signal",),
            registry=registry,
        )
