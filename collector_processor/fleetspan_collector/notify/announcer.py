"""Tells others of findings and runs, after they are durable and without anybody waiting.

::

    announce ─► clerk ─► worker ─► command          one worker, and thread, per destination
                 │  ▲    worker ─► webhook
                 ▼  │    worker ─► OTLP
               the record in the store
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import prometheus_client

from fleetspan_collector._errors import UsageError
from fleetspan_collector.config import Settings
from fleetspan_collector.config._addresses import is_one_of
from fleetspan_collector.config._destination import Destination as Forwarding
from fleetspan_collector.config._hook import Hook
from fleetspan_collector.notify._attempt import Backoff
from fleetspan_collector.notify._clerk import Clerk
from fleetspan_collector.notify._command import Command
from fleetspan_collector.notify._destination import Destination
from fleetspan_collector.notify._figures import Figures
from fleetspan_collector.notify._record import Record
from fleetspan_collector.notify._webhook import Webhook
from fleetspan_collector.notify._worker import Worker
from fleetspan_collector.notify.batch import AnalysisBatch
from fleetspan_collector.notify.metrics import NotifyMetrics
from fleetspan_collector.processors.run import Run
from fleetspan_collector.processors.writing import Written
from fleetspan_collector.store._engine import Engine

if TYPE_CHECKING:
    from fleetspan_collector.notify._otlp import OtlpMetrics

logger = logging.getLogger("fleetspan.notify")

_STOP_S: Final = 5.0


def tells_somebody(settings: Settings) -> bool:
    """Return whether findings go to anybody by themselves."""
    forwarded = any("events" in each.enrich for each in settings.forward)
    return bool(settings.notify_hooks or settings.notify_otlp_endpoint or forwarded)


class Announcer:
    """Tells every destination of the settings of what an analysis has found.

    Until it is started it only counts: a command that analyses what a collector has left
    tells nobody, the next collector does.

    Args:
        engine: Any connection to the store; it opens its own when somebody is to be told.
        settings: Who is to be told of what.
        registry: Where it counts; also gets findings and runs in figures.
        backoff: How long to wait between attempts.

    Attributes:
        wants_live: Whether somebody is told, so that runs are worth looking at while they
            still go on.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        registry: prometheus_client.CollectorRegistry,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._metrics = NotifyMetrics(registry)
        self._figures = Figures(registry)
        self._otlp_metrics: OtlpMetrics | None = None
        self._backoff = backoff
        self._keep_s = settings.notify_keep_trying_hours * 3600
        self._clerk = Clerk(self._keep_s, self._metrics)
        self._workers: list[Worker] = []
        self._forwarded = [each for each in settings.forward if "events" in each.enrich]
        self.wants_live = tells_somebody(settings)

    def start(self) -> None:
        """Begin to tell, first of what was not told before the last stop.

        Raises:
            UsageError: When a hook or the OTLP endpoint cannot be used.
            ClickHouseError: When the store fails.
        """
        destinations = self._destinations()
        if not destinations:
            return
        record = Record(self._engine.another())
        try:
            since_ms = record.since([each.name for each in destinations])
        except BaseException:
            record.close()
            raise
        self._workers = [
            Worker(
                each,
                record=self._clerk.note,
                keep_s=self._keep_s,
                backoff=self._backoff,
            )
            for each in destinations
        ]
        for worker in self._workers:
            worker.start()
        self._clerk.start(record, self._workers, since_ms)

    def _destinations(self) -> list[Destination]:
        settings = self._settings
        destinations = [_destination(hook, settings) for hook in settings.notify_hooks]
        if settings.notify_otlp_endpoint:
            _refuse_itself(settings)
            # Here: it brings OpenTelemetry's exporters with it.
            from fleetspan_collector.notify._otlp import OtlpMetrics, otlp_of

            destinations.append(otlp_of(settings, self._metrics))
            self._otlp_metrics = OtlpMetrics(settings, self._metrics)
            self._figures.attach(self._otlp_metrics.meter)
        for each in self._forwarded:
            destinations.append(self._forwarded_to(each))
        return destinations

    def _forwarded_to(self, forwarding: Forwarding) -> Destination:
        from fleetspan_collector.notify._otlp import forwarded_of

        try:
            return forwarded_of(forwarding, self._metrics)
        except OSError as error:
            raise UsageError(
                f"destination {forwarding.name} cannot be used",
                because=str(error),
                suggestion="fleetspan config show --origin",
            ) from error

    def stop(self, timeout_s: float = _STOP_S) -> None:
        """End what is under way and write down what was tried.

        What was not told is in the store, and is told after the next start.

        Args:
            timeout_s: What does not end in so many seconds is left behind.
        """
        until_s = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.stop()
        metrics, self._otlp_metrics = self._otlp_metrics, None
        exporting: threading.Thread | None = None
        if metrics is not None:
            # Beside: an endpoint that is down must not hold up the record.
            exporting = _beside(lambda: metrics.stop(timeout_s))
        # The record gets its share of the time even when a destination takes all of its.
        share_s = timeout_s / 2 / max(len(self._workers), 1)
        for worker in self._workers:
            if not worker.join(share_s):
                logger.warning("%s has not ended in time", worker.destination.name)
        if self._workers and not self._clerk.stop(max(until_s - time.monotonic(), 0)):
            logger.warning("the record of deliveries was not written in time")
        if exporting is not None:
            exporting.join(max(until_s - time.monotonic(), 0))

    def analysed(self, runs: Sequence[Run], written: Written) -> None:
        """Follow an analysis: as `announce`, for the scheduler."""
        self.announce(
            AnalysisBatch(
                findings=written.findings,
                analyses=written.analyses,
                facts=[run.facts for run in runs],
            )
        )

    def announce(self, batch: AnalysisBatch) -> None:
        """Take what is in the store by now; returns at once and never raises."""
        try:
            self._figures.count(batch)
            if self._workers:
                self._clerk.take(batch)
        except Exception:
            logger.exception("an analysis could not be announced")


def _destination(hook: Hook, settings: Settings) -> Destination:
    if hook.url:
        try:
            return Webhook(hook, _secret(hook))
        except ValueError as problem:
            raise _unusable(hook, str(problem)) from None
    if shutil.which(hook.command[0]) is None:
        raise _unusable(hook, f"there is no program {hook.command[0]!r}")
    return Command(hook, {"FLEETSPAN_DATA": str(settings.data)})


def _secret(hook: Hook) -> str:
    """The secret of a webhook; ``""`` when it has none.

    Raises:
        UsageError: When it cannot be had.
    """
    if hook.secret_env:
        secret = os.environ.get(hook.secret_env, "").strip()
        where = f"the environment variable {hook.secret_env}"
    elif hook.secret_file:
        where = f"the file {hook.secret_file}"
        try:
            secret = Path(hook.secret_file).expanduser().read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise _unusable(hook, f"{where} cannot be read: {why}") from None
    else:
        return ""
    if not secret:
        raise _unusable(hook, f"{where} holds no secret")
    return secret


def _unusable(hook: Hook, because: str) -> UsageError:
    return UsageError(
        f"the hook {hook.name!r} cannot be used",
        because=because,
        suggestion="correct it in notify_hooks: fleetspan config show --origin",
    )


def _refuse_itself(settings: Settings) -> None:
    """What this collector tells must not come back to it as something to look at."""
    if is_one_of(settings.notify_otlp_endpoint, (settings.grpc, settings.http)):
        raise UsageError(
            "the setting 'notify_otlp_endpoint' cannot be used",
            because=f"{settings.notify_otlp_endpoint} is this collector itself, which "
            "has its findings already",
            suggestion="name another receiver, or leave it empty",
        )


def _beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name="fleetspan-notify-stop", daemon=True)
    thread.start()
    return thread
