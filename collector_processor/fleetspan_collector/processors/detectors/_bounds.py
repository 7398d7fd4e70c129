"""How much one detector says of one run, whatever is in it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

MOST: Final = 20
"""Findings of a detector that are told of a run, those that lost most first: nobody reads
more, and each costs a `what_if`, a pass over the whole run."""

SHOWN: Final = 200
"""Pieces of evidence that a finding names."""


def largest(things: Iterable[T], key: Callable[[T], float]) -> list[T]:
    """The `MOST` largest, largest first; equal ones in their order."""
    return heapq.nlargest(MOST, things, key=key)
