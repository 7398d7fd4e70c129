"""A reader reads the store, and nothing else."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.store._only_reads import refusal
from fleetspan_collector.store.reader import StoreReader

from ..embedded import Embedded, embedded
from ..fleet import agent, traces

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store with one span."""
    with embedded(tmp_path_factory.mktemp("reader")) as store:
        store.take(traces([agent(1, 1)]))
        yield store


@pytest.fixture(scope="module")
def reader(store: Embedded) -> Generator[StoreReader]:
    """A reader of it; one for all tests, so that no refusal may change it."""
    reader = StoreReader(store.engine)
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is none of the reader's business."""
    file = tmp_path_factory.mktemp("secret") / "secret.txt"
    file.write_text("SECRET\n")
    return file


FORBIDDEN = [
    "INSERT INTO otel.otel_traces (TraceId) VALUES ('x')",
    "INSERT INTO FUNCTION file('{new}', 'CSV') SELECT 1",
    "CREATE TABLE otel.x (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE x (a Int8)",
    "DROP TABLE otel.otel_traces",
    "TRUNCATE TABLE otel.otel_traces",
    "ALTER TABLE otel.otel_traces DELETE WHERE 1",
    "OPTIMIZE TABLE otel.otel_traces FINAL",
    "DETACH TABLE otel.otel_traces",
    "SYSTEM STOP MERGES",
    "SYSTEM STOP MERGES; SELECT 1",
    "KILL QUERY WHERE 1",
    "kill/**/query WHERE 1",
    "SELECT 1; KILL QUERY WHERE 1",
    "SELECT 1; DROP TABLE otel.otel_traces",
    "-- it's\n SELECT 1; DROP TABLE otel.otel_traces -- '",
    "SELECT '\\''; DROP TABLE otel.otel_traces -- '",
    "SET readonly = 0",
    "SET readonly = 0; SELECT 1",
    "SET readonly = 2",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT file('{secret}')",
    "SELECT FILE ('{secret}')",
    "SELECT file/* */('{secret}')",
    "SELECT file -- \n('{secret}')",
    "SELECT file\u200b('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT \"file\" ('{secret}')",
    "SELECT `f\\x69le`('{secret}')",
    "WITH file('{secret}') AS x SELECT x",
    "SELECT * FROM otel.otel_traces WHERE TraceId = file('{secret}')",
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM file('{secret}', 'LineAsString') SETTINGS readonly = 0",
    "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
    "SELECT * FROM url('file://{secret}', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM executable('cat', 'TSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:9/bucket/a', 'CSV')",
    "SELECT * FROM sqlite('{secret}', 't')",
    "SELECT * FROM filesystem('/')",
    "SELECT * FROM Python(secret)",
    "DESCRIBE file('{secret}', 'LineAsString')",
    "DESC TABLE file('{secret}')",
    "DESCRIBE TABLE url('http://127.0.0.1:9/', 'LineAsString')",
    "EXPLAIN SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT 1 INTO OUTFILE '{new}'",
    "SELECT 1 into/**/outfile '{new}'",
    "EXPLAIN AST SELECT 1 INTO OUTFILE '{new}'",
    "BACKUP DATABASE otel TO File('{new}')",
    "",
    ";",
]


@pytest.mark.parametrize("query", FORBIDDEN)
def test_only_reads(
    store: Embedded, reader: StoreReader, secret: Path, query: str
) -> None:
    """Whatever writes, opens a file or an address, or lifts a limit is refused.

    Afterwards the reader reads as before, and still only reads.
    """
    new = secret.with_name("new")
    with pytest.raises(UsageError):
        reader.sql(query.format(secret=secret, new=new), "TSV")
    assert not new.exists()
    assert reader.sql("SELECT SpanId FROM otel.otel_traces", "TSV") == (
        b"0000000000000001\n"
    )
    assert reader.sql("SELECT getSetting('readonly')", "TSV") == b"1\n"


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT 1", b"1\n"),
        ("select 1;", b"1\n"),
        ("-- why\nSELECT 1 -- ; because\n", b"1\n"),
        ("/* ; */ (SELECT 1)", b"1\n"),
        ("WITH 1 AS x SELECT x", b"1\n"),
        ("SELECT 'a;b'", b"a;b\n"),
        ("SELECT 'it''s; \\'so\\''", b"it\\'s; \\'so\\'\n"),
        ("SELECT `a b` FROM (SELECT 1 AS `a b`)", b"1\n"),
        ("SHOW TABLES FROM otel LIKE 'otel_logs'", b"otel_logs\n"),
        ("EXISTS TABLE otel.runs", b"1\n"),
        ("SELECT count() AS profile FROM otel.runs", b"1\n"),
    ],
)
def test_reads(reader: StoreReader, query: str, answer: bytes) -> None:
    """What only reads is answered, with comments and semicolons where they may be."""
    assert reader.sql(query, "TSV") == answer


def test_describe(reader: StoreReader) -> None:
    """Tables and subqueries may be described."""
    assert b"SpanAttributes" in reader.sql("DESCRIBE TABLE otel.otel_traces", "TSV")
    assert reader.sql("EXPLAIN SELECT 1", "TSV") != b""


def test_refusal_says_why() -> None:
    """A refusal names what is in the way."""
    assert refusal("SELECT file('x')") == "file() reads files of this machine"
    assert refusal("SELECT 1; SELECT 2") == "it is more than one statement"
    assert refusal("DROP TABLE x") == "it begins with DROP, expected SELECT or SHOW"
    assert refusal("SELECT 1") is None


@pytest.mark.parametrize("name", ["", "TSV; DROP", "TSV INTO OUTFILE 'x'", "../x"])
def test_format_is_one_word(reader: StoreReader, name: str) -> None:
    """A format cannot carry anything into the statement."""
    with pytest.raises(UsageError):
        reader.sql("SELECT 1", name)
