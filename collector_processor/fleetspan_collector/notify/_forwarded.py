"""Findings and run summaries for a destination of ``forward``, as log events."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import ReadableLogRecord

from fleetspan_collector._signals import Signal
from fleetspan_collector.config._destination import Destination
from fleetspan_collector.forward.sending import Outcome, sender_of
from fleetspan_collector.notify._exporters import Sent


class ForwardedLogs:
    """Sends log records the way that telemetry is forwarded: address, headers, TLS.

    Args:
        destination: Where to.

    Raises:
        OSError: When a file of TLS cannot be read.
    """

    def __init__(self, destination: Destination) -> None:
        self._sender = sender_of(destination)

    def send(self, records: Sequence[ReadableLogRecord]) -> Sent:
        """Send records once."""
        payload = encode_logs(records).SerializeToString()
        sent = self._sender.send(Signal.LOGS, payload)
        return Sent(
            delivered=sent.outcome is Outcome.SENT,
            bad=sent.outcome is Outcome.REFUSED,
            rejected=sent.rejected,
            message=sent.message,
        )

    def shutdown(self) -> None:
        """End what is under way."""
        self._sender.close()
