"""The stream of one collector: fed by the journal and by what is derived, read by many."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import prometheus_client

from fleetspan_collector._signals import Signal, Submission
from fleetspan_collector.insights.documents import severity_of
from fleetspan_collector.live import claude_code, spans
from fleetspan_collector.live.event import Event, make_event
from fleetspan_collector.live.frames import Frames
from fleetspan_collector.live.ring import Ring
from fleetspan_collector.processors.run import Run
from fleetspan_collector.processors.writing import Written

logger = logging.getLogger("fleetspan.live")

MOST_LISTENERS: Final = 256
_MOST_WAITING_BYTES: Final = 32 << 20
_LINGER_S: Final = 60.0


class LiveMetrics:
    """What is counted of the stream.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.listeners = prometheus_client.Gauge(
            "fleetspan_live_listeners", "Open streams.", registry=registry
        )
        self.events = prometheus_client.Counter(
            "fleetspan_live_events", "Events made.", ["kind"], registry=registry
        )
        self.missed = prometheus_client.Counter(
            "fleetspan_live_missed",
            "Events that streams were told they had missed, or that were never made, by why.",
            ["reason"],
            registry=registry,
        )


class Live:
    """Makes events of what arrives while somebody listens.

    Args:
        registry: Where it counts.

    Attributes:
        ring: The events.
        frames: The same as streams send them.
        metrics: What is counted.
        linger_s: For how long events go on being made when nobody listens, in seconds:
            who was cut off comes back.
    """

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.ring = Ring()
        self.frames = Frames(self.ring)
        self.metrics = LiveMetrics(registry)
        self.linger_s = _LINGER_S
        self._listening = 0
        self._until_s = 0.0
        self._unmade = False
        self._waiting: queue.SimpleQueue[tuple[Submission, int] | None] = (
            queue.SimpleQueue()
        )
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._closed = False
        self._complained = False
        self._thread = threading.Thread(
            target=self._work, name="fleetspan-live", daemon=True
        )
        self._thread.start()
        self.ring.when_new(self._wake)

    @property
    def wants_live(self) -> bool:
        """Whether somebody listens, or did a moment ago."""
        return self._listening > 0 or time.monotonic() < self._until_s

    @property
    def closed(self) -> bool:
        """Whether the stream has ended."""
        return self._closed

    @property
    def is_full(self) -> bool:
        """Whether there are as many listeners as there may be."""
        return self._listening >= MOST_LISTENERS

    def listen(self) -> None:
        """Begin to listen, in the event loop that will wait for news."""
        if self._unmade and not self.wants_live:
            # Who comes back after a while in which nobody listened has missed something.
            self._unmade = False
            self.ring.renew()
        self._loop = asyncio.get_running_loop()
        self._listening += 1
        self.metrics.listeners.set(self._listening)

    def leave(self) -> None:
        """Listen no more."""
        self._listening -= 1
        self._until_s = time.monotonic() + self.linger_s
        self.metrics.listeners.set(self._listening)

    async def news(self, timeout_s: float) -> bool:
        """Wait until there is an event that was not there at the call before.

        Returns:
            False when there was none in time.
        """
        waiting = self._news
        try:
            async with asyncio.timeout(timeout_s):
                await waiting.wait()
        except TimeoutError:
            return False
        return True

    def durable(self, requests: Sequence[Submission], received_ns: int) -> None:
        """Take what the journal has just made durable; called by its writer."""
        if not self.wants_live:
            self._unmade = True
            return
        for request in requests:
            size = len(request.payload)
            with self._lock:
                full = self._waiting_bytes + size > _MOST_WAITING_BYTES
                if not full:
                    self._waiting_bytes += size
            if full:
                self.ring.skip(request.rows)
                self.metrics.missed.labels("behind").inc(request.rows)
            else:
                self._waiting.put((request, received_ns))

    def changed(self, runs: Iterable[tuple[str, str, int]]) -> None:
        """Tell that canonical rows of runs have changed: tenant, run id, hour."""
        if not self.wants_live:
            self._unmade = True
            return
        now_ns = time.time_ns()
        self._add(
            make_event(tenant, "run", "info", now_ns, {"run_id": run_id})
            for tenant, run_id, _ in runs
        )

    def analysed(self, runs: Sequence[Run], written: Written) -> None:
        """Tell what processors say of runs that is new."""
        if not self.wants_live:
            self._unmade = True
            return
        self._add(map(_finding, written.findings.to_pylist()))
        now_ns = time.time_ns()
        self._add(
            make_event(
                *(each.facts.tenant, "run", "info", now_ns),
                {"run_id": each.facts.run_id},
            )
            for each in runs
        )

    def close(self) -> None:
        """End all streams; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        self._thread.join()
        self._wake()

    def _add(self, events: Iterable[Event]) -> None:
        made = list(events)
        if made:
            for event in made:
                self.metrics.events.labels(event.kind).inc()
            self.ring.add(made)

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._announce)

    def _announce(self) -> None:
        """Wake whoever waits, and let whoever comes later wait anew."""
        self._news.set()
        self._news = asyncio.Event()

    def _work(self) -> None:
        while (taken := self._waiting.get()) is not None and not self._closed:
            request, received_ns = taken
            try:
                self._add(_events(request, received_ns))
            except Exception:
                # One request that cannot be shown is no reason to show nothing more.
                self.metrics.missed.labels("failed").inc(request.rows)
                self.ring.skip(request.rows)
                if not self._complained:
                    self._complained = True
                    logger.exception("a request could not be shown live")
            finally:
                with self._lock:
                    self._waiting_bytes -= len(request.payload)


def _events(request: Submission, received_ns: int) -> Iterator[Event]:
    makers: dict[Signal, Callable[[], Iterator[Event]]] = {
        Signal.TRACES: lambda: spans.spans(request.tenant, request.payload),
        Signal.LOGS: lambda: spans.logs(request.tenant, request.payload),
        Signal.CLAUDE_HOOKS: lambda: claude_code.hook(
            request.tenant, request.payload, received_ns
        ),
        Signal.TRANSCRIPT_LINES: lambda: claude_code.lines(
            request.tenant, request.payload, received_ns
        ),
    }
    make = makers.get(request.signal)
    return make() if make is not None else iter(())


def _finding(row: dict[str, Any]) -> Event:
    return make_event(
        row["Tenant"],
        "finding",
        severity_of(row["Severity"]).value,
        time.time_ns(),
        {
            "group": row.get("GroupKey") or row.get("TraceId"),
            "run_id": row["RunId"],
            "session_id": row["SessionId"],
            "agent_id": row["AgentId"],
            "agent": row["AgentName"],
            "name": row["Detector"],
            "thing_id": row["FindingId"],
            "cost_usd": row["Usd"],
            "text": row["What"],
        },
    )
