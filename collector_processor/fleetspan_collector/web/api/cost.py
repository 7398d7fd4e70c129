"""Cost over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fleetspan_collector._errors import UsageError
from fleetspan_collector.web.api.rows import ReadsRows, rfc3339

_AGENTS: Final = (
    # A name is in each version of a row that has one: no need to merge them.
    "LEFT ANY JOIN (SELECT sipHash64(RunId, AgentId) AS Agent, Name AS AgentName"
    " FROM canonical_agents WHERE Name != ''"
    " AND Bucket BETWEEN toDateTime({since:Int64}) - INTERVAL 3 DAY"
    " AND toDateTime({until:Int64})) AS named"
    " ON named.Agent = sipHash64(calls.RunId, calls.AgentId)"
)
# What it may be by: an expression, and what has to be joined for it.
_BY: Final[Mapping[str, tuple[str, str]]] = {
    "model": ("Model", ""),
    "agent": ("named.AgentName", _AGENTS),
    "service": ("Service", ""),
    "project": ("Project", ""),
    "user": ("User", ""),
    "environment": ("Environment", ""),
    "provider": ("Provider", ""),
}
BY: Final = tuple(_BY)
_BINS_S: Final = (10, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400)
_WANTED_BINS: Final = 60
_HOUR_S: Final = 3600
MOST_BINS: Final = 500
_MOST_SERIES: Final = 8
_OTHERS: Final = "(others)"


def cost(
    rows: ReadsRows,
    sees: str | None,
    *,
    by: str,
    since_s: int,
    until_s: int,
    bin_s: int | None = None,
) -> dict[str, Any]:
    """Return the document of cost over time.

    Bins of whole hours begin at a whole hour: a call is in the hour of its start, which
    its row keeps beside its time and which takes a third of the time to read.

    Args:
        rows: The store.
        sees: Whose rows.
        by: One of `BY`.
        since_s: Unix seconds, included.
        until_s: Unix seconds, not included.
        bin_s: Seconds of a bin; chosen by the range unless given.

    Raises:
        UsageError: When there would be too many bins, or the times are the wrong way.
    """
    if until_s <= since_s:
        raise UsageError(
            "the range cannot be used",
            because="until is not after since",
            suggestion="?since=2026-01-02T00:00:00Z&until=2026-01-03T00:00:00Z",
        )
    wanted_s = (until_s - since_s) / _WANTED_BINS
    width_s = bin_s or next((b for b in _BINS_S if b >= wanted_s), _BINS_S[-1])
    if width_s % _HOUR_S == 0:
        since_s -= since_s % _HOUR_S
    count = -(-(until_s - since_s) // width_s)
    if count > MOST_BINS:
        raise UsageError(
            f"bin={width_s} cannot be used",
            because=f"it makes {count} bins, at most {MOST_BINS} are allowed",
            suggestion=f"?bin={-(-(until_s - since_s) // MOST_BINS)}",
        )
    expression, join = _BY[by]
    found = rows.of(
        sees,
        "page_cost",
        {"since": since_s, "until": until_s, "bin": width_s},
        by=expression,
        join=join,
        at="Bucket" if width_s % _HOUR_S == 0 else "StartTime",
    )
    return {
        "since": rfc3339(since_s * 1_000_000_000),
        "until": rfc3339(until_s * 1_000_000_000),
        "bin_s": width_s,
        "bins": [
            rfc3339((since_s + n * width_s) * 1_000_000_000) for n in range(count)
        ],
        "series": _series(found, since_s, width_s, count),
    }


def _series(
    found: list[dict[str, Any]], since_s: int, width_s: int, count: int
) -> list[dict[str, Any]]:
    """One series for each of the dearest, and one for the rest."""
    totals: dict[str, tuple[float, int]] = {}
    for row in found:
        usd, calls = totals.get(row["name"], (0.0, 0))
        totals[row["name"]] = (usd + (row["cost_usd"] or 0), calls + row["calls"])
    names = sorted(
        totals, key=lambda name: (*map(float.__neg__, map(float, totals[name])), name)
    )
    shown = names if len(names) <= _MOST_SERIES + 1 else names[:_MOST_SERIES]
    series = {name: _empty(name, count) for name in shown}
    if len(shown) < len(names):
        series[_OTHERS] = _empty(_OTHERS, count)
    for row in found:
        one = series.get(row["name"]) or series[_OTHERS]
        place = min(max((row["bin_s"] - since_s) // width_s, 0), count - 1)
        one["calls"][place] += row["calls"]
        one["total_calls"] += row["calls"]
        one["unpriced_calls"] += row["unpriced"]
        for column, total in (("cost_usd", "total_usd"), ("tokens", "total_tokens")):
            value = row[column]
            if value is not None:
                one[column][place] = (one[column][place] or 0) + value
                one[total] = (one[total] or 0) + value
    return list(series.values())


def _empty(name: str, count: int) -> dict[str, Any]:
    return {
        "name": name,
        "cost_usd": [None] * count,
        "tokens": [None] * count,
        "calls": [0] * count,
        "total_usd": None,
        "total_tokens": None,
        "total_calls": 0,
        "unpriced_calls": 0,
    }
