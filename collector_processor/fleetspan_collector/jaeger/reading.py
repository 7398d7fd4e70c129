"""Answers of the store to what Jaeger asks.

Every function here is called on one thread, from its beginning to its end, and takes a
connection that reads only what its asker may see.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.jaeger._conditions import Conditions, conditions_of
from fleetspan_collector.jaeger._questions import (
    KINDS,
    NO_SERVICE,
    Interval,
    Search,
)
from fleetspan_collector.jaeger._spans import Chunks, Row, id_of, in_order, rows_of
from fleetspan_collector.jaeger.metrics import JaegerMetrics
from fleetspan_collector.jaeger.protos.trace_storage_pb2 import (
    FindTraceSummariesResponse,
    ServiceSummary,
    TraceSummary,
)
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

logger = logging.getLogger("fleetspan.jaeger")

MOST_SPANS_OF_A_TRACE: Final = 200_000
_MOST_NAMES: Final = 10_000
_TRACES_AT_ONCE: Final = 25
_MOST_HELD: Final = 8 << 20
"""Characters of spans that are held at once, so that they can be sorted."""
_MORE_OF_A_SPAN: Final = 1000
"""What a span takes besides its texts, about, in characters."""
_SPANS_OF_FIRST_SLICE: Final = 50_000
"""About so many are searched first; what has fewer is searched at once."""
_GROWTH: Final = 4
_SUMMARIES_AT_ONCE: Final = 200
_CALLERS_BEFORE_NS: Final = 3600 * 1_000_000_000
_SECOND_NS: Final = 1_000_000_000
_LATER_NS: Final = 3600 * _SECOND_NS
"""So long after the last span of a trace has begun things may be decided in it."""
_LAST_S: Final = 2**32 - 1
_LAST_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A trace, and when its spans begin.

    Attributes:
        trace_id: 32 hexadecimal digits.
        first_ns: Not after its first span, in Unix nanoseconds.
        last_ns: Not before its last span begins.
    """

    trace_id: str
    first_ns: int
    last_ns: int


class Reading:
    """Reads for one asker.

    Args:
        engine: A connection that reads what they may see.
        metrics: Where it counts.
        settled: Whether all that was acknowledged can be read. Else a trace may go on
            after what the store knows as its end.
    """

    def __init__(
        self, engine: Engine, metrics: JaegerMetrics, *, settled: bool
    ) -> None:
        self._engine = engine
        self._settled = settled
        self._database = engine.database
        self._metrics = metrics
        self._chunks = Chunks(metrics)

    def services(self) -> list[str]:
        """Return the names of all services."""
        rows = self._rows("jaeger_services", {"limit": _MOST_NAMES})
        self._tell_most(rows, "services")
        return sorted(row["service"] or NO_SERVICE for row in rows)

    def operations(self, service: str, kind: str) -> list[tuple[str, str]]:
        """Return names and kinds of a service's spans.

        Args:
            service: Its name.
            kind: One of `KINDS`; ``""`` for all.
        """
        title = kind.capitalize()
        rows = self._rows(
            "jaeger_operations",
            {
                "service": "" if service == NO_SERVICE else service,
                "kinds": [title, f"SPAN_KIND_{kind.upper()}"] if kind else [],
                "limit": _MOST_NAMES,
            },
        )
        self._tell_most(rows, "operations")
        unknown = KINDS[0]
        return [
            (row["name"], "" if row["kind"] == unknown else row["kind"]) for row in rows
        ]

    def find(self, search: Search) -> list[Found]:
        """Return the traces that have a span like this, the newest such span first."""
        conditions = conditions_of(search)
        name = "jaeger_find_by_attributes" if search.attributes else "jaeger_find"
        latest: dict[str, int] = {}
        for first_ns, last_ns in self._slices(search.when, conditions):
            rows = self._rows(
                name,
                {
                    **conditions.values,
                    "first_ns": first_ns,
                    "last_ns": last_ns,
                    "limit": search.traces,
                },
                spans=conditions.spans,
                without_events=conditions.without_events,
                in_events=conditions.in_events,
                everywhere=conditions.everywhere,
            )
            for row in rows:
                if id_of(row["trace_id"], 16) is None:
                    self._metrics.left_out.labels("bad_id").inc()
                else:
                    latest.setdefault(row["trace_id"], row["latest_ns"])
            if len(latest) >= search.traces:
                break
        wanted = list(latest)[: search.traces]
        return self.bounds(dict.fromkeys(wanted, Interval()), latest)

    def bounds(
        self, wanted: Mapping[str, Interval], seen_ns: Mapping[str, int] | None = None
    ) -> list[Found]:
        """Find when traces begin and end.

        Args:
            wanted: Traces by id; one of which no span may begin in its interval is
                left out.
            seen_ns: When a span of a trace began, where one is known.

        Returns:
            In the order of ``wanted``; a trace that the store has no bounds of may be
            at any time.
        """
        known = {
            row["trace_id"]: (row["first_s"], row["last_s"])
            for row in self._rows("jaeger_bounds", {"ids": list(wanted)})
        }
        found = []
        for trace_id, interval in wanted.items():
            first_s, last_s = known.get(trace_id, (0, _LAST_S))
            first_ns = first_s * _SECOND_NS
            ends = self._settled and last_s < _LAST_S
            last_ns = (last_s + 1) * _SECOND_NS if ends else _LAST_NS
            # A span that is not in the bounds yet.
            at_ns = (seen_ns or {}).get(trace_id, first_ns)
            first_ns, last_ns = min(first_ns, at_ns), max(last_ns, at_ns)
            if _meet(interval, first_ns, last_ns):
                found.append(
                    Found(trace_id=trace_id, first_ns=first_ns, last_ns=last_ns)
                )
        return found

    def traces(self, found: Sequence[Found]) -> Iterator[bytes]:
        """Yield the spans of traces: messages of one trace each, trace by trace."""
        for place in range(0, len(found), _TRACES_AT_ONCE):
            together = found[place : place + _TRACES_AT_ONCE]
            whole = self._whole(together) if len(together) > 1 else None
            if whole is None:
                for each in together:
                    yield from self._one(each)
            else:
                for each in together:
                    yield from self._chunks.of(in_order(whole.pop(each.trace_id, ())))

    def _whole(self, found: Sequence[Found]) -> dict[str, list[Row]] | None:
        """Read some traces at once; ``None`` when they are too large for that."""
        rows: dict[str, list[Row]] = {}
        held = 0
        with contextlib.closing(self._spans(found, MOST_SPANS_OF_A_TRACE)) as spans:
            for row in spans:
                held += row.characters() + _MORE_OF_A_SPAN
                if held > _MOST_HELD:
                    return None
                rows.setdefault(row.trace_id, []).append(row)
        return rows

    def _one(self, found: Found) -> Iterator[bytes]:
        """Read a trace of any size: as much as can be held is sorted together."""
        rows: list[Row] = []
        held = spans = 0
        warning = ""
        with contextlib.closing(
            self._spans([found], MOST_SPANS_OF_A_TRACE + 1)
        ) as all_:
            for row in all_:
                if spans == MOST_SPANS_OF_A_TRACE:
                    self._metrics.left_out.labels("trace_too_large").inc()
                    warning = (
                        f"the trace has more than {spans} spans; the rest is left out"
                    )
                    break
                if held > _MOST_HELD:
                    yield from self._chunks.of(in_order(rows))
                    rows, held = [], 0
                rows.append(row)
                spans += 1
                held += row.characters() + _MORE_OF_A_SPAN
        yield from self._chunks.of(in_order(rows), warning)

    def _spans(self, found: Sequence[Found], limit: int) -> Generator[Row]:
        """Read the spans of traces, in no order, as the engine finds them.

        What control decided of a span is among its events: a log record that names a
        span is an event of it.
        """
        decided: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for decision in self._rows("jaeger_decisions", _within(found, _LATER_NS)):
            key = decision["trace_id"], decision["span_id"]
            decided.setdefault(key, []).append(decision)
        statement = _sql.render("jaeger_spans", database=self._database)
        parameters = {**_within(found), "limit": limit}
        with contextlib.closing(self._engine.blocks(statement, parameters)) as blocks:
            for block in blocks:
                for row in rows_of(block):
                    yield row.with_events(decided.get((row.trace_id, row.span_id), ()))

    def summaries(self, found: Sequence[Found]) -> Iterator[bytes]:
        """Yield what traces are: ``FindTraceSummariesResponse`` messages, in order."""
        for place in range(0, len(found), _SUMMARIES_AT_ONCE):
            together = found[place : place + _SUMMARIES_AT_ONCE]
            rows = {
                row["trace_id"]: row
                for row in self._rows("jaeger_summaries", _within(together))
            }
            response = FindTraceSummariesResponse(
                summaries=[
                    _summary(rows[each.trace_id])
                    for each in together
                    if each.trace_id in rows
                ]
            )
            if response.summaries:
                yield response.SerializeToString()

    def dependencies(self, when: Interval) -> list[tuple[str, str, int]]:
        """Return which service called which other how often.

        Args:
            when: When the called spans began.

        Returns:
            Caller, called and number of calls, sorted.
        """
        first_ns = when.first_ns or 0
        last_ns = _or_end(when.last_ns)
        # Callers may have begun before those that they call.
        callers_from_ns = max(first_ns - _CALLERS_BEFORE_NS, 0)
        (row,) = self._rows(
            "jaeger_count_services", {"first_ns": callers_from_ns, "last_ns": last_ns}
        )
        if row["services"] < 2:
            return []
        rows = self._rows(
            "jaeger_dependencies",
            {
                "first_ns": first_ns,
                "last_ns": last_ns,
                "parents_from_ns": callers_from_ns,
            },
        )
        return [(row["parent"], row["child"], row["calls"]) for row in rows]

    def _slices(
        self, when: Interval, conditions: Conditions
    ) -> Iterator[tuple[int, int]]:
        """Cut an interval into slices, the newest and smallest first.

        A search that finds enough in the newest slices does not read the others.
        """
        first_ns, last_ns = when.first_ns or 0, _or_end(when.last_ns)
        estimated = self._rows(
            "jaeger_estimate",
            {**conditions.values, "first_ns": first_ns, "last_ns": last_ns},
            spans=conditions.spans,
        )
        spans = sum(row["rows"] for row in estimated)
        if spans <= _SPANS_OF_FIRST_SLICE:
            yield first_ns, last_ns
            return
        if when.first_ns is None or when.last_ns is None:
            (row,) = self._rows("jaeger_interval", {})
            first_ns = max(first_ns, row["first_ns"])
            last_ns = min(last_ns, row["last_ns"])
        width_ns = (last_ns - first_ns) * _SPANS_OF_FIRST_SLICE // spans + 1
        while last_ns >= first_ns:
            begin_ns = max(first_ns, last_ns - width_ns + 1)
            yield begin_ns, last_ns
            last_ns = begin_ns - 1
            width_ns *= _GROWTH

    def _rows(
        self, name: str, parameters: Mapping[str, Any], **tokens: str
    ) -> list[dict[str, Any]]:
        statement = _sql.render(name, database=self._database, **tokens)
        rows: list[dict[str, Any]] = self._engine.arrow(
            statement, parameters
        ).to_pylist()
        return rows

    def _tell_most(self, rows: Sequence[object], what: str) -> None:
        if len(rows) == _MOST_NAMES:
            self._metrics.left_out.labels(what).inc()
            logger.warning("Jaeger is shown %d %s, and not the rest", len(rows), what)


def _meet(interval: Interval, first_ns: int, last_ns: int) -> bool:
    ends_before = interval.last_ns is not None and interval.last_ns < first_ns
    return not ends_before and (interval.first_ns or 0) <= last_ns


def _or_end(last_ns: int | None) -> int:
    return _LAST_NS if last_ns is None else last_ns


def _within(found: Sequence[Found], later_ns: int = 0) -> dict[str, Any]:
    last_ns = max(each.last_ns for each in found)
    return {
        "ids": [each.trace_id for each in found],
        "first_ns": min(each.first_ns for each in found),
        "last_ns": min(last_ns + later_ns, _LAST_NS),
    }


def _summary(row: Mapping[str, Any]) -> TraceSummary:
    return TraceSummary(
        trace_id=bytes.fromhex(row["trace_id"]),
        root_service_name=row["root_service"],
        root_operation_name=row["root_name"],
        min_start_time_unix_nano=max(row["first_ns"], 0),
        max_end_time_unix_nano=max(row["last_ns"], 0),
        span_count=row["spans"],
        error_span_count=row["errors"],
        orphan_span_count=row["orphans"],
        services=[
            ServiceSummary(
                name=name or NO_SERVICE, span_count=spans, error_span_count=failed
            )
            for name, spans, failed in zip(
                *(row["services"], row["service_spans"], row["service_errors"]),
                strict=True,
            )
        ],
    )
