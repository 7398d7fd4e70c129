"""How often to insert and derive: as soon as somebody waits, else within a CPU budget.

The fixed cost of a statement is the engine's analysis of it, whatever its rows; so a
trickle of spans is cheap only when many are taken at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

_SHORTEST_S: Final = 0.2
"""Between two rounds, even when somebody waits."""

_LOOKING_S: Final = 10.0
"""For how long after a read somebody counts as looking."""


class Budget:
    """Says when the next round may start.

    Args:
        busy_cores: Cores that rounds may use on average while somebody looks.
        idle_cores: The same while nobody does.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        busy_cores: float,
        idle_cores: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._busy_cores = busy_cores
        self._idle_cores = idle_cores
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._waiting = 0
        self._round_ended = float("-inf")
        self._round_cost_s = 0.0

    def looked(self) -> None:
        """Somebody has read."""
        self._looked_at = self._clock()

    def wait(self, change: int) -> None:
        """Somebody starts (+1) or stops (-1) waiting for what is acknowledged."""
        with self._lock:
            self._waiting += change
        self.looked()

    @property
    def anybody_waits(self) -> bool:
        """Whether a reader waits for a round."""
        return self._waiting > 0

    def spent(self, cost_s: float) -> None:
        """A round has ended and has cost so many core-seconds."""
        self._round_ended = self._clock()
        # Rounds differ; half of the last few keeps one slow round from stalling all.
        self._round_cost_s = (self._round_cost_s + cost_s) / 2

    def next_round_in_s(self) -> float:
        """How long the next round has to wait, in seconds; 0 when it may start."""
        now = self._clock()
        if self._waiting:
            pause = _SHORTEST_S
        else:
            looking = now - self._looked_at < _LOOKING_S
            cores = self._busy_cores if looking else self._idle_cores
            pause = max(_SHORTEST_S, self._round_cost_s / cores - self._round_cost_s)
        return max(0.0, self._round_ended + pause - now)
