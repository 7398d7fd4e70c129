"""The times that an agent was set to work, as spans of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tests.faults.plan import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One span of an agent.

    Attributes:
        span: Its id, 8 bytes.
        start_ns: When it begins, Unix nanoseconds.
        end_ns: When it ends; its start while it goes on.
    """

    span: bytes
    start_ns: int
    end_ns: int


def whole(agent: Row, span: bytes) -> list[Turn]:
    """Return the one span of an agent that is told of as a whole."""
    start = int(agent["StartTime"])
    end = agent["EndTime"]
    return [Turn(span=span, start_ns=start, end_ns=start if end is None else int(end))]


def turns_of(agent: Row, span: bytes, work: Iterable[Row]) -> list[Turn]:
    """Return as many spans as there were activations, with its longest pauses between.

    Args:
        agent: Its row.
        span: Id of the first span.
        work: Its calls and tool calls.
    """
    (alone,) = whole(agent, span)
    if agent["EndTime"] is None or agent["Activations"] <= 1:
        return [alone]
    within = (row for row in work if alone.start_ns <= row["StartTime"] <= alone.end_ns)
    pauses = sorted(_pauses(within)[: agent["Activations"] - 1])
    starts = [alone.start_ns, *(after for _, after in pauses)]
    ends = [*(before for before, _ in pauses), alone.end_ns]
    return [
        Turn(span=_numbered(span, number), start_ns=start, end_ns=end)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def span_at(turns: list[Turn], at_ns: int) -> bytes:
    """Return the span that an agent works in at a moment."""
    begun = [turn for turn in turns if turn.start_ns <= at_ns]
    return (begun[-1] if begun else turns[0]).span


def _pauses(work: Iterable[Row]) -> list[tuple[int, int]]:
    """Return from when until when nothing was done, the longest time first."""
    spans = sorted(
        (row["StartTime"], row["StartTime"] + round((row["DurationMs"] or 0) * 1e6))
        for row in work
    )
    found: list[tuple[int, int]] = []
    until = spans[0][0]
    for start, end in spans:
        if start > until:
            found.append((until, start))
        until = max(until, end)
    return sorted(found, key=lambda pause: pause[0] - pause[1])


def _numbered(span: bytes, number: int) -> bytes:
    if not number:
        return span
    return hashlib.blake2b(span + bytes([number]), digest_size=8).digest()
