"""Calls that two feeds tell of without an id in common.

Old transcripts and failed requests name no request. Within one session such a call
pairs one to one with a call of the same agent and the same tokens that the other feed
names, nearby in time, and is then not a call of its own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns, Mask, codes

Indexes = NDArray[np.int64]

_NEARBY_NS: Final = 60_000_000_000
"""A transcript stamps a reply's first block, an event its end."""

_INPUT: Final = ("InputTokens", "CacheReadTokens", "CacheWriteTokens")


def paired(columns: Columns, rows: Indexes) -> Mask:
    """Which calls are told of by another row too, and by that one better.

    Args:
        columns: Evidence.
        rows: Rows that are calls.

    Returns:
        For each of ``rows`` whether it is to be left out.
    """
    gone = np.zeros(len(rows), dtype=bool)
    mine = columns.of_session[rows]
    weak = np.flatnonzero(mine & ~columns.known("RequestId")[rows])
    strong = np.flatnonzero(mine & columns.known("RequestId")[rows])
    gone[_matched(columns, rows, weak, strong)] = True
    # Two reports of a failed request, neither of which names it: the fuller one stays.
    failed = weak[~gone[weak] & (columns.integers("UsageKnown")[rows[weak]] == 0)]
    spans = columns.known("SpanId")[rows[failed]]
    gone[_matched(columns, rows, failed[~spans], failed[spans])] = True
    return gone


def _matched(
    columns: Columns, rows: Indexes, weak: Indexes, strong: Indexes
) -> list[int]:
    """Places in ``rows`` of weak calls that have found a strong one, each its own."""
    if not len(weak) or not len(strong):
        return []
    both = rows[np.concatenate([weak, strong])]
    number, _ = codes(
        columns.strings("Tenant")[both],
        columns.strings("GroupKey")[both],
        columns.strings("AgentId")[both],
    )
    input_tokens = np.column_stack(
        [np.nan_to_num(columns.floats(name)[both]) for name in _INPUT]
    )
    output = np.nan_to_num(columns.floats("OutputTokens")[both])
    known = columns.integers("UsageKnown")[both]
    start = columns.nanoseconds("StartTime")[both]
    end = np.maximum(columns.nanoseconds("LastActivity")[both], start)
    feeds = [
        set(sources) for sources in columns.table["Sources"].take(both).to_pylist()
    ]
    first = len(weak)
    candidates: dict[tuple[int, ...], list[int]] = {}
    for place in range(first, len(both)):
        key = (int(number[place]), int(known[place]), *map(int, input_tokens[place]))
        candidates.setdefault(key, []).append(place)
    pairs = []
    for place in range(first):
        key = (int(number[place]), int(known[place]), *map(int, input_tokens[place]))
        for other in candidates.get(key, ()):
            # Partial reports hold less output, never more; a feed knows its own ids.
            apart = max(start[place] - end[other], start[other] - end[place], 0)
            if (
                output[place] <= output[other]
                and apart <= _NEARBY_NS
                and not feeds[place] & feeds[other]
            ):
                pairs.append(
                    (int(apart), int(output[other] - output[place]), place, other)
                )
    taken: set[int] = set()
    for _, _, place, other in sorted(pairs):
        if place not in taken and other not in taken:
            taken |= {place, other}
    return [int(weak[place]) for place in sorted(taken) if place < first]
