"""What was spent, grouped: by time, by who spent it, and by what on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final, TypedDict

import pyarrow as pa
import pyarrow.compute as pc

from fleetspan_collector.cli._blocks import Block, block_of, find_blocks

Key = tuple[str | None, ...]

TIMES: Final = ("day", "week", "month", "block")
"""Ways to group by time."""

OTHERS: Final = ("session", "agent", "agent-type", "model", "project")
"""Ways to group by anything else."""

SUMS: Final[Mapping[str, str]] = {
    "calls": "calls",
    "unpriced": "unpriced_calls",
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "cost": "cost_usd",
    "reported": "reported_cost_usd",
    "difference": "difference_usd",
    "theirs": "_theirs",
}
"""Columns that are added up, and what the sums are called."""


class Amounts(TypedDict):
    """What some calls used and cost; None is unknown, and sums leave out unknown parts.

    Attributes:
        calls: Model calls.
        unpriced_calls: Of these, the ones without a cost.
        input_tokens: Input without cache.
        output_tokens: Generated tokens.
        cache_read_tokens: Input read from the cache.
        cache_write_tokens: Input written to it.
        cache_write_5m_tokens: Of these, for 5 minutes, as far as that is known.
        cache_write_1h_tokens: Of these, for an hour, as far as that is known.
        cost_usd: What they cost by our prices, without the unpriced ones.
        reported_cost_usd: What the provider, or the client, says that they cost.
        difference_usd: Ours less theirs, of the calls that have both.
        difference_ratio: That as a part of theirs.
    """

    calls: int
    unpriced_calls: int
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    cost_usd: float | None
    reported_cost_usd: float | None
    difference_usd: float | None
    difference_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Calls, or groups of calls of one quarter of an hour.

    Attributes:
        rows: Columns ``bin`` (Unix seconds), ``first``, ``last`` (Unix nanoseconds), those
            of `SUMS`, and those of the groupings that are asked for.
        activity: Columns ``first`` and ``last`` of all calls there are, ascending: blocks
            are what they are, whatever part of them is asked for.
    """

    rows: pa.Table
    activity: pa.Table


@dataclass(frozen=True, slots=True)
class Line:
    """One group.

    Attributes:
        labels: What is known of the group, by grouping and beyond.
        amounts: What it used and cost.
        first: Its first call, Unix nanoseconds.
        last: Its last call, Unix nanoseconds.
        block: The block it is of, if blocks are asked for.
    """

    labels: Mapping[str, str | None]
    amounts: Amounts
    first: int
    last: int
    block: Block | None


def group(
    spending: Spending, by: Sequence[str], zone: tzinfo | None
) -> tuple[list[Line], Amounts]:
    """Group what was spent.

    Args:
        spending: What was spent.
        by: One or more of `TIMES` and `OTHERS`; times ascend, anything else goes by cost.
        zone: The zone in which days begin; the machine's own when None.

    Returns:
        One line per group, and the sums over all.
    """
    rows = spending.rows
    blocks: list[Block] = []
    if "block" in by:
        activity = spending.activity
        blocks = find_blocks(activity["first"].to_numpy(), activity["last"].to_numpy())
    extra: list[str] = []
    for name in by:
        if name == "block":
            numbers = pa.array(block_of(blocks, rows["first"].to_numpy()))
            rows = rows.append_column("block", numbers)
        elif name in TIMES:
            rows = rows.append_column(name, _dates(rows["bin"], name, zone))
        extra += _BESIDE.get(name, ())
    keys = list(dict.fromkeys([*by, *extra]))
    lines = [_line(row, keys, blocks) for row in _summed(rows, keys).to_pylist()]
    totals = _summed(rows, []).to_pylist()
    return _sorted(lines, by), _amounts(totals[0])


_BESIDE: Final[Mapping[str, Sequence[str]]] = {
    "agent": ("run", "session", "agent-name", "agent-type"),
    "session": ("project",),
}
"""What a group is known by beside its own name; each has but one of these."""


def _summed(rows: pa.Table, keys: list[str]) -> pa.Table:
    sums = [(name, "sum") for name in SUMS]
    return rows.group_by(keys).aggregate([*sums, ("first", "min"), ("last", "max")])


def _line(row: Mapping[str, Any], keys: list[str], blocks: list[Block]) -> Line:
    labels = {name: row[name] or None for name in keys if name != "block"}
    block = blocks[row["block"]] if "block" in keys else None
    if block is not None:
        labels["block"] = rfc3339(block.start)
    return Line(labels, _amounts(row), row["first_min"], row["last_max"], block)


def _amounts(row: Mapping[str, Any]) -> Amounts:
    found: Any = {name: row[f"{column}_sum"] for column, name in SUMS.items()}
    found["calls"] = found["calls"] or 0
    found["unpriced_calls"] = found["unpriced_calls"] or 0
    theirs, difference = found.pop("_theirs"), found["difference_usd"]
    found["difference_ratio"] = difference / theirs if theirs else None
    amounts: Amounts = found
    return amounts


def _sorted(lines: list[Line], by: Sequence[str]) -> list[Line]:
    """Order lines by each grouping in turn."""
    costs: dict[tuple[str, str | None], float] = {}
    for line in lines:
        for name in by:
            place = (name, line.labels[name])
            costs[place] = costs.get(place, 0.0) + (line.amounts["cost_usd"] or 0.0)

    def standing(line: Line) -> list[tuple[float, str]]:
        return [
            (
                0.0 if name in TIMES else -costs[name, line.labels[name]],
                line.labels[name] or "",
            )
            for name in by
        ]

    return sorted(lines, key=standing)


def _dates(bins: pa.ChunkedArray, name: str, zone: tzinfo | None) -> pa.Array:
    """Return the day, week or month in which each quarter of an hour lies."""
    encoded = bins.combine_chunks().dictionary_encode()
    names = [_date(bin_s, name, zone) for bin_s in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def _date(bin_s: int, name: str, zone: tzinfo | None) -> str | None:
    # Without a zone: the machine's own, summer time included.
    day = datetime.fromtimestamp(bin_s, zone).date()
    return _NAMES[name](day) if bin_s else None


_NAMES: Final[Mapping[str, Callable[[date], str]]] = {
    "day": date.isoformat,
    # Weeks begin on Monday.
    "week": lambda day: (day - timedelta(days=day.weekday())).isoformat(),
    "month": lambda day: f"{day:%Y-%m}",
}


def rfc3339(unix_ns: int) -> str:
    """Write a time in UTC."""
    moment = datetime.fromtimestamp(unix_ns // 1_000_000_000, UTC)
    micros = unix_ns // 1000 % 1_000_000
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def activity_of(rows: pa.Table) -> pa.Table:
    """Return when there were calls, from the calls themselves."""
    return rows.select(["first", "last"]).sort_by("first")


def within(rows: pa.Table, since_ns: int, until_ns: int) -> pa.Table:
    """Return the calls of a time, from a start on and before an end."""
    first = rows["first"]
    return rows.filter(
        pc.and_(pc.greater_equal(first, since_ns), pc.less(first, until_ns))
    )
