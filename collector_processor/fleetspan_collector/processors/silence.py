"""Runs that go on, and when their silence will say something new."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from fleetspan_collector.config import Settings
from fleetspan_collector.processors.batch import RunKey
from fleetspan_collector.processors.run import RunFacts

_STEP: Final = 1.25
_MOST_STEPS: Final = 40
_JUST_PAST_NS: Final = 1_000_000
"""A threshold is passed when the silence is longer than it."""


class OpenRuns:
    """Runs that were open when they were looked at.

    Args:
        settings: The thresholds of silence: of stuck agents, and of idle runs.
    """

    def __init__(self, settings: Settings) -> None:
        seconds = {settings.idle_timeout_s} | {
            getattr(settings, each.name)
            for each in fields(settings)
            if each.name.startswith("detect_stuck_agent_") and each.name.endswith("_s")
        }
        # Thresholds grow with what is usual for an agent or a tool: in between, too.
        between, last = min(seconds), max(seconds)
        while between * _STEP < last and len(seconds) < _MOST_STEPS:
            between *= _STEP
            seconds.add(between)
        self._silences_ns = sorted(
            int(min(each, 1e9) * 1e9) + _JUST_PAST_NS for each in seconds
        )
        self._due: dict[RunKey, tuple[int, int]] = {}
        self._queue: list[tuple[int, RunKey]] = []

    def __len__(self) -> int:
        return len(self._due)

    def note(self, runs: Sequence[RunFacts], now_ns: int) -> None:
        """Note how runs stood when they were looked at."""
        for facts in runs:
            key = (facts.tenant, facts.run_id)
            due = self._next(facts.last_activity_ns, now_ns) if facts.open else None
            if due is None:
                self._due.pop(key, None)
                continue
            if self._due.get(key, (0, 0))[0] != due:
                heapq.heappush(self._queue, (due, key))
            self._due[key] = (due, facts.bucket_s)
        if len(self._queue) > 2 * len(self._due) + 1000:
            self._queue = [(due, key) for key, (due, _) in self._due.items()]
            heapq.heapify(self._queue)

    def take_silent(self, now_ns: int) -> list[tuple[str, str, int]]:
        """Return runs whose silence has passed a threshold: tenant, run id and hour."""
        silent = []
        while self._queue and self._queue[0][0] <= now_ns:
            due, key = heapq.heappop(self._queue)
            if self._due.get(key, (0, 0))[0] == due:
                silent.append((*key, self._due.pop(key)[1]))
        return silent

    def _next(self, last_ns: int, now_ns: int) -> int | None:
        for silence_ns in self._silences_ns:
            if last_ns + silence_ns > now_ns:
                return last_ns + silence_ns
        return None
