"""Snapshots on their way to the collector, and where they wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_BYTES: Final = 1 << 20
"""State is sent, and stored, in pieces of this size; a change in one leaves the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot on its way to the collector.

    Attributes:
        fields: What the collector is told of it, as JSON.
        state: The state itself; None when it has none.
        chunks: SHA-256 of each piece of `CHUNK_BYTES` of the state, in order.
    """

    fields: dict[str, Any]
    state: bytes | None
    chunks: Sequence[str]

    def chunk(self, number: int) -> memoryview:
        """Return a piece of the state, without copying it."""
        start = number * CHUNK_BYTES
        return memoryview(self.state or b"")[start : start + CHUNK_BYTES]


class Outbox(Protocol):
    """Where snapshots go."""

    def put(self, snapshot: Snapshot, wait_s: float) -> None:
        """Take one, and wait at most so long until it has been tried to deliver it."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait until all are delivered; False when that takes longer."""
        ...

    def close(self) -> None:
        """Stop; what is not delivered by now is lost."""
        ...
