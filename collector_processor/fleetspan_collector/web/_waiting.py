"""Waiting until what was acknowledged can be read."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

CATCH_UP_S: Final = 2.0
"""How long a read waits for what was acknowledged before it, in seconds."""


class CaughtUp(Protocol):
    """Waits until what was acknowledged can be read."""

    def __call__(
        self, timeout_s: float, *, derived: bool, analysed: bool = False
    ) -> Awaitable[bool]:
        """Wait at most so many seconds; say whether it can be read."""
        ...
