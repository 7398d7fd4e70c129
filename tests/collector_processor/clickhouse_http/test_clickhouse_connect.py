"""The client that people use from Python, with its own basic cases."""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import uuid
from typing import Any

import pandas  # type: ignore[import-untyped]
import pyarrow
import pytest
from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    OperationalError,
    StreamFailureError,
)

from tests.collector_processor.clickhouse_http.endpoint import Endpoint
from tests.collector_processor.running import poll

pytestmark = pytest.mark.integration

TYPES: list[tuple[str, list[Any]]] = [
    ("Int8", [-128, 127]),
    ("UInt64", [0, 2**64 - 1]),
    ("Int128", [-(2**127), 2**127 - 1]),
    ("Float64", [1.5, -0.0]),
    ("Bool", [True, False]),
    ("String", ["", "it's\t\\ünïcode 🚀"]),
    ("FixedString(3)", [b"abc", b"xyz"]),
    ("LowCardinality(String)", ["a", "b"]),
    ("Nullable(String)", [None, "x"]),
    ("Date", [dt.date(2026, 1, 2), dt.date(1970, 1, 1)]),
    (
        "DateTime64(6, 'UTC')",
        [dt.datetime(2026, 1, 2, 3, 4, 5, 678901), dt.datetime(1999, 9, 9)],
    ),
    ("Decimal(18, 4)", [decimal.Decimal("1.2345"), decimal.Decimal(-7)]),
    ("UUID", [uuid.UUID(int=1), uuid.uuid5(uuid.NAMESPACE_DNS, "x")]),
    (
        "IPv4",
        [ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv4Address("255.255.255.255")],
    ),
    (
        "IPv6",
        [ipaddress.IPv6Address("::1"), ipaddress.IPv6Address("2001:db8::ff")],
    ),
    ("Array(Int32)", [[], [1, 2, 3]]),
    ("Array(Array(String))", [[["a"], []], []]),
    ("Map(String, UInt16)", [{}, {"a": 1, "b": 2}]),
    ("Tuple(Int32, String)", [(1, "a"), (2, "b")]),
    ("Enum8('a' = 1, 'b' = 2)", ["a", "b"]),
]


@pytest.mark.parametrize(("name", "values"), TYPES, ids=[name for name, _ in TYPES])
def test_values_come_back(endpoint: Endpoint, name: str, values: list[Any]) -> None:
    """What is inserted of a type is what is read."""
    client = endpoint.client("all")
    client.command("DROP TABLE IF EXISTS otel.values_of_types")
    client.command(
        f"CREATE TABLE otel.values_of_types (n UInt8, v {name}) ENGINE = MergeTree ORDER BY n"
    )
    rows = [[number, value] for number, value in enumerate(values)]
    client.insert("otel.values_of_types", rows, column_names=["n", "v"])
    found = client.query("SELECT v FROM otel.values_of_types ORDER BY n").result_rows
    assert [row[0] for row in found] == values


def test_it_says_what_it_is(endpoint: Endpoint) -> None:
    """Version, time zone and settings are those of the engine."""
    client = endpoint.client("a")
    assert int(str(client.server_version).split(".")[0]) >= 25
    assert client.server_tz == dt.UTC or str(client.server_tz) == "UTC"
    assert client.ping()


def test_parameters_are_bound(endpoint: Endpoint) -> None:
    """Values of parameters arrive whatever is in them."""
    client = endpoint.client("a")
    for text in (
        "it's",
        "a\tb\nc",
        "\\N",
        "{x:String}",
        "'; DROP TABLE runs --",
        "ü🚀",
    ):
        found = client.query(
            "SELECT {s:String}, {n:Int64} + 1, {l:Array(String)}",
            parameters={"s": text, "n": 41, "l": [text]},
        )
        assert found.result_rows == [(text, 42, [text])]


def test_results_stream(endpoint: Endpoint) -> None:
    """A large result comes in blocks, and can be left in the middle."""
    client = endpoint.client("a")
    with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        sizes = [len(block) for block in blocks]
    assert sum(sizes) == 1_000_000
    assert len(sizes) > 1
    with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        next(iter(blocks))
    assert client.command("SELECT 1") == 1


def test_arrow_and_frames(endpoint: Endpoint) -> None:
    """Tables of Arrow and frames of pandas go both ways."""
    client = endpoint.client("all")
    client.command("DROP TABLE IF EXISTS otel.frames")
    client.command(
        "CREATE TABLE otel.frames (a Int64, s String) ENGINE = MergeTree ORDER BY a"
    )
    table = pyarrow.table({"a": [1, 2], "s": ["x", "y"]})
    client.insert_arrow("otel.frames", table)
    client.insert_df("otel.frames", pandas.DataFrame({"a": [3], "s": ["z"]}))
    read = client.query_arrow("SELECT a, s FROM otel.frames ORDER BY a")
    assert read.column("a").to_pylist() == [1, 2, 3]
    frame = client.query_df("SELECT a, s FROM otel.frames ORDER BY a")
    assert list(frame["s"]) == ["x", "y", "z"]


@pytest.mark.parametrize("compression", ["lz4", "zstd", "gzip", False])
def test_compression(endpoint: Endpoint, compression: Any) -> None:
    """Each way the client compresses, or not at all, both ways."""
    client = endpoint.client("all", compress=compression)
    client.command("DROP TABLE IF EXISTS otel.packed")
    client.command("CREATE TABLE otel.packed (s String) ENGINE = MergeTree ORDER BY s")
    text = "x" * 100_000
    client.insert("otel.packed", [[text]], column_names=["s"])
    assert client.query("SELECT s FROM otel.packed").result_rows == [(text,)]


def test_sessions_keep_what_is_set(endpoint: Endpoint) -> None:
    """A session has its settings; another one of the same key has not."""
    client = endpoint.client("a", session_id="one")
    client.command("SET max_block_size = 777")
    asked = "SELECT toUInt32(getSetting('max_block_size'))"
    assert client.command(asked) == 777
    other = endpoint.client("a", session_id="two")
    assert other.command(asked) != 777
    stranger = endpoint.client("b", session_id="one")
    assert stranger.command(asked) != 777


def test_errors_are_clickhouse_s(endpoint: Endpoint) -> None:
    """Codes and texts are those that people search for."""
    client = endpoint.client("a")
    for query, code in [
        ("SELECT nope FROM otel.runs", "UNKNOWN_IDENTIFIER"),
        ("SELECT 1 +", "SYNTAX_ERROR"),
        ("SELECT * FROM otel.nope", "UNKNOWN_TABLE"),
        ("SELECT throwIf(number = 3) FROM numbers(10)", "FUNCTION_THROW"),
        ("SELECT toUInt8('x')", "CANNOT_PARSE_TEXT"),
    ]:
        with pytest.raises(DatabaseError, match=code):
            client.query(query)
    with pytest.raises(
        (DatabaseError, OperationalError), match="AUTHENTICATION_FAILED"
    ):
        Endpoint(endpoint.collector, {"bad": "fsk_nothing"}).client("bad")


def test_an_error_in_the_middle_reaches_the_client(endpoint: Endpoint) -> None:
    """After the first rows there is no status left; the client learns of it all the same."""
    client = endpoint.client("a")
    query = "SELECT throwIf(number = 900000) FROM numbers(1000000)"
    with pytest.raises(StreamFailureError, match="throwIf"):
        len(client.query(query).result_rows)


def test_inserts_are_derived(endpoint: Endpoint) -> None:
    """A client that copies spans in has its runs soon after."""
    client = endpoint.client("all")
    columns = "Timestamp, TraceId, SpanId, SpanName, ResourceAttributes, SpanAttributes, Duration"
    client.command(
        f"INSERT INTO otel.otel_traces (Tenant, {columns}) SELECT 'c',"
        f" Timestamp, hex(reverse(unhex(TraceId))), SpanId, SpanName, ResourceAttributes,"
        " SpanAttributes, Duration FROM otel.otel_traces WHERE Tenant = 'a'"
    )

    def derived() -> bool:
        return client.command("SELECT count() FROM otel.runs WHERE Tenant = 'c'") == 3

    poll(derived, "runs are derived from rows that a client brought")
