"""From a journal segment to raw rows: the engine reads the file and inserts it itself.

A segment is one statement per raw table. Each row carries the segment's batch id and
its ordinal there, so that after a doubt the store can be asked which rows it holds and
only the missing ones are inserted: no acknowledged row is lost, none stands twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.exceptions import DatabaseError

from fleetspan_collector._signals import Signal
from fleetspan_collector.ingest.deliveries import chunks_of, late_deliveries
from fleetspan_collector.ingest.records import holds_longer
from fleetspan_collector.ingest.resent import held_by_others
from fleetspan_collector.journal import Segment
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store._structure import STRUCTURES

_METRIC_KINDS: Final = (
    "gauge",
    "sum",
    "histogram",
    "exponential_histogram",
    "summary",
)
_NEVER_CUT: Final = (Signal.METRICS, Signal.SNAPSHOTS, Signal.SNAPSHOT_CHUNKS)
_SHOWN_BYTES: Final = 65_536
"""How much of a value that is too large stands in the row."""

_TOO_MANY_PARTITIONS: Final = "TOO_MANY_PARTS"
_PARTITIONS_AT_ONCE: Final = 90
"""Below the engine's limit of 100 partitions for one block of an insert."""

_SETTINGS: Final = """
SETTINGS format_schema = '@schema@:Record', format_schema_source = 'file',
    max_threads = 1, max_insert_threads = 1, max_block_size = 65536,
    max_insert_block_size = 1048576, min_insert_block_size_rows = 1048576,
    min_insert_block_size_bytes = 1073741824, max_partitions_per_insert_block = 100,
    output_format_json_escape_forward_slashes = 0"""
_WHOLE: Final = "t"
_CUT: Final = (
    "if(length(t) > @limit@, concat(substring(t, 1, @shown@), '… [', toString(length(t)),"
    " ' bytes, whole in large_values under ', lower(hex(SHA256(t))), ']'), t)"
)
# One thread keeps the order of the file, and so every ordinal; one block makes one part.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    table: str
    statement: str
    day: str


_TARGETS: Final = {
    Signal.TRACES: (
        _Target(table="otel_traces", statement="read_traces", day="toDate(Timestamp)"),
    ),
    Signal.LOGS: (
        _Target(table="otel_logs", statement="read_logs", day="toDate(Timestamp)"),
    ),
    Signal.METRICS: tuple(
        _Target(
            table=f"otel_metrics_{kind}",
            statement=f"read_metrics_{kind}",
            day="toDate(TimeUnix)",
        )
        for kind in _METRIC_KINDS
    ),
    Signal.CLAUDE_HOOKS: (
        _Target(
            table="claude_hooks",
            statement="read_claude_hooks",
            day="toDate(ReceivedAt)",
        ),
    ),
    Signal.TRANSCRIPT_LINES: (
        _Target(
            table="claude_transcript_lines",
            statement="read_claude_transcript_lines",
            day="toDate(ReceivedAt)",
        ),
    ),
    Signal.SNAPSHOTS: (
        _Target(
            table="snapshot_requests",
            statement="read_snapshots",
            day="toDate(ReceivedAt)",
        ),
    ),
    Signal.SNAPSHOT_CHUNKS: (
        _Target(
            table="snapshot_chunks",
            statement="read_snapshot_chunks",
            day="toDate(ReceivedAt)",
        ),
    ),
}


class RawWriter:
    """Inserts segments into the raw tables.

    Args:
        store: A connection that may write; this object alone uses it.
        decoder: An engine in this process that reads the segments' files; the store
            itself when that is embedded.
        value_limit_bytes: Values of spans and logs longer than this are cut in the row
            and kept whole in ``large_values``; 0 never cuts.
    """

    def __init__(
        self, store: Engine, decoder: Engine, *, value_limit_bytes: int = 0
    ) -> None:
        self._store = store
        self._decoder = decoder
        self._limit = value_limit_bytes
        schema = resources.files("fleetspan_collector.store") / "formats/journal.proto"
        self._settings = _sql.fill(_SETTINGS, {"schema": _sql.quote(str(schema))})

    @property
    def embedded(self) -> bool:
        """Whether the store is in this process, and so nobody else's."""
        return self._store.address.embedded

    def insert(
        self,
        segment: Segment,
        *,
        doubtful: bool = False,
        unanswered_since_ns: int | None = None,
    ) -> None:
        """Insert the rows of a segment.

        Args:
            segment: A sealed segment.
            doubtful: Some of its rows may be in the store already.
            unanswered_since_ns: Rows received from then on, Unix nanoseconds, may have
                been sent to another collector of the store, too.

        Raises:
            ClickHouseError: When the engine refuses it, or cannot be reached. What has
                been inserted is then not known: the next attempt is doubtful.
        """
        shown = _WHOLE
        if self._limit and holds_longer(segment.path, self._limit):
            shown = _sql.fill(
                _CUT, {"limit": str(self._limit), "shown": str(_SHOWN_BYTES)}
            )
            # First, so that no row ever names a hash that is not there.
            self._keep_large_values(segment)
        condition = self._new_rows(segment)
        for target in self._targets(segment):
            select = self._select(
                segment.signal, target, segment.path, segment.batch_id, shown
            )
            wanted = condition
            if unanswered_since_ns is not None:
                wanted = self._not_elsewhere(
                    segment, target, select, condition, unanswered_since_ns
                )
            try:
                self._insert(
                    target, select, segment.batch_id, wanted, doubtful=doubtful
                )
            except DatabaseError as error:
                if _TOO_MANY_PARTITIONS not in str(error):
                    raise
                for days in self._days(target, select):
                    part = days if wanted == "1" else f"({wanted}) AND {days}"
                    self._insert(target, select, segment.batch_id, part, doubtful=True)

    def readable(self, signal: Signal, path: Path) -> str | None:
        """Tell whether the engine can read a file of records.

        Returns:
            ``None`` when it can, else the engine's reason.
        """
        for target in _TARGETS.get(signal, ()):
            select = self._select(signal, target, path, "", _WHOLE)
            try:
                self._decoder.raw(select + self._settings, "Null")
            except DatabaseError as error:
                return str(error).splitlines()[0][:500]
        return None

    def _keep_large_values(self, segment: Segment) -> None:
        if segment.signal in _NEVER_CUT:
            return
        name = f"large_{segment.signal.value}"
        select = _sql.render(
            name,
            segment=_sql.quote(str(segment.path)),
            structure=STRUCTURES[segment.signal],
            shown=_WHOLE,
            limit=str(self._limit),
        )
        self._write("large_values", _sql.columns(name), select)

    def _targets(self, segment: Segment) -> Iterable[_Target]:
        targets = _TARGETS.get(segment.signal, ())
        if segment.signal is not Signal.METRICS:
            return targets
        count = _sql.render(
            "count_metrics",
            segment=_sql.quote(str(segment.path)),
            structure=STRUCTURES[segment.signal],
        )
        points = self._decoder.arrow(count + self._settings).to_pylist()[0]
        return [
            t for t, kind in zip(targets, _METRIC_KINDS, strict=True) if points[kind]
        ]

    def _select(
        self, signal: Signal, target: _Target, path: Path, batch_id: str, shown: str
    ) -> str:
        return _sql.render(
            target.statement,
            segment=_sql.quote(str(path)),
            structure=STRUCTURES[signal],
            batch_id=_sql.quote(batch_id),
            shown=shown,
        )

    def _insert(
        self,
        target: _Target,
        select: str,
        batch_id: str,
        condition: str,
        *,
        doubtful: bool,
    ) -> None:
        if doubtful:
            condition = f"({condition}) AND {self._missing(target, batch_id)}"
        if condition != "1":
            select = f"SELECT * FROM (\n{select}) WHERE {condition}"
        self._write(target.table, _sql.columns(target.statement), select)

    def _write(self, table: str, columns: Sequence[str], select: str) -> None:
        if self._store.address.embedded:
            listed = ", ".join(f"`{name}`" for name in columns)
            into = f"{self._store.address.database}.{table}"
            self._store.command(
                f"INSERT INTO {into} ({listed})\n{select}{self._settings}"
            )
            return
        block = self._decoder.raw(select + self._settings, "Native")
        if block:
            self._store.insert_native(table, list(columns), block)

    def _not_elsewhere(
        self,
        segment: Segment,
        target: _Target,
        select: str,
        condition: str,
        since_ns: int,
    ) -> str:
        """A condition that leaves out, besides, what other collectors have brought."""
        held = held_by_others(
            self._store,
            self._decoder,
            signal=segment.signal,
            table=target.table,
            select=select,
            settings=self._settings,
            batch_id=segment.batch_id,
            since_ns=since_ns,
        )
        return f"({condition}) AND {_none_of(held)}" if held else condition

    def _new_rows(self, segment: Segment) -> str:
        """A condition that leaves out what other segments have brought."""
        if segment.signal is Signal.CLAUDE_HOOKS:
            return self._new_deliveries(segment)
        if segment.signal is Signal.SNAPSHOT_CHUNKS:
            return self._new_chunks(segment)
        return "1"

    def _new_deliveries(self, segment: Segment) -> str:
        late = late_deliveries(segment)
        if not late:
            return "1"
        held = self._store.arrow(
            f"SELECT DISTINCT Tenant, DeliveryId"
            f" FROM {self._store.address.database}.claude_hooks"
            f" WHERE {_among(late)} AND BatchId != {{batch_id:String}}",
            {"batch_id": segment.batch_id},
        )
        found = zip(
            held["Tenant"].to_pylist(), held["DeliveryId"].to_pylist(), strict=True
        )
        known = sorted(found)
        return f"NOT {_among(known)}" if known else "1"

    def _new_chunks(self, segment: Segment) -> str:
        """A condition that picks one of each chunk that the store does not hold yet.

        One of an earlier day is stored again, so that state which is still in use does
        not end with the days of its first use.
        """
        chunks = chunks_of(segment)
        if not chunks:
            return "1"
        held = self._store.arrow(
            "SELECT DISTINCT toString(Tenant) AS Tenant, Hash"
            f" FROM {self._store.address.database}.snapshot_chunks"
            " WHERE toDate(ReceivedAt) = today() AND BatchId != {batch_id:String}"
            f" AND {_among(chunks, 'Hash')}",
            {"batch_id": segment.batch_id},
        )
        known = set(
            zip(held["Tenant"].to_pylist(), held["Hash"].to_pylist(), strict=True)
        )
        new = [ordinal for key, ordinal in chunks.items() if key not in known]
        return f"BatchOrdinal IN ({', '.join(map(str, new))})" if new else "0"

    def _missing(self, target: _Target, batch_id: str) -> str:
        """A condition that leaves out the rows that the store holds."""
        held = self._store.arrow(
            f"SELECT BatchOrdinal FROM {self._store.address.database}.{target.table}"
            " WHERE BatchId = {batch_id:String} ORDER BY BatchOrdinal",
            {"batch_id": batch_id},
        )["BatchOrdinal"].to_pylist()
        return _none_of(held)

    def _days(self, target: _Target, select: str) -> Iterator[str]:
        """Conditions that split a segment into few enough partitions each."""
        found = self._decoder.arrow(
            f"SELECT DISTINCT toString({target.day}) AS day FROM (\n{select})"
            f" ORDER BY day{self._settings}"
        )["day"].to_pylist()
        for first in range(0, len(found), _PARTITIONS_AT_ONCE):
            days = ", ".join(
                f"'{day}'" for day in found[first : first + _PARTITIONS_AT_ONCE]
            )
            yield f"{target.day} IN ({days})"


def _among(keys: Iterable[tuple[str, str]], column: str = "DeliveryId") -> str:
    """A condition that picks rows by tenant and another column."""
    pairs = ", ".join(
        f"('{_sql.quote(tenant)}', '{_sql.quote(value)}')" for tenant, value in keys
    )
    return f"(toString(Tenant), {column}) IN ({pairs})"


def _none_of(ordinals: Iterable[int]) -> str:
    """A condition that leaves out rows by their ascending ordinals."""
    ranges = [
        f"BatchOrdinal BETWEEN {first} AND {last}" for first, last in _ranges(ordinals)
    ]
    return f"NOT ({' OR '.join(ranges)})" if ranges else "1"


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges without gaps, both ends included."""
    first = last = None
    for number in numbers:
        if last is not None and number <= last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last
