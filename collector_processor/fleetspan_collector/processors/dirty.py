"""Which runs have changed since they were last looked at."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping

from fleetspan_collector.processors.batch import RunKey


class DirtyRuns:
    """Runs that wait to be analysed; whoever derives marks them, the scheduler takes them.

    Every mark has a number, so that a reader can wait for what was marked before it asked.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._hours: dict[RunKey, int] = {}
        self._marked = 0
        self._taken = 0
        self._done = 0
        self._stopped = False

    def mark(self, runs: Iterable[tuple[str, str, int]]) -> None:
        """Note that runs have changed: tenant, run id and the hour they are stored under."""
        with self._changed:
            for tenant, run_id, hour in runs:
                self._hours[tenant, run_id] = hour
                self._marked += 1
            self._changed.notify_all()

    def take(self, most: int) -> Mapping[RunKey, int]:
        """Take those that have waited longest, with their hours.

        `done` or `give_back` comes after it.
        """
        with self._changed:
            taken = dict(itertools.islice(self._hours.items(), most))
            for key in taken:
                del self._hours[key]
            if not self._hours:
                self._taken = self._marked
            return taken

    def done(self) -> None:
        """What was taken has been analysed, and can be read."""
        with self._changed:
            self._done = self._taken
            self._changed.notify_all()

    def give_back(self, hours: Mapping[RunKey, int]) -> None:
        """What was taken could not be analysed, and waits again."""
        with self._changed:
            # What changed meanwhile knows its hour better.
            self._hours = {**hours, **self._hours}

    @property
    def marked(self) -> int:
        """Number of the latest mark."""
        return self._marked

    def is_done(self, mark: int) -> bool:
        """Whether everything up to a mark has been analysed."""
        return self._done >= mark

    def __len__(self) -> int:
        return len(self._hours)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until something waits, or time is up; tells whether something does."""
        with self._changed:
            self._changed.wait_for(lambda: self._hours or self._stopped, timeout_s)
            return bool(self._hours)

    def pause(self, timeout_s: float) -> None:
        """Wait for a while, or until `stop` or `hurry`."""
        with self._changed:
            self._changed.wait(timeout_s)

    def hurry(self) -> None:
        """Wake whoever pauses."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake whoever waits, for good."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
