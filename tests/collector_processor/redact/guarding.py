"""Protections with settings of a test, and what they counted."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers._json_text import shortened
from fleetspan_collector.redact import (
    ContentPolicy,
    Protection,
    RedactionMetrics,
    RedactionSettings,
)

KEY = b"0123456789abcdef0123456789abcdef"


class Guard:
    """A protection and its counters.

    Args:
        policy: What becomes of content.
        limit_bytes: Past this many bytes a body is shown in part.
        settings: Other settings of redaction.
    """

    def __init__(
        self, policy: str = "redacted", limit_bytes: int = 1 << 20, **settings: Any
    ) -> None:
        self._registry = CollectorRegistry()
        self._limit_bytes = limit_bytes
        self.protection = Protection(
            RedactionSettings(policy=ContentPolicy(policy), **settings),
            KEY,
            RedactionMetrics(self._registry),
        )

    def apply(self, signal: Signal, payload: bytes) -> bytes:
        """Do with a payload what the intake does."""
        if not self.protection.wants(payload):
            return payload
        return self.protection.apply(
            signal, payload, lambda text: shortened(text, self._limit_bytes)
        )

    def counted(self, name: str = "redacted_values", **labels: str) -> float:
        """Return a counter, 0 when nothing was counted."""
        full = f"fleetspan_redaction_{name}_total"
        return self._registry.get_sample_value(full, labels) or 0
