"""What flows through the collector, and the door through which it enters.

A receiver validates a request and hands its bytes to a `Sink`; the journal is
the sink of a running collector.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Signal(StrEnum):
    """A kind of input; each has its own journal segments and raw tables."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"
    CLAUDE_HOOKS = "claude_hooks"
    TRANSCRIPT_LINES = "transcript_lines"
    SNAPSHOTS = "snapshots"
    SNAPSHOT_CHUNKS = "snapshot_chunks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One validated request on its way into the journal.

    Attributes:
        signal: What kind of request it is.
        tenant: Whose it is; ``""`` until keys are in use.
        payload: The protobuf bytes of the OTLP request, of one of `_claude_inputs`, or of
            `_snapshot_inputs`.
        rows: How many raw rows it becomes (spans, log records, data points, hooks,
            lines), at least 0.
        record_id: 16 bytes that name a retry of the same request; ``None`` for the
            128-bit hash of an OTLP payload. Of other inputs each is then a new one.
    """

    signal: Signal
    tenant: str
    payload: bytes
    rows: int
    record_id: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The request is durable.

    Attributes:
        duplicate: The same record was journaled already; nothing was written twice.
    """

    duplicate: bool = False


class Sink(Protocol):
    """Where validated requests go."""

    async def accept(self, submission: Submission) -> Accepted:
        """Return once the submission is durable.

        Raises:
            Refused: When it cannot be accepted now.
        """
        ...
