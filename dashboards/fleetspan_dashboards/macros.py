"""The macros of Grafana's ClickHouse plugin, and variables, as they are expanded there.

Those that our queries use (plugin 4.20, ``pkg/macros``), so that a query can be run
without a Grafana.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_CALL = re.compile(r"\$__(timeFilter|timeInterval|conditionalAll)\(")


def expand(
    sql: str,
    *,
    from_s: int,
    to_s: int,
    interval_s: int = 60,
    variables: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return a query as the plugin sends it.

    Args:
        sql: With macros and variables.
        from_s: Beginning of the chosen time, Unix seconds.
        to_s: Its end.
        interval_s: Seconds of an interval of time series.
        variables: Chosen values by name; one that is missing has all.

    Raises:
        ValueError: When a macro or a variable is not known.
    """
    chosen = variables or {}
    while found := _CALL.search(sql):
        inside, end = _inside(sql, found.end())
        sql = (
            sql[: found.start()]
            + _macro(found[1], inside, from_s, to_s, interval_s, chosen)
            + sql[end:]
        )
    sql = sql.replace("$__fromTime", f"toDateTime({from_s})")
    sql = sql.replace("$__toTime", f"toDateTime({to_s})")
    sql = sql.replace("$__interval_s", str(interval_s))
    sql = re.sub(
        r"\$\{(\w+):singlequote\}",
        lambda each: ",".join(f"'{value}'" for value in chosen[each[1]]),
        sql,
    )
    sql = re.sub(
        r"\$\{(\w+):sqlstring\}",
        lambda each: "'" + chosen[each[1]][0].replace("'", "''") + "'",
        sql,
    )
    left = re.search(r"\$\{?\w+", sql)
    if left is not None:
        raise ValueError(f"{left[0]} is not known")
    return sql


def _macro(
    name: str,
    inside: str,
    from_s: int,
    to_s: int,
    interval_s: int,
    chosen: Mapping[str, Sequence[str]],
) -> str:
    if name == "timeFilter":
        return f"{inside} >= toDateTime({from_s}) AND {inside} <= toDateTime({to_s})"
    if name == "timeInterval":
        return f"toStartOfInterval(toDateTime({inside}), INTERVAL {interval_s} second)"
    condition, _, variable = inside.rpartition(",")
    return condition if variable.strip().lstrip("$") in chosen else "1=1"


def _inside(sql: str, start: int) -> tuple[str, int]:
    """Return what stands in a bracket, and where it ends."""
    depth = 1
    for place in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if depth == 0:
            return sql[start:place], place + 1
    raise ValueError("a bracket is not closed")
