"""Rows that a client sent to another collector after this one gave it no answer.

A collector that is killed between making a request durable and answering it leaves the
request in its journal, and its client sends the same bytes to another collector of the
store. Both journals are right to hold them; the store must not hold both. So the last
rows of a journal that was left behind are looked for among those that others brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetspan_collector._signals import Signal
from fleetspan_collector.journal import Segment
from fleetspan_collector.store._engine import Engine

_UNANSWERED_NS: Final = 5 * 10**9
"""An answer goes out within milliseconds of being durable: what came longer before the
end of a journal was answered."""
_RETRIES_NS: Final = 15 * 60 * 10**9
"""For how long after that a client may try again elsewhere."""
_MOST: Final = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    """What makes a row the same as another, of one kind of table.

    Attributes:
        time: An expression, alike on both sides, that few rows share.
        columns: Expressions that tell rows of one time apart.
    """

    time: str
    columns: tuple[str, ...]


_POINT: Final = _Identity(
    time="toInt64(toUnixTimestamp(TimeUnix))",
    columns=(
        *("Tenant", "MetricName", "toInt64(toUnixTimestamp(StartTimeUnix))"),
        *("toString(Attributes)", "toString(ResourceAttributes)"),
    ),
)
_IDENTITIES: Final = {
    Signal.TRACES: _Identity(
        time="toUnixTimestamp64Nano(Timestamp)",
        columns=("Tenant", "TraceId", "SpanId"),
    ),
    Signal.LOGS: _Identity(
        time="toUnixTimestamp64Nano(Timestamp)",
        columns=(
            *("Tenant", "TraceId", "SpanId", "Body", "EventName"),
            *("toString(LogAttributes)", "toString(ResourceAttributes)"),
        ),
    ),
    Signal.METRICS: _POINT,
}


def unanswered(left: Sequence[Segment]) -> dict[str, int]:
    """Return from when on rows may not have been answered, in Unix nanoseconds.

    Args:
        left: The segments that a collector left behind.

    Returns:
        That moment by the ids of the segments that hold anything after it.
    """
    last_ns = max((segment.last_received_unix_nano for segment in left), default=0)
    since_ns = last_ns - _UNANSWERED_NS
    return {
        segment.batch_id: since_ns
        for segment in left
        if segment.last_received_unix_nano >= since_ns
    }


def held_by_others(
    store: Engine,
    decoder: Engine,
    *,
    signal: Signal,
    table: str,
    select: str,
    settings: str,
    batch_id: str,
    since_ns: int,
) -> list[int]:
    """Return the ordinals of a segment's rows that others have brought already.

    Args:
        store: Where the rows of others are.
        decoder: Reads the segment.
        signal: Kind of the segment; of some no row can come twice.
        table: The raw table of the rows.
        select: The segment's rows.
        settings: What the decoder needs to read it.
        batch_id: The segment's own rows do not count.
        since_ns: Rows received before that were answered, Unix nanoseconds.

    Raises:
        ClickHouseError: When the store fails.
    """
    identity = _IDENTITIES.get(signal)
    if identity is None:
        return []
    told = f"{identity.time} AS at, sipHash64({', '.join(identity.columns)}) AS row"
    own = decoder.arrow(
        f"SELECT BatchOrdinal, {told} FROM (\n{select})"
        f" WHERE toUnixTimestamp64Nano(ReceivedAt) >= {since_ns} LIMIT {_MOST}{settings}"
    )
    if not own.num_rows:
        return []
    times = ", ".join(map(str, sorted(set(own["at"].to_pylist()))))
    theirs = store.arrow(
        f"SELECT DISTINCT at, row FROM (SELECT {told}"
        f" FROM {store.address.database}.{table}"
        " WHERE ReceivedAt >= fromUnixTimestamp64Nano({since:Int64})"
        " AND ReceivedAt <= fromUnixTimestamp64Nano({until:Int64})"
        f" AND BatchId != {{batch_id:String}} AND {identity.time} IN ({times}))",
        {
            "since": since_ns,
            "until": since_ns + _UNANSWERED_NS + _RETRIES_NS,
            "batch_id": batch_id,
        },
    )
    known = set(zip(theirs["at"].to_pylist(), theirs["row"].to_pylist(), strict=True))
    rows = zip(
        *(own[name].to_pylist() for name in ("BatchOrdinal", "at", "row")), strict=True
    )
    return sorted(ordinal for ordinal, *row in rows if tuple(row) in known)
