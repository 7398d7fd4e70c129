"""What one destination is still to be told, in order of when, and bounded."""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fleetspan_collector.notify._notice import Key, Notice

MOST_NOTICES: Final = 1000
MOST_BYTES: Final = 16 << 20
MOST_REMEMBERED: Final = 50_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice, and how often it was tried.

    Attributes:
        notice: What to tell.
        attempts: How often that was tried in vain.
    """

    notice: Notice
    attempts: int = 0


class Pending:
    """Notices by when they are due, and how far each thing was told. Not thread-safe.

    Args:
        most: So many are kept at most.
        most_bytes: So many bytes, at most.
        most_remembered: Of so many things it is known how far they were told.
    """

    def __init__(
        self,
        most: int = MOST_NOTICES,
        most_bytes: int = MOST_BYTES,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._most_remembered = most_remembered
        self._waiting: dict[Key, tuple[int, Waiting]] = {}
        # Entries of what has been replaced or taken stay until they come up.
        self._due: list[tuple[float, int, Key]] = []
        self._numbers = itertools.count()
        self._bytes = 0
        self._levels: OrderedDict[Key, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def half_empty(self) -> bool:
        """Whether there is room for many more."""
        return (
            len(self._waiting) * 2 <= self._most and self._bytes * 2 <= self._most_bytes
        )

    def knows(self, key: Key) -> bool:
        """Whether it is known how far something was told."""
        return key in self._levels

    def remember(self, key: Key, level: int) -> None:
        """Note how far something was told, or is about to be."""
        self._levels[key] = max(level, self._levels.pop(key, 0))
        while len(self._levels) > self._most_remembered:
            self._levels.popitem(last=False)

    def offer(self, notice: Notice, now_s: float) -> bool:
        """Take a notice, unless it was told that far or waits already.

        Returns:
            False when there is no room for it.
        """
        if self.knows(notice.key) and self._levels[notice.key] >= notice.level:
            return True
        replaced = self._waiting.get(notice.key)
        if replaced is None and len(self._waiting) >= self._most:
            return False
        if self._waiting and self._bytes + notice.size_bytes > self._most_bytes:
            return False
        self._put(Waiting(notice), now_s)
        self.remember(notice.key, notice.level)
        return True

    def put_back(self, waiting: Waiting, due_s: float) -> None:
        """Keep what is to be tried again, unless there is something newer of it."""
        current = self._waiting.get(waiting.notice.key)
        if current is None or current[1].notice.level < waiting.notice.level:
            self._put(waiting, due_s)

    def take(self, now_s: float, most: int) -> list[Waiting]:
        """Take what is due, the longest due first."""
        taken: list[Waiting] = []
        while self._due and self._due[0][0] <= now_s and len(taken) < most:
            _, number, key = heapq.heappop(self._due)
            current = self._waiting.get(key)
            if current is not None and current[0] == number:
                self._drop(key)
                taken.append(current[1])
        return taken

    def next_due_s(self) -> float | None:
        """When the next one is due; None when nothing waits."""
        while self._due:
            due_s, number, key = self._due[0]
            current = self._waiting.get(key)
            if current is not None and current[0] == number:
                return due_s
            heapq.heappop(self._due)
        return None

    def older_than(self, made_ns: int) -> list[Waiting]:
        """Take what was made before a time."""
        old = [
            waiting
            for _, waiting in self._waiting.values()
            if waiting.notice.made_ns < made_ns
        ]
        self._forget(waiting.notice.key for waiting in old)
        return old

    def _put(self, waiting: Waiting, due_s: float) -> None:
        key = waiting.notice.key
        if key in self._waiting:
            self._drop(key)
        number = next(self._numbers)
        self._waiting[key] = (number, waiting)
        self._bytes += waiting.notice.size_bytes
        heapq.heappush(self._due, (due_s, number, key))

    def _drop(self, key: Key) -> None:
        _, waiting = self._waiting.pop(key)
        self._bytes -= waiting.notice.size_bytes

    def _forget(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            self._drop(key)
