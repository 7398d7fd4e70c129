"""What is asked, checked: searches, traces by id, services' operations, dependencies."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from fleetspan_collector.jaeger.protos.trace_storage_pb2 import (
    AnyValue,
    GetTracesRequest,
    TraceQueryParameters,
)

DEFAULT_TRACES: Final = 100
MOST_TRACES: Final = 10_000
"""What one search may return."""
MOST_IDS: Final = 10_000
"""Traces that one request may name."""
KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
NO_SERVICE: Final = "OTLPResourceNoServiceName"
"""What Jaeger shows of a span without a service; asking for it finds such spans."""
_MOST_ATTRIBUTES: Final = 50
_LAST_NS: Final = 2**63 - 1


class InvalidError(ValueError):
    """A question that cannot be answered. gRPC INVALID_ARGUMENT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An interval of time.

    Attributes:
        first_ns: Unix nanoseconds; ``None`` for the beginning of time.
        last_ns: Unix nanoseconds, which are still in it; ``None`` for no end.
    """

    first_ns: int | None = None
    last_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search for traces that have a span like this.

    Attributes:
        service: Its service; ``""`` for any.
        operation: Its name; ``""`` for any.
        attributes: What its attributes are, by name; as text, or as a number whose
            text the engine makes.
        when: When it began.
        shortest_ns: Its duration at least.
        longest_ns: Its duration at most; ``None`` for no limit.
        traces: How many traces are wanted, at least 1.
    """

    service: str = ""
    operation: str = ""
    attributes: tuple[tuple[str, str | float], ...] = ()
    when: Interval = Interval()
    shortest_ns: int = 0
    longest_ns: int | None = None
    traces: int = DEFAULT_TRACES


def read_search(query: TraceQueryParameters, *, paged: bool) -> Search:
    """Check a search.

    Args:
        query: As it came.
        paged: Whether pages can be asked for here.

    Raises:
        InvalidError: When it cannot be answered.
    """
    if query.HasField("filter"):
        raise InvalidError("filter: structured filters are not supported")
    shortest_ns = _nanoseconds(query.duration_min, "duration_min")
    longest_ns = _nanoseconds(query.duration_max, "duration_max") or None
    if longest_ns is not None and longest_ns < shortest_ns:
        raise InvalidError("duration_min is above duration_max")
    if len(query.attributes) > _MOST_ATTRIBUTES:
        raise InvalidError(f"attributes: more than {_MOST_ATTRIBUTES}")
    return Search(
        service=query.service_name,
        operation=query.operation_name,
        attributes=tuple(
            (each.key, _wanted(each.key, each.value)) for each in query.attributes
        ),
        when=read_interval(
            query.start_time_min,
            query.start_time_max,
            ("start_time_min", "start_time_max"),
        ),
        shortest_ns=shortest_ns,
        longest_ns=longest_ns,
        traces=_traces(query, paged=paged),
    )


def _traces(query: TraceQueryParameters, *, paged: bool) -> int:
    wanted = query.search_depth
    if query.HasField("pagination"):
        if not paged:
            raise InvalidError("pagination: traces do not come in pages")
        if wanted:
            raise InvalidError("search_depth and pagination exclude each other")
        if query.pagination.page_token:
            raise InvalidError("pagination: page_token was not given by this server")
        wanted = query.pagination.page_size
        if not wanted:
            raise InvalidError("pagination: page_size is 0")
        # A page may be smaller than what was asked for.
        return min(wanted, MOST_TRACES)
    if not 0 <= wanted <= MOST_TRACES:
        raise InvalidError(f"search_depth is {wanted}, not one of 0 to {MOST_TRACES}")
    return wanted or DEFAULT_TRACES


def read_interval(
    first: Timestamp, last: Timestamp, names: tuple[str, str]
) -> Interval:
    """Check an interval.

    Jaeger sends the year 1 for a time that is not given: what is not after 1970 is none.

    Raises:
        InvalidError: When it ends before it begins.
    """
    interval = Interval(
        first_ns=_moment(first, names[0]), last_ns=_moment(last, names[1])
    )
    first_ns, last_ns = interval.first_ns, interval.last_ns
    if first_ns is not None and last_ns is not None and last_ns < first_ns:
        raise InvalidError(f"{names[0]} is after {names[1]}")
    return interval


def read_ids(request: GetTracesRequest) -> dict[str, Interval]:
    """Check which traces are wanted.

    Returns:
        By id in the order of the request, as the store writes it: when spans of the
        trace are looked for.

    Raises:
        InvalidError: When an id is none.
    """
    if len(request.query) > MOST_IDS:
        raise InvalidError(f"query: more than {MOST_IDS} traces")
    wanted: dict[str, Interval] = {}
    for each in request.query:
        # The short ones are of Jaeger's first clients.
        if len(each.trace_id) not in {8, 16}:
            raise InvalidError(
                f"trace_id: {len(each.trace_id)} bytes where 16 are an id"
            )
        times = ("start_time", "end_time")
        interval = read_interval(each.start_time, each.end_time, times)
        wanted.setdefault(each.trace_id.hex().zfill(32), interval)
    return wanted


def read_kind(kind: str) -> str:
    """Check a kind of spans; ``""`` is any.

    Raises:
        InvalidError: When there is no such kind.
    """
    known = kind.lower()
    if known and known not in KINDS:
        raise InvalidError(f"span_kind: there is no {kind!r}, only {_list(KINDS)}")
    return known


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)


def _moment(time: Timestamp, name: str) -> int | None:
    if not 0 <= time.nanos < 1_000_000_000:
        raise InvalidError(f"{name}: {time.nanos} nanoseconds of a second")
    moment_ns = time.seconds * 1_000_000_000 + time.nanos
    return min(moment_ns, _LAST_NS) if moment_ns > 0 else None


def _nanoseconds(duration: Duration, name: str) -> int:
    nanoseconds = duration.seconds * 1_000_000_000 + duration.nanos
    if nanoseconds < 0:
        raise InvalidError(f"{name} is below 0")
    return min(nanoseconds, _LAST_NS)


def _wanted(key: str, value: AnyValue) -> str | float:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "int_value":
        return str(value.int_value)
    if kind == "double_value":
        return value.double_value
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    raise InvalidError(
        f"attributes: {key!r} is {kind or 'nothing'}; a text, a number or a truth value "
        "can be looked for"
    )
