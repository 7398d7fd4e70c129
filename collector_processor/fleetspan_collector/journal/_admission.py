"""Whether one more request may come in."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fleetspan_collector._errors import Refused
from fleetspan_collector.journal._shelf import Shelf
from fleetspan_collector.journal.metrics import JournalMetrics
from fleetspan_collector.journal.settings import JournalSettings

_CHECK_S = 1.0  # how often the free space is asked for, at most
_FULL_DISK_PAUSE_S = 0.5  # after a full disk, how long nothing is tried
_OVERHEAD_BYTES = 256  # what a waiting request costs beside its payload


class Admission:
    """The bounds of the journal. Its methods are called under `lock`.

    Args:
        directory: A directory on the file system whose free space counts.
        settings: The bounds.
        shelf: How much is on the disk.
        metrics: Where refusals are counted.
        refusal: Says why else nothing may come in; ``None`` for no reason.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: JournalSettings,
        shelf: Shelf,
        metrics: JournalMetrics,
        refusal: Callable[[], str | None] | None = None,
    ) -> None:
        self.lock = threading.Lock()
        self._directory = directory
        self._settings = settings
        self._shelf = shelf
        self._metrics = metrics
        self._others = refusal
        self._others_say: str | None = None
        self._others_at_s = -_CHECK_S
        self._waiting_bytes = 0
        self._waiting_requests = 0
        self.closed = False
        self._full_until_s = 0.0
        self._checked_at_s = 0.0
        self._free_bytes = 0

    def enter(self, payload_bytes: int) -> None:
        """Let one request in.

        Raises:
            Refused: When it must stay out.
        """
        settings = self._settings
        size = payload_bytes + _OVERHEAD_BYTES
        waiting = self._waiting_bytes
        if self.closed:
            raise self.refusal("closed", "the journal is closed")
        if time.monotonic() < self._full_until_s:
            raise self.refusal("disk_full", "the disk is full")
        if waiting and waiting + size > settings.max_waiting_bytes:
            raise self.refusal("queue_full", f"{waiting} bytes wait for the disk")
        if self._waiting_requests >= settings.max_waiting_requests:
            raise self.refusal(
                "queue_full", f"{self._waiting_requests} requests wait for the disk"
            )
        total = self._shelf.total_bytes + waiting + size
        if total > settings.max_bytes:
            raise self.refusal(
                "journal_full",
                f"the journal would hold {total} bytes, at most {settings.max_bytes}",
            )
        self._check_floor()
        self._check_others()
        self._waiting_bytes += size
        self._waiting_requests += 1

    def leave(self, payload_bytes: int, requests: int) -> None:
        """Take note that requests no longer wait."""
        self._waiting_bytes -= payload_bytes + requests * _OVERHEAD_BYTES
        self._waiting_requests -= requests
        self._metrics.waiting_bytes.set(self._waiting_bytes)

    def disk_full(self) -> None:
        """Take note that a write found no space."""
        self._full_until_s = time.monotonic() + _FULL_DISK_PAUSE_S

    def close(self) -> None:
        """Let nothing in any more."""
        self.closed = True

    def refusal(self, reason: str, message: str) -> Refused:
        """Count a refusal and return it."""
        self._metrics.refused.labels(reason).inc()
        return Refused(reason, message, retry_after_s=1.0)

    def _check_others(self) -> None:
        if self._others is None:
            return
        now_s = time.monotonic()
        if now_s >= self._others_at_s + _CHECK_S:
            self._others_at_s = now_s
            self._others_say = self._others()
        if self._others_say is not None:
            raise self.refusal("forwarding", self._others_say)

    def _check_floor(self) -> None:
        floor = self._settings.min_free_bytes
        if not floor:
            return
        now_s = time.monotonic()
        if now_s >= self._checked_at_s + _CHECK_S or not self._checked_at_s:
            try:
                disk = os.statvfs(self._directory)
            except OSError as error:
                raise self.refusal("journal_error", str(error)) from error
            self._free_bytes = disk.f_bavail * disk.f_frsize
            self._checked_at_s = now_s
        if self._free_bytes < floor:
            raise self.refusal(
                "disk_floor",
                f"{self._free_bytes} bytes are free on the disk, the floor is {floor}",
            )
