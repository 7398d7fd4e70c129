"""Baselines kept in the store: made by hour, read over the hours before.

::

    canonical rows of an hour ── refresh ──> t-digest states of that hour
    states of the days before an hour ── load ──> `Baselines`

An hour is made anew as a whole, so doing it twice changes nothing. Which version of the
canonical rows it was made from is kept with it: `catch_up` finds the hours in which
something has come, or changed, since.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.processors.baselines import Baseline, Baselines
from fleetspan_collector.processors.run import UNKNOWN_NS, Run
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

TenantHour = tuple[str, int]
"""Whose, and the Unix second at which the hour begins."""

_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_LAST_S: Final = 2**32 - _HOUR_S
"""The last hour that a DateTime can name."""
_HOURS_AT_ONCE: Final = 24
_MOST_SUBJECTS: Final = 2_000
"""Of a tenant, the most frequent ones; names may be made up anew by every run."""
_MOST_KEPT: Final = 64
_KEPT_S: Final = 60.0
"""Seconds after which another collector's work is looked for."""


@dataclass(frozen=True, slots=True)
class _Kept:
    baselines: Baselines
    since_s: int
    at_s: float


class BaselineStore:
    """Makes baselines, and reads them.

    Args:
        engine: A connection that this object alone uses.
        clock_ns: The present, Unix nanoseconds.
    """

    def __init__(
        self, engine: Engine, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._engine = engine
        self._database = engine.address.database
        self._clock_ns = clock_ns
        self._kept: dict[tuple[str, int, float], _Kept] = {}

    def refresh(self, hours: Iterable[TenantHour]) -> int:
        """Make the baselines of some hours anew.

        Args:
            hours: Tenants and any second of an hour; what canonical rows stand under.

        Returns:
            How many hours were made.

        Raises:
            ClickHouseError: When the store fails; it can be called again.
        """
        wanted = sorted({(tenant, _hour(second)) for tenant, second in hours})
        # By time: hours that are made together lie close to each other.
        wanted.sort(key=lambda each: each[1])
        for first in range(0, len(wanted), _HOURS_AT_ONCE):
            self._refresh(wanted[first : first + _HOURS_AT_ONCE])
        for tenant, hour in wanted:
            self._forget(tenant, hour)
        return len(wanted)

    def catch_up(self, *, since_s: int = 0, most: int = 10_000) -> int:
        """Make the hours in which something has changed since they were made.

        The present hour is left out: nothing can be held against it yet.

        Args:
            since_s: Only hours from this Unix second on; looking through a year of many
                rows takes its time, so later calls need not begin at 0.
            most: How many hours at most, the latest first.

        Returns:
            How many hours were made; fewer than ``most`` when none is left.

        Raises:
            ClickHouseError: When the store fails; it can be called again.
        """
        stale = self._engine.arrow(
            _sql.render("baselines_stale", database=self._database),
            {
                "since": _hour(since_s),
                "before": _hour(self._clock_ns() // 1_000_000_000),
                "most": most,
            },
        )
        return self.refresh(
            zip(stale["tenant"].to_pylist(), stale["hour"].to_pylist(), strict=True)
        )

    def load(self, tenant: str, before_s: int, window_days: float) -> Baselines:
        """Read what has been usual before an hour.

        Args:
            tenant: Whose.
            before_s: A Unix second; its own hour does not count, nor do later ones.
            window_days: How many days before that do.

        Returns:
            The 2,000 most frequent subjects and measures; kept for a minute.

        Raises:
            ClickHouseError: When the store fails.
        """
        before = _hour(before_s)
        key, now_s = (tenant, before, window_days), time.monotonic()
        kept = self._kept.get(key)
        if kept is not None and now_s - kept.at_s < _KEPT_S:
            return kept.baselines
        since = _hour(int(before - window_days * _DAY_S))
        rows = self._engine.arrow(
            _sql.render("baselines_load", database=self._database),
            {
                "tenant": tenant,
                "since": since,
                "before": before,
                "most": _MOST_SUBJECTS,
            },
        )
        found = Baselines({_key(row): _baseline(row) for row in rows.to_pylist()})
        if len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(found, since, now_s)
        return found

    def _forget(self, tenant: str, hour: int) -> None:
        self._kept = {
            key: kept
            for key, kept in self._kept.items()
            if not (key[0] == tenant and kept.since_s <= hour < key[1])
        }

    def _refresh(self, hours: Sequence[TenantHour]) -> None:
        tokens = {
            "database": self._database,
            "hours": ", ".join(
                f"('{_sql.quote(tenant)}', toDateTime({hour}))"
                for tenant, hour in hours
            ),
            "first": str(hours[0][1]),
            "last": str(hours[-1][1]),
        }
        # What comes after this look has a higher version, and is found by the next.
        seen = self._engine.arrow(_sql.render("baselines_seen", **tokens))
        version = max(
            [self._clock_ns(), *(made + 2 for made in seen["Made"].to_pylist())]
        )
        self._engine.command(
            _sql.render("baselines_refresh", **tokens), {"version": version}
        )
        marks = seen.drop_columns(["Made"]).append_column(
            "Version", pa.array([version] * seen.num_rows, pa.uint64())
        )
        self._engine.insert_arrow("baseline_hours", marks)


def hours_of(run: Run) -> set[TenantHour]:
    """The hours that a run's rows are counted in."""
    hours = {run.facts.bucket_s}
    for columns in (run.agents, run.llm_calls, run.tool_calls):
        starts = columns.nanoseconds("StartTime")
        known = starts[starts != UNKNOWN_NS]
        hours.update((known // 1_000_000_000 // _HOUR_S * _HOUR_S).tolist())
    return {(run.facts.tenant, _hour(hour)) for hour in hours}


def _hour(second: int) -> int:
    return min(max(second, 0), _LAST_S) // _HOUR_S * _HOUR_S


def _key(row: dict[str, Any]) -> Any:
    return row["kind"], row["subject"], row["measure"]


def _baseline(row: dict[str, Any]) -> Baseline:
    p50, p90, p95, p99 = row["quantiles"]
    return Baseline(
        samples=row["samples"], runs=row["runs"], p50=p50, p90=p90, p95=p95, p99=p99
    )
