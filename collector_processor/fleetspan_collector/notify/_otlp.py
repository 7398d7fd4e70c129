"""The destination that takes everything: findings, run summaries and metrics as OTLP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)

from fleetspan_collector.config._destination import Destination as Forwarding
from fleetspan_collector.config._hook import RESERVED
from fleetspan_collector.config._notify_settings import NotifySettings
from fleetspan_collector.notify._destination import Outcome, Verdict, Wanted, clip
from fleetspan_collector.notify._exporters import (
    TIMEOUT_S,
    LogSender,
    Sent,
    log_sender,
    metric_exporter,
)
from fleetspan_collector.notify._forwarded import ForwardedLogs
from fleetspan_collector.notify._log_records import (
    SCOPE_NAME,
    VERSION,
    collector_resource,
    log_record,
)
from fleetspan_collector.notify._notice import Notice
from fleetspan_collector.notify.metrics import NotifyMetrics

logger = logging.getLogger("fleetspan.notify")

_MOST_REQUEST_BYTES: Final = 1 << 20
_LAST_EXPORT_S: Final = 1.5


class Otlp:
    """Sends log events, many at once; what was not taken is tried until it is too old.

    Args:
        name: In every record of a delivery.
        sender: Sends them.
        secrets: What must not stand in a record of a delivery.
        metrics: Where it counts what a receiver has not taken.
        tenants: Whose; empty for everybody's.
    """

    together = 512
    attempts: int | None = None

    def __init__(
        self,
        name: str,
        sender: LogSender,
        secrets: Sequence[str],
        metrics: NotifyMetrics,
        tenants: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.wanted = Wanted(runs=True, tenants=tenants)
        self._sender = sender
        self._secrets = tuple(secrets)
        self._metrics = metrics
        self._resource = collector_resource()
        self._interrupted = threading.Event()

    def deliver(self, notices: Sequence[Notice], attempt: int) -> Sequence[Verdict]:
        """Send log events."""
        verdicts: list[Verdict] = []
        while len(verdicts) < len(notices):
            part = _fitting(notices[len(verdicts) :])
            verdicts += self._deliver(part)
            if verdicts[-1].outcome is Outcome.RETRY:
                # The others would fare alike, each after its own timeout.
                verdicts += [verdicts[-1]] * (len(notices) - len(verdicts))
        return verdicts

    def interrupt(self) -> None:
        """End at once what is under way."""
        if not self._interrupted.is_set():
            self._interrupted.set()
            self._sender.shutdown()

    def _deliver(self, notices: Sequence[Notice]) -> list[Verdict]:
        if self._interrupted.is_set():
            return [Verdict(outcome=Outcome.RETRY)] * len(notices)
        sent = self._sender.send([log_record(each, self._resource) for each in notices])
        if sent.bad and len(notices) > 1:
            # One bad record must not take its neighbours with it.
            middle = len(notices) // 2
            return self._deliver(notices[:middle]) + self._deliver(notices[middle:])
        return [self._verdict(sent, len(notices))] * len(notices)

    def _verdict(self, sent: Sent, count: int) -> Verdict:
        text = clip(sent.message, self._secrets)
        if not sent.delivered:
            return Verdict(
                outcome=Outcome.REFUSED if sent.bad else Outcome.RETRY,
                code=sent.code,
                answer=text,
                unreachable=not sent.bad,
            )
        if sent.rejected:
            # Which ones is not said, and the protocol forbids to send them again.
            self._metrics.rejected.inc(sent.rejected)
            text = clip(f"{sent.rejected} of {count} not taken: {text}")
            logger.warning("the OTLP receiver has not taken all: %s", text)
        return Verdict(outcome=Outcome.DELIVERED, code=sent.code, answer=text)


def _fitting(notices: Sequence[Notice]) -> Sequence[Notice]:
    """The first of some notices, as many as fit into a request, and at least one."""
    size_bytes = 0
    for count, notice in enumerate(notices):
        size_bytes += notice.size_bytes
        if count and size_bytes > _MOST_REQUEST_BYTES:
            return notices[:count]
    return notices


def otlp_of(settings: NotifySettings, metrics: NotifyMetrics) -> Otlp:
    """The one of ``notify_otlp_endpoint``."""
    headers = dict(settings.notify_otlp_headers.pairs)
    sender = log_sender(
        settings.notify_otlp_protocol, settings.notify_otlp_endpoint, headers
    )
    return Otlp(RESERVED, sender, tuple(headers.values()), metrics)


def forwarded_of(destination: Forwarding, metrics: NotifyMetrics) -> Otlp:
    """The one of a destination of ``forward``.

    Raises:
        OSError: When a file of TLS cannot be read.
    """
    secrets = [value for _, value in destination.headers.pairs]
    return Otlp(
        f"forward:{destination.name}",
        ForwardedLogs(destination),
        secrets,
        metrics,
        destination.tenants,
    )


class OtlpMetrics:
    """Exports metrics now and then; sums, so that a failed export is made up for.

    Args:
        settings: Where to, and how often.
        metrics: Where it counts failed exports.
    """

    def __init__(self, settings: NotifySettings, metrics: NotifyMetrics) -> None:
        self._exporter = metric_exporter(
            settings.notify_otlp_protocol,
            settings.notify_otlp_endpoint,
            dict(settings.notify_otlp_headers.pairs),
        )
        reader = PeriodicExportingMetricReader(
            _Counted(self._exporter, metrics),
            export_interval_millis=settings.notify_otlp_interval_s * 1000,
            export_timeout_millis=TIMEOUT_S * 1000,
        )
        self._provider = MeterProvider(
            [reader], resource=collector_resource(), shutdown_on_exit=False
        )

    @property
    def meter(self) -> Meter:
        """Makes instruments."""
        return self._provider.get_meter(SCOPE_NAME, VERSION)

    def stop(self, timeout_s: float) -> None:
        """Export once more, and end."""
        ending = threading.Thread(
            target=self._provider.shutdown,
            args=(timeout_s * 1000,),
            name="fleetspan-notify-metrics",
            daemon=True,
        )
        ending.start()
        ending.join(min(timeout_s, _LAST_EXPORT_S))
        if ending.is_alive():
            # It tries again and again, where nobody listens.
            self._exporter.shutdown()


class _Counted(MetricExporter):
    """Counts failures; sums are cumulative whatever the environment says."""

    def __init__(self, exporter: MetricExporter, metrics: NotifyMetrics) -> None:
        super().__init__()
        self._exporter = exporter
        self._metrics = metrics
        self._failing = False

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,
        **options: Any,
    ) -> MetricExportResult:
        result = self._exporter.export(metrics_data, timeout_millis, **options)
        failed = result is not MetricExportResult.SUCCESS
        if failed:
            self._metrics.metric_failures.inc()
        if failed is not self._failing:
            self._failing = failed
            how = "cannot be exported for now" if failed else "are exported again"
            logger.log(logging.WARNING if failed else logging.INFO, "metrics %s", how)
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        self._exporter.shutdown(timeout_millis, **options)
