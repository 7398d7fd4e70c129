"""Conditions of SQL statements on runs, spans' traces and sessions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from fleetspan_collector.store import _sql

_LAST_S: Final = 2**32 - 1
"""The last second that the engine's DateTime has."""


def condition_on_runs(keys: Sequence[tuple[str, str]], hours_s: Collection[int]) -> str:
    """Rows of some runs, by the hours that they may be stored under.

    Args:
        keys: Tenant and id of each run.
        hours_s: Hours, in Unix seconds; everything between the first and the last is read.
    """
    first, last = (min(max(each, 0), _LAST_S) for each in (min(hours_s), max(hours_s)))
    return (
        f"Bucket BETWEEN toDateTime({first}) AND toDateTime({last})"
        f" AND ({condition_on(keys, 'RunId')})"
    )


def condition_on(keys: Iterable[tuple[str, str]], column: str) -> str:
    """Rows of some tenants' ids in a column; never true when there are none."""
    by_tenant: dict[str, list[str]] = {}
    for tenant, name in keys:
        by_tenant.setdefault(tenant, []).append(f"'{_sql.quote(name)}'")
    return (
        " OR ".join(
            f"(Tenant = '{_sql.quote(tenant)}' AND {column} IN ({', '.join(names)}))"
            for tenant, names in by_tenant.items()
        )
        or "0"
    )
