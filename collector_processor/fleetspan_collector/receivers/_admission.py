"""How many request bytes are held at one time."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .._errors import Refused
from .metrics import ReceiverMetrics


class Admission:
    """Counts the request bytes in flight and refuses what would exceed the limit.

    A request that is alone is always let in, so that the limit can never lock out a
    single request of a legal size.

    Args:
        limit_bytes: The most bytes over all requests.
        retry_after_s: When a refused client should try again, in seconds.
        metrics: Where the bytes in flight are shown.
    """

    def __init__(
        self, limit_bytes: int, retry_after_s: float, metrics: ReceiverMetrics
    ) -> None:
        self._limit_bytes = limit_bytes
        self._retry_after_s = retry_after_s
        self._metrics = metrics
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Request bytes in flight now."""
        return self._held_bytes

    def reserve(self, size: int = 0) -> Reservation:
        """Make room for a request.

        Args:
            size: Its bytes so far; a request still arriving grows its reservation.

        Raises:
            Refused: When there is no room now.
        """
        reservation = Reservation(self)
        reservation.resize(size)
        return reservation

    def _change(self, before: int, after: int) -> None:
        others = self._held_bytes - before
        if after > before and others and others + after > self._limit_bytes:
            raise Refused(
                "in_flight_bytes",
                f"the collector holds {others} bytes of unfinished requests, its limit "
                f"is {self._limit_bytes}; try again shortly",
                retry_after_s=self._retry_after_s,
            )
        self._held_bytes = others + after
        self._metrics.in_flight_bytes.set(self._held_bytes)


class Reservation:
    """The bytes that one request holds; a context manager that gives them back."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def resize(self, size: int) -> None:
        """Hold this many bytes from now on.

        Raises:
            Refused: When there is no room for more; the old size stays held.
        """
        self._admission._change(self._size, size)
        self._size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.resize(0)
