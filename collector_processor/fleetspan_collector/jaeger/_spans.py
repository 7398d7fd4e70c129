"""Rows of ``jaeger_spans.sql`` as OTLP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import (
    ResourceSpans,
    ScopeSpans,
    Span,
    Status,
    TracesData,
)

from fleetspan_collector.jaeger._fitting import CHUNK_BYTES, fit, fit_resource, warn
from fleetspan_collector.jaeger._values import add_attributes
from fleetspan_collector.jaeger.metrics import JaegerMetrics

_MOST_SPANS_OF_A_CHUNK: Final = 2_000
_KINDS: Final = {
    kind: number
    for number, names in enumerate(
        (
            ("Unspecified", "SPAN_KIND_UNSPECIFIED"),
            ("Internal", "SPAN_KIND_INTERNAL"),
            ("Server", "SPAN_KIND_SERVER"),
            ("Client", "SPAN_KIND_CLIENT"),
            ("Producer", "SPAN_KIND_PRODUCER"),
            ("Consumer", "SPAN_KIND_CONSUMER"),
        )
    )
    for kind in names
}
_STATUSES: Final = {
    "Ok": Status.STATUS_CODE_OK,
    "STATUS_CODE_OK": Status.STATUS_CODE_OK,
    "Error": Status.STATUS_CODE_ERROR,
    "STATUS_CODE_ERROR": Status.STATUS_CODE_ERROR,
}
_LAST_NS: Final = 2**64 - 1

Attributes = Mapping[str, str]


class Row(NamedTuple):
    """A row of ``jaeger_spans.sql``, in the order of its columns."""

    trace_id: str
    span_id: str
    parent_span_id: str
    trace_state: str
    name: str
    kind: str
    service: str
    resource: Attributes
    scope: str
    scope_version: str
    attributes: Attributes
    start_ns: int
    duration_ns: int
    status: str
    status_message: str
    event_ns: Sequence[int]
    event_names: Sequence[str]
    event_attributes: Sequence[Attributes]
    link_trace_ids: Sequence[str]
    link_span_ids: Sequence[str]
    link_states: Sequence[str]
    link_attributes: Sequence[Attributes]

    def with_events(self, decided: Sequence[Mapping[str, Any]]) -> Row:
        """Return it with rows of ``jaeger_decisions.sql`` among its events, by time."""
        if not decided:
            return self
        events = list(
            zip(self.event_ns, self.event_names, self.event_attributes, strict=True)
        )
        for each in decided:
            named = dict(zip(each["names"], each["values"], strict=True))
            named["fleetspan.control.reason"] = each["said"]
            events.append((each["at_ns"], each["name"], named))
        events.sort(key=lambda event: event[0])
        times, names, attributes = zip(*events, strict=True)
        return self._replace(
            event_ns=times, event_names=names, event_attributes=attributes
        )

    def characters(self) -> int:
        """About how much text it has."""
        held = (self.attributes, *self.event_attributes, *self.link_attributes)
        return len(self.status_message) + sum(
            len(text) for texts in held for text in texts.values()
        )


def rows_of(block: Sequence[Sequence[object]]) -> Iterator[Row]:
    """Turn the columns of a block into rows."""
    return map(Row._make, zip(*block, strict=True))


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Sort rows of one trace by start, then by id."""
    return sorted(rows, key=lambda row: (row.start_ns, row.span_id))


class Chunks:
    """Packs spans of one trace into messages that a client takes.

    Args:
        metrics: Where it counts.
    """

    def __init__(self, metrics: JaegerMetrics) -> None:
        self._metrics = metrics

    def of(self, rows: Iterable[Row], warning: str = "") -> Iterator[bytes]:
        """Yield messages, each a ``TracesData`` that has at least one span.

        Args:
            rows: Spans of one trace.
            warning: What is said of the trace, at its first span here; ``""`` for
                nothing.
        """
        chunk = _Chunk()
        for row in rows:
            span = self._span(row)
            if span is None:
                continue
            if warning:
                warn(span, warning)
                warning = ""
            size_bytes = span.ByteSize()
            if chunk.spans and chunk.size_bytes + size_bytes > CHUNK_BYTES:
                yield self._sent(chunk)
                chunk = _Chunk()
            chunk.add(row, span, size_bytes)
            if chunk.spans >= _MOST_SPANS_OF_A_CHUNK:
                yield self._sent(chunk)
                chunk = _Chunk()
        if chunk.spans:
            yield self._sent(chunk)

    def _sent(self, chunk: _Chunk) -> bytes:
        self._metrics.spans.inc(chunk.spans)
        return chunk.data.SerializeToString()

    def _span(self, row: Row) -> Span | None:
        """Make a span; ``None`` when its ids are none."""
        trace_id, span_id = id_of(row.trace_id, 16), id_of(row.span_id, 8)
        if trace_id is None or span_id is None:
            self._metrics.left_out.labels("bad_id").inc()
            return None
        start_ns = max(row.start_ns, 0)
        span = Span(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=id_of(row.parent_span_id, 8) or b"",
            trace_state=row.trace_state,
            name=row.name,
            kind=_KINDS.get(row.kind, 0),  # type: ignore[arg-type] # enums are ints
            start_time_unix_nano=start_ns,
            end_time_unix_nano=min(start_ns + row.duration_ns, _LAST_NS),
        )
        if row.status in _STATUSES or row.status_message:
            span.status.code = _STATUSES.get(row.status, Status.STATUS_CODE_UNSET)
            span.status.message = row.status_message
        add_attributes(span.attributes, row.attributes)
        _add_events(span, row)
        _add_links(span, row)
        if fit(span):
            self._metrics.cut_spans.inc()
        return span


class _Chunk:
    """One message, and where the spans of a resource and a scope stand in it."""

    def __init__(self) -> None:
        self.data = TracesData()
        self.spans = 0
        self.size_bytes = 0
        self._resources: dict[object, ResourceSpans] = {}
        self._scopes: dict[object, ScopeSpans] = {}

    def add(self, row: Row, span: Span, size_bytes: int) -> None:
        resource_key = (row.service, *row.resource.items())
        scope_key = (resource_key, row.scope, row.scope_version)
        scope = self._scopes.get(scope_key)
        if scope is None:
            resource = self._resources.get(resource_key)
            if resource is None:
                resource = self._resources[resource_key] = self._resource(row)
            scope = self._scopes[scope_key] = resource.scope_spans.add()
            scope.scope.name, scope.scope.version = row.scope, row.scope_version
        scope.spans.append(span)
        self.spans += 1
        self.size_bytes += size_bytes

    def _resource(self, row: Row) -> ResourceSpans:
        made = self.data.resource_spans.add()
        texts = dict(row.resource)
        if row.service:
            # Other writers may have it in the column alone.
            texts.setdefault("service.name", row.service)
        add_attributes(made.resource.attributes, texts)
        fit_resource(made.resource)
        self.size_bytes += made.ByteSize()
        return made


def id_of(text: str, size_bytes: int) -> bytes | None:
    """Turn an id of the store into bytes; ``None`` when it is none of that size."""
    try:
        made = bytes.fromhex(text)
    except ValueError:
        return None
    return made if len(made) == size_bytes and text.isalnum() else None


def _add_events(span: Span, row: Row) -> None:
    for at_ns, name, texts in zip(
        row.event_ns, row.event_names, row.event_attributes, strict=True
    ):
        event = span.events.add(time_unix_nano=max(at_ns, 0), name=name)
        add_attributes(event.attributes, texts)


def _add_links(span: Span, row: Row) -> None:
    for trace_id, span_id, state, texts in zip(
        *(row.link_trace_ids, row.link_span_ids, row.link_states),
        row.link_attributes,
        strict=True,
    ):
        link = span.links.add(
            trace_id=id_of(trace_id, 16) or b"",
            span_id=id_of(span_id, 8) or b"",
            trace_state=state,
        )
        add_attributes(link.attributes, texts)
