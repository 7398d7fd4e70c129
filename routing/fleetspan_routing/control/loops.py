"""Recognises an agent that does the same again and again and learns nothing new.

A repeated command alone says nothing: nearly every healthy run has one. What counts is
the same call with the same answer, or a cycle of some calls that all have the answers
that they had before.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

_KEPT: Final = 64
"""Calls of an agent that are remembered."""

_NO_ANSWER: Final = b""


def fingerprint(*parts: Any) -> bytes:
    """Return what is the same for calls, or answers, that are the same."""
    written = repr(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(written, digest_size=12).digest()


@dataclass(slots=True)
class _Step:
    call: bytes
    call_id: str
    answer: bytes = _NO_ANSWER


@dataclass(slots=True)
class Steps:
    """The latest calls of one agent, with the answers that are known."""

    _steps: deque[_Step] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def begin(self, call: bytes, call_id: str) -> None:
        """A call is let do."""
        self._steps.append(_Step(call, call_id))

    def answered(self, call_id: str, answer: bytes) -> None:
        """A call has been answered."""
        for step in reversed(self._steps):
            if step.call_id == call_id:
                step.answer = answer
                return

    def repetition(self, call: bytes, longest: int) -> tuple[int, list[str]]:
        """Say the how manieth time a call would be made without anything new.

        Args:
            call: The one that is about to be made.
            longest: Of how many calls a cycle may consist.

        Returns:
            1 for one that is new, or whose last answers differ or are not known yet; and
            the ids of the calls that it repeats.
        """
        most: tuple[int, list[str]] = (1, [])
        steps = list(self._steps)
        for length in range(1, longest + 1):
            if len(steps) < length or steps[-length].call != call:
                continue
            times = _times(steps, length)
            if times + 1 > most[0]:
                ids = [step.call_id for step in steps[len(steps) - times * length :]]
                most = (times + 1, ids)
        return most


def _times(steps: list[_Step], length: int) -> int:
    """How often the last so many calls were made in a row, with the same answers."""
    cycle = steps[len(steps) - length :]
    if any(step.answer == _NO_ANSWER for step in cycle):
        return 0
    times = 1
    while len(steps) >= (times + 1) * length:
        start = len(steps) - (times + 1) * length
        before = steps[start : start + length]
        same = all(
            one.call == other.call and one.answer == other.answer
            for one, other in zip(before, cycle, strict=True)
        )
        if not same:
            break
        times += 1
    return times
