"""What is counted of those who ask."""

from __future__ import annotations

import prometheus_client


class AccessMetrics:
    """Counts who was turned away.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.refused = prometheus_client.Counter(
            "fleetspan_access_refused",
            "Requests turned away for their key, by where and why.",
            ["face", "reason"],
            registry=registry,
        )
