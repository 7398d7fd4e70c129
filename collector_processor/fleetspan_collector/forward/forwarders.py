"""All destinations, and what of the journal has to stay for them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import prometheus_client

from fleetspan_collector._errors import UsageError
from fleetspan_collector._signals import Signal
from fleetspan_collector.config import Settings
from fleetspan_collector.config._addresses import is_one_of
from fleetspan_collector.config._destination import Destination
from fleetspan_collector.forward.enrichment import RootSpans
from fleetspan_collector.forward.metrics import ForwardMetrics
from fleetspan_collector.forward.position import SIGNALS, Place, Position
from fleetspan_collector.forward.queue import DestinationQueue, Enrich
from fleetspan_collector.forward.sending import sender_of
from fleetspan_collector.forward.shelf import KeptSegments, Readable, readable
from fleetspan_collector.journal import Journal, Segment
from fleetspan_collector.store._engine import Engine

logger = logging.getLogger("fleetspan.forward")

_STOP_S: Final = 3.0
_KEPT: Final = "kept"


class Forwarders:
    """Sends what is journaled on, to every destination by itself.

    Made before the journal is opened, which then gives it what the store is done with.

    Args:
        settings: Names the destinations.
        registry: Where they count.
    """

    def __init__(
        self, settings: Settings, registry: prometheus_client.CollectorRegistry
    ) -> None:
        self._settings = settings
        self._kept = KeptSegments(settings.data / "journal" / _KEPT)
        self._told_full: set[str] = set()
        metrics = ForwardMetrics(registry)
        folder = settings.data / "forward"
        self._queues = [
            DestinationQueue(
                destination, _position(folder, destination.name), self._listed, metrics
            )
            for destination in settings.forward
        ]
        for each in self._queues:
            metrics.lag_seconds.labels(each.name).set_function(each.lag_s)
        self._journal: Journal | None = None
        self._roots: RootSpans | None = None

    @property
    def newest(self) -> str:
        """The newest batch id that destinations know: new segments come after it."""
        known = [self._kept.newest]
        for each in self._queues:
            known += [each.position.of(signal).batch_id for signal in SIGNALS]
        return max(known)

    def start(self, journal: Journal, engine: Engine) -> None:
        """Begin to send.

        Args:
            journal: Where records come from.
            engine: Any connection to the store, for what is added to spans.

        Raises:
            UsageError: When a destination cannot be used.
        """
        self._journal = journal
        for each in self._queues:
            destination = each.destination
            self._refuse_itself(destination)
            try:
                sender = sender_of(destination)
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"destination {destination.name} cannot be used",
                    because=str(error),
                    suggestion="fleetspan config show --origin",
                ) from error
            each.start(sender, self._enrich_of(destination, engine))
        self.tidy()

    def _refuse_itself(self, destination: Destination) -> None:
        """What is sent on must not come back, to be sent on again."""
        settings = self._settings
        if is_one_of(destination.url, (settings.grpc, settings.http)):
            raise UsageError(
                f"destination {destination.name} cannot be used",
                because=f"{destination.url} is this collector itself",
                suggestion="name another receiver in forward",
            )

    def _enrich_of(self, destination: Destination, engine: Engine) -> Enrich | None:
        if "spans" not in destination.enrich:
            return None
        if self._roots is None:
            self._roots = RootSpans(engine)
        return self._roots

    def news(self) -> None:
        """Take note that something is durable that was not."""
        for each in self._queues:
            each.news()

    def keep(self, segment: Segment) -> bool:
        """Take a segment that the store is done with, if a destination is not.

        Returns:
            Whether it was taken; else the journal deletes it.

        Raises:
            OSError: When the disk fails.
        """
        if segment.signal not in SIGNALS:
            return False
        waiting = [
            each
            for each in self._queues
            if each.wants(segment.signal) and not self._has_all(each, segment)
        ]
        if not waiting:
            return False
        self._kept.take(segment)
        self.tidy()
        return True

    def refusal(self) -> str | None:
        """Say why nothing more may come in; ``None`` while there is room."""
        if self._settings.forward_when_full != "refuse":
            return None
        for each in self._queues:
            waiting = self._waiting_bytes(each)
            if waiting > self._settings.forward_cap_bytes:
                return f"destination {each.name} is {waiting} bytes behind"
        return None

    def lags(self) -> Sequence[dict[str, Any]]:
        """Say how far behind each destination is, as the API has it."""
        return [
            {
                "destination": each.name,
                "waiting_bytes": self._waiting_bytes(each),
                "lag_s": each.lag_s(),
                "sent_requests": each.sent_requests,
                "dropped_records": each.dropped_records,
                "problem": each.problem,
            }
            for each in self._queues
        ]

    def stop(self) -> None:
        """End; what is not sent waits in the journal. Safe to call twice."""
        for each in self._queues:
            each.stop(_STOP_S)
        if self._roots is not None:
            self._roots.close()
            self._roots = None

    def _listed(self, signal: Signal) -> list[Readable]:
        if self._journal is None:
            return []
        return readable(self._journal, self._kept, signal)

    def _has_all(self, each: DestinationQueue, segment: Segment) -> bool:
        place = each.position.of(segment.signal)
        if place.batch_id != segment.batch_id:
            return place.batch_id > segment.batch_id
        return place.records >= segment.records

    def _waiting_bytes(self, each: DestinationQueue) -> int:
        return sum(
            self._kept.bytes_from(signal, each.position.of(signal).first_undone)
            for signal in SIGNALS
            if each.wants(signal)
        )

    def tidy(self) -> None:
        """Delete what every destination has, and make room where one lags too far."""
        if self._settings.forward_when_full == "drop":
            for each in self._queues:
                self._make_room(each)
        for signal in SIGNALS:
            wanting = [each for each in self._queues if each.wants(signal)]
            held = self._kept.listed(signal)
            if not held:
                continue
            after_all = held[-1].batch_id + "~"
            first = min(
                (each.position.of(signal).first_undone for each in wanting),
                default=after_all,
            )
            self._kept.drop_before(signal, first)

    def _make_room(self, each: DestinationQueue) -> None:
        excess = self._waiting_bytes(each) - self._settings.forward_cap_bytes
        if excess <= 0:
            return
        if each.name not in self._told_full:
            self._told_full.add(each.name)
            logger.error(
                "destination %s lags behind by more than forward_cap_bytes: the oldest of "
                "what waits for it is dropped, and counted",
                each.name,
            )
        for signal in SIGNALS:
            held = self._kept.listed(signal) if each.wants(signal) else []
            for older, newer in itertools.pairwise(held):
                if excess <= 0:
                    return
                if older.batch_id >= each.position.of(signal).batch_id:
                    each.pass_over(signal, newer.batch_id)
                    excess -= older.size_bytes


def _position(folder: Path, name: str) -> Position:
    """Return how far a destination has come; a new one begins with what waits now.

    Raises:
        UsageError: When that is kept and cannot be read.
    """
    try:
        return Position(
            folder / f"{name}.json", {signal: Place("", 0) for signal in SIGNALS}
        )
    except OSError as error:
        raise UsageError(
            f"destination {name} cannot be used",
            because=str(error),
            suggestion=f"remove {folder / name}.json, and what waits for it is sent again",
        ) from error
