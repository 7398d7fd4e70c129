"""Results of statements, piece by piece where their format allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fleetspan_collector.clickhouse_http.connections import ask, engine_errors
from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.clickhouse_http.native import varint

_MOST_WHOLE_BYTES: Final = 512 << 20
# Each block of a result is a document of its own: these can simply follow each other.
_FOLLOWING: Final = frozenset(
    ("TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "Raw", "CSV", "JSONEachRow")
    + ("JSONCompactEachRow", "JSONStringsEachRow", "JSONCompactStringsEachRow")
    + ("JSONLines", "NDJSON", "RowBinary", "Native", "TSKV", "LineAsString", "RawBLOB")
)
# And these, once the lines that name the columns are taken off all but the first.
_HEADED: Final[Mapping[str, int]] = {
    **dict.fromkeys(("TabSeparatedWithNames", "TSVWithNames", "TSVRawWithNames"), 1),
    **dict.fromkeys(("TabSeparatedRawWithNames", "JSONCompactEachRowWithNames"), 1),
    **dict.fromkeys(("JSONCompactStringsEachRowWithNames",), 1),
    **dict.fromkeys(("TabSeparatedWithNamesAndTypes", "TSVWithNamesAndTypes"), 2),
    **dict.fromkeys(("TSVRawWithNamesAndTypes", "TabSeparatedRawWithNamesAndTypes"), 2),
    **dict.fromkeys(("JSONCompactEachRowWithNamesAndTypes",), 2),
    **dict.fromkeys(("JSONCompactStringsEachRowWithNamesAndTypes",), 2),
}
_BINARY_HEADED: Final = {"RowBinaryWithNames": 1, "RowBinaryWithNamesAndTypes": 2}


def result(
    connection: Any,
    query: str,
    output_format: str,
    parameters: Mapping[str, str],
    *,
    streams: bool,
) -> Iterator[bytes]:
    """Yield a result.

    Args:
        connection: One that reads.
        query: The statement.
        output_format: As the engine names it.
        parameters: Values of ``{name:Type}``.
        streams: Whether the engine gives its result piece by piece: that of a SELECT.

    Raises:
        ClickHouseFault: When the engine refuses the statement, or fails in the middle.
    """
    strip = _stripper(output_format)
    if strip is None or not streams:
        whole = ask(connection, query, output_format, parameters)
        if len(whole) > _MOST_WHOLE_BYTES:
            raise ClickHouseFault.of(
                "RESULT_IS_TOO_LARGE",
                f"A result in {output_format} has to fit into {_MOST_WHOLE_BYTES} bytes; "
                "ask for JSONEachRow, Native, CSV or TabSeparated",
            )
        yield whole
        return
    stream = None
    try:
        stream = connection.send_query(query, output_format, params=dict(parameters))
        first = True
        while (piece := stream.fetch()) is not None:
            data = piece.bytes()
            yield data if first else strip(data)
            first = False
    except engine_errors() as error:
        raise ClickHouseFault.from_engine(error) from None
    finally:
        if stream is not None:
            stream.close()
    if first:
        # Without rows the stream leaves out what stands before them.
        yield ask(connection, query, output_format, parameters)


def _stripper(output_format: str) -> Callable[[bytes], bytes] | None:
    if output_format in _FOLLOWING:
        return lambda data: data
    if output_format in _HEADED:
        lines = _HEADED[output_format]
        return lambda data: data.split(b"\n", lines)[-1]
    if output_format in _BINARY_HEADED:
        parts = _BINARY_HEADED[output_format]
        return lambda data: data[_binary_header(data, parts) :]
    return None


def _binary_header(data: bytes, parts: int) -> int:
    """Where rows begin: after the number of columns, their names, and their types."""
    count, place = varint(data, 0)
    for _ in range(count * parts):
        length, place = varint(data, place)
        place += length
    return place
