"""An attempt to tell somebody, and how long to wait for the next one."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fleetspan_collector.notify._destination import Outcome
from fleetspan_collector.notify._notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to tell a destination, for the record.

    Attributes:
        destination: Its name.
        notices: What it was told; several when a whole batch failed.
        number: Number of the attempt, from 1.
        at_ns: When it began, Unix nanoseconds.
        seconds: How long it took.
        outcome: What became of it.
        code: HTTP status or exit code.
        answer: Beginning of the answer.
    """

    destination: str
    notices: tuple[Notice, ...]
    number: int
    at_ns: int
    seconds: float
    outcome: Outcome
    code: int | None
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait between attempts, in seconds: twice as long each time, jittered.

    Attributes:
        first_s: After the first failure.
        most_s: At most.
    """

    first_s: float = 1.0
    most_s: float = 300.0

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        longest = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return longest * random.uniform(0.75, 1.25)  # noqa: S311 - only spreads load
