"""Whether an OTLP request is sound, and which of its items are not.

Items that no store could place are rejected by count and the others are kept:

* a span without a 16-byte trace id or an 8-byte span id that are not all zero, with a
  parent id that is neither empty nor 8 bytes, with a start time of 0, or with a time (its
  own or an event's) past 2262-04-11, the end of what 64-bit nanoseconds hold;
* a log record whose trace or span id is neither empty nor of the right length, or with
  a time past 2262;
* a data point with a time past 2262.

Kept as sent: a span that ends before it starts (the store calls its duration 0), a parent id or
a log's ids of zeros (they mean "none"), a log record without a time (it has the observed one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import DecodeError, EncodeError, Message

from .._signals import Signal
from ._bounds import check_parsed_bytes
from ._deep_values import flatten_deep_values
from ._faults import Undecodable
from ._schema import CHECKED, REQUESTS

# 2262-04-11T23:47:16.854775807Z, the last instant of a DateTime64(9).
LAST_UNIX_NANO: Final = (1 << 63) - 1

# Below this many bytes `SerializeToString` is the faster question about depth; above it,
# `IsInitialized` is asked, which allocates nothing.
_SERIALIZE_BELOW_BYTES: Final = 1 << 20

_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is left of a request after validation.

    Attributes:
        payload: The bytes to keep: the client's own, unless items were rejected or
            values were too deep.
        rows: Spans, log records or data points in the payload.
        rejected: Items taken out, by reason.
        first: Where the first few rejected items were and what was wrong with each.
        rewritten_values: Values replaced by their JSON text.
    """

    payload: bytes
    rows: int
    rejected: Counter[str] = field(default_factory=Counter)
    first: tuple[str, ...] = ()
    rewritten_values: int = 0

    @property
    def rejected_items(self) -> int:
        """How many items were taken out."""
        return sum(self.rejected.values())


def validate(signal: Signal, payload: bytes, *, max_parsed_bytes: int) -> Verdict:
    """Check an OTLP request and take out what cannot be kept.

    Args:
        signal: Which request the bytes should be.
        payload: The protobuf bytes.
        max_parsed_bytes: The most memory, in bytes, that decoding may need.

    Raises:
        TooLarge: When decoding would need more memory than that.
        Undecodable: When the bytes are not such a request, hold invalid UTF-8, or nest
            deeper than protobuf itself allows (100 messages).
    """
    check_parsed_bytes(signal, payload, limit_bytes=max_parsed_bytes)
    request = _parse(CHECKED[signal], payload)
    found = _SCANS[signal](request)
    deep = _deep_paths(request, len(payload))
    if not found.bad and not deep:
        return Verdict(payload=payload, rows=found.rows)
    if found.bad:
        for siblings, indexes in found.bad:
            _remove(siblings, indexes)
        payload = request.SerializePartialToString()
        deep = _deep_paths(request, len(payload))
    del request
    rewritten = 0
    if deep:
        real = _parse(REQUESTS[signal], payload)
        rewritten = flatten_deep_values(real, deep)
        payload = real.SerializeToString()
    return Verdict(
        payload=payload,
        rows=found.rows - found.reasons.total(),
        rejected=found.reasons,
        first=tuple(found.first),
        rewritten_values=rewritten,
    )


def _parse(message: type[Message], payload: bytes) -> Any:
    try:
        return message.FromString(payload)
    except DecodeError as error:
        # Its text is "Error parsing message with type …: what is wrong".
        what = str(error).rpartition(": ")[2] or "malformed"
        if "MaxDepth" in what:
            what = "values nest deeper than 100 messages"
        name = message.DESCRIPTOR.name
        raise Undecodable(f"the body is not a protobuf {name}: {what}") from None


def _deep_paths(request: Any, size: int) -> list[str]:
    if size < _SERIALIZE_BELOW_BYTES:
        try:
            request.SerializeToString()
        except EncodeError:
            return list(request.FindInitializationErrors())
        return []
    return [] if request.IsInitialized() else list(request.FindInitializationErrors())


_NAMED: Final = 3  # rejected items that the answer describes

_TEXTS: Final = {
    "trace_id": "trace_id must be 16 bytes and not all zero",
    "span_id": "span_id must be 8 bytes and not all zero",
    "parent_span_id": "parent_span_id must be empty or 8 bytes",
    "start_time": "start_time_unix_nano must not be 0",
    "time_range": "a time is past 2262-04-11",
    "log_trace_id": "trace_id must be empty or 16 bytes",
    "log_span_id": "span_id must be empty or 8 bytes",
}


@dataclass(slots=True)
class _Found:
    """What a look at every item gave.

    Attributes:
        place: How an item's place is written, from the indexes that lead to it.
        rows: All items.
        reasons: Bad items by reason.
        first: The first few of them, described.
        bad: The lists with bad items and their indexes there, ascending.
    """

    place: str
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)
    bad: list[tuple[Any, list[int]]] = field(default_factory=list)

    def note(self, siblings: Any, reason: str, *place: object) -> None:
        """Note a bad item; the last part of its place is its index."""
        index = place[-1]
        assert isinstance(index, int)  # noqa: S101 - for the type checker
        self.reasons[reason] += 1
        if len(self.first) < _NAMED:
            self.first.append(f"{self.place.format(*place)}: {_TEXTS[reason]}")
        if not self.bad or self.bad[-1][0] is not siblings:
            self.bad.append((siblings, []))
        self.bad[-1][1].append(index)


def _scan_spans(request: Any) -> _Found:
    found = _Found("resource_spans[{}].scope_spans[{}].spans[{}]")
    last, no_trace, no_span = LAST_UNIX_NANO, _NO_TRACE, _NO_SPAN
    for r, resource in enumerate(request.resource_spans):
        for s, scope in enumerate(resource.scope_spans):
            spans = scope.spans
            found.rows += len(spans)
            for i, span in enumerate(spans):
                trace_id = span.trace_id
                span_id = span.span_id
                parent = span.parent_span_id
                start = span.start_time_unix_nano
                if len(trace_id) != 16 or trace_id == no_trace:
                    reason = "trace_id"
                elif len(span_id) != 8 or span_id == no_span:
                    reason = "span_id"
                elif parent and len(parent) != 8:
                    reason = "parent_span_id"
                elif not start:
                    reason = "start_time"
                elif (
                    start > last
                    or span.end_time_unix_nano > last
                    or ((events := span.events) and _late(events))
                ):
                    reason = "time_range"
                else:
                    continue
                found.note(spans, reason, r, s, i)
    return found


def _late(events: Any) -> bool:
    return any(event.time_unix_nano > LAST_UNIX_NANO for event in events)


def _scan_logs(request: Any) -> _Found:
    found = _Found("resource_logs[{}].scope_logs[{}].log_records[{}]")
    last = LAST_UNIX_NANO
    for r, resource in enumerate(request.resource_logs):
        for s, scope in enumerate(resource.scope_logs):
            records = scope.log_records
            found.rows += len(records)
            for i, record in enumerate(records):
                trace_id = record.trace_id
                span_id = record.span_id
                if trace_id and len(trace_id) != 16:
                    reason = "log_trace_id"
                elif span_id and len(span_id) != 8:
                    reason = "log_span_id"
                elif (
                    record.time_unix_nano > last
                    or record.observed_time_unix_nano > last
                ):
                    reason = "time_range"
                else:
                    continue
                found.note(records, reason, r, s, i)
    return found


def _scan_metrics(request: Any) -> _Found:
    found = _Found(
        "resource_metrics[{}].scope_metrics[{}].metrics[{}].{}.data_points[{}]"
    )
    last = LAST_UNIX_NANO
    for r, resource in enumerate(request.resource_metrics):
        for s, scope in enumerate(resource.scope_metrics):
            for m, metric in enumerate(scope.metrics):
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                points = getattr(metric, kind).data_points
                found.rows += len(points)
                for i, point in enumerate(points):
                    if point.time_unix_nano > last or point.start_time_unix_nano > last:
                        found.note(points, "time_range", r, s, m, kind, i)
    return found


_SCANS: Final[dict[Signal, Callable[[Any], _Found]]] = {
    Signal.TRACES: _scan_spans,
    Signal.LOGS: _scan_logs,
    Signal.METRICS: _scan_metrics,
}

# Deleting moves what follows, so that deleting one by one is quadratic; up to this many
# moves (some 0.1 s) it is done, because the other way copies what stays.
_MAX_MOVES: Final = 100_000_000


def _remove(siblings: Any, indexes: list[int]) -> None:
    """Take items out of a list.

    Args:
        siblings: A repeated message field.
        indexes: Which items, ascending.
    """
    count = len(siblings)
    if len(indexes) == count:
        del siblings[:]
    elif len(indexes) * count <= _MAX_MOVES:
        for index in reversed(indexes):
            del siblings[index]
    else:
        gone = set(indexes)
        kept = [item for i, item in enumerate(siblings) if i not in gone]
        del siblings[:]
        siblings.extend(kept)
