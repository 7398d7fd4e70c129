"""The protocol itself: formats, compression, sessions, limits, and how it ends."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import chdb
import lz4.frame
import pyarrow.ipc
import pyarrow.parquet
import pytest
import zstandard

from fleetspan_collector.clickhouse_http.blocks import Unframer, frame
from tests.collector_processor.clickhouse_http.endpoint import Endpoint
from tests.collector_processor.running import poll

pytestmark = pytest.mark.integration

ROWS = "SELECT number AS n, toString(number) AS s FROM numbers(3)"


def test_health_needs_no_key(endpoint: Endpoint) -> None:
    """Whoever balances load asks without a key."""
    for path in ("/ping", "/", "/replicas_status"):
        status, _, body = endpoint.collector.ask("clickhouse", "GET", path)
        assert (status, body) == (200, b"Ok.\n")
    assert endpoint.collector.ask("clickhouse", "GET", "/play")[0] == 404
    status, headers, _ = endpoint.collector.ask("clickhouse", "DELETE", "/?query=x")
    assert (status, headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("TabSeparated", "0\t0\n1\t1\n2\t2\n"),
        ("TSVWithNames", "n\ts\n0\t0\n1\t1\n2\t2\n"),
        ("CSV", '0,"0"\n1,"1"\n2,"2"\n'),
        ("CSVWithNames", '"n","s"\n0,"0"\n1,"1"\n2,"2"\n'),
        ("JSONCompactEachRow", '[0, "0"]\n[1, "1"]\n[2, "2"]\n'),
        ("Values", "(0,'0'),(1,'1'),(2,'2')"),
    ],
)
def test_formats_of_text(endpoint: Endpoint, name: str, shown: str) -> None:
    """A format stands in the statement, in the address, or in a header."""
    setting = {"output_format_json_quote_64bit_integers": "0"}
    assert endpoint.text(f"{ROWS} FORMAT {name}", **setting) == shown
    assert endpoint.text(ROWS, default_format=name, **setting) == shown
    status, headers, body = endpoint.ask(
        ROWS, None, headers={"X-ClickHouse-Format": name}, **setting
    )
    assert (status, body.decode()) == (200, shown)
    assert headers["x-clickhouse-format"] == name


def test_formats_that_are_documents(endpoint: Endpoint) -> None:
    """JSON, Arrow and Parquet are one document also when the engine gives many blocks."""
    many = "SELECT number AS n FROM numbers(200000)"
    document = json.loads(endpoint.text(f"{many} FORMAT JSON"))
    assert document["rows"] == len(document["data"]) == 200_000
    _, _, arrow = endpoint.ask(f"{many} FORMAT ArrowStream")
    assert pyarrow.ipc.open_stream(arrow).read_all().num_rows == 200_000
    _, _, parquet = endpoint.ask(f"{many} FORMAT Parquet")
    assert pyarrow.parquet.read_table(io.BytesIO(parquet)).num_rows == 200_000
    lines = endpoint.text(f"{many} FORMAT TSVWithNamesAndTypes").splitlines()
    assert lines[:3] == ["n", "UInt64", "0"]
    assert len(lines) == 200_002


@pytest.mark.parametrize(
    "name", ["JSON", "TSVWithNames", "Native", "CSV", "ArrowStream"]
)
def test_no_rows_have_their_head(endpoint: Endpoint, name: str) -> None:
    """A result without rows still names its columns, where its format does."""
    status, _, body = endpoint.ask(f"SELECT 1 AS one WHERE 0 FORMAT {name}")
    assert status == 200
    assert b"one" in body or name in {"CSV", "Native"}


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4", "deflate"])
def test_answers_are_compressed(endpoint: Endpoint, encoding: str) -> None:
    """Only who asks for it gets it, and then what it asks for."""
    unpack = {
        "gzip": gzip.decompress,
        "zstd": lambda data: (
            zstandard.ZstdDecompressor().decompressobj().decompress(data)
        ),
        "lz4": lz4.frame.decompress,
        "deflate": __import__("zlib").decompress,
    }
    headers = {"Accept-Encoding": encoding}
    query = "SELECT number FROM numbers(100000) FORMAT TSV"
    status, received, body = endpoint.ask(
        query, headers=headers, enable_http_compression="1"
    )
    assert (status, received["content-encoding"]) == (200, encoding)
    assert len(unpack[encoding](body).splitlines()) == 100_000
    _, received, _ = endpoint.ask(query, headers=headers, enable_http_compression="0")
    assert "content-encoding" not in received


def test_blocks_are_those_of_the_engine(tmp_path: Path) -> None:
    """The engine's own files are in the same framing: its blocks are read, hash and all."""
    engine = chdb.connect(str(tmp_path / "db"))  # type: ignore[no-untyped-call]
    engine.query(
        "CREATE TABLE t (s String CODEC(LZ4)) ENGINE = MergeTree ORDER BY tuple()"
        " SETTINGS min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0"
    )
    engine.query("INSERT INTO t SELECT toString(number) FROM numbers(200000)")
    (part,) = str(
        engine.query(
            "SELECT path FROM system.parts WHERE table = 't' AND active", "TSV"
        )
    ).split()
    stored = (Path(part) / "s.bin").read_bytes()
    engine.close()
    unframer = Unframer(1 << 30)
    data = b"".join(unframer.feed(stored))
    unframer.end()
    text = b"".join(b"%d" % number for number in range(200_000))
    assert data == text
    # And back: what we frame is what we read, so the hash is the engine's in both.
    again = Unframer(1 << 30)
    assert b"".join(again.feed(frame(text))) == text


def test_framed_both_ways(endpoint: Endpoint) -> None:
    """``compress=1`` answers in blocks, ``decompress=1`` takes them."""
    endpoint.text("DROP TABLE IF EXISTS otel.framed")
    endpoint.text("CREATE TABLE otel.framed (n UInt32) ENGINE = MergeTree ORDER BY n")
    rows = b"".join(b"%d\n" % number for number in range(50_000))
    insert = "INSERT INTO otel.framed FORMAT TSV"
    status, _, body = endpoint.ask(insert, frame(rows), decompress="1")
    assert status == 200, body
    _, _, answer = endpoint.ask(
        "SELECT n FROM otel.framed ORDER BY n FORMAT TSV", compress="1"
    )
    unframer = Unframer(1 << 30)
    assert b"".join(unframer.feed(answer)) == rows
    damaged = bytearray(frame(rows))
    damaged[40] ^= 1
    status, headers, _ = endpoint.ask(insert, bytes(damaged), decompress="1")
    assert (status, headers["x-clickhouse-exception-code"]) == (400, "40")
    status, headers, _ = endpoint.ask(insert, frame(rows)[:-3], decompress="1")
    assert headers["x-clickhouse-exception-code"] == "271"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT number, toString(number) AS s FROM numbers(200000)",
        "SELECT [number], map('k', number) FROM numbers(200000)",
        "SHOW TABLES FROM system",
        "DESC TABLE otel.otel_traces",
        "SELECT 1 AS n UNION ALL SELECT 2",
        "SELECT 1 WHERE 0",
    ],
)
def test_blocks_are_of_the_client_s_revision(endpoint: Endpoint, query: str) -> None:
    """Each block has what a client of a revision waits for, and nothing else changes."""
    about = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    _, _, plain = endpoint.ask(query, default_format="Native")
    _, _, dressed = endpoint.ask(
        query, default_format="Native", client_protocol_version="54405"
    )
    blocks = dressed.split(about)
    assert b"".join(blocks) == plain
    assert blocks[0] == b""
    columns = {block[0] for block in blocks[1:]}
    assert len(columns) == (1 if plain else 0)
    status, _, _ = endpoint.ask(query, client_protocol_version="many")
    assert status == 400


def test_a_bomb_is_refused(endpoint: Endpoint) -> None:
    """A small body that unpacks to very much is stopped before it fills the machine."""
    endpoint.text("DROP TABLE IF EXISTS otel.bomb")
    endpoint.text("CREATE TABLE otel.bomb (s String) ENGINE = MergeTree ORDER BY s")
    packer = zstandard.ZstdCompressor().compressobj()
    step = b"\n" * (1 << 20)
    bomb = b"".join(packer.compress(step) for _ in range(1100)) + packer.flush()
    assert len(bomb) < 1 << 20
    status, headers, _ = endpoint.ask(
        "INSERT INTO otel.bomb FORMAT TSV", bomb, headers={"Content-Encoding": "zstd"}
    )
    assert (status, headers["x-clickhouse-exception-code"]) == (413, "307")
    assert endpoint.text("SELECT count() FROM otel.bomb") == "0\n"


def test_query_id_comes_back(endpoint: Endpoint) -> None:
    """The client's own, or one of ours."""
    _, headers, _ = endpoint.ask("SELECT 1", query_id="mine")
    assert headers["x-clickhouse-query-id"] == "mine"
    _, headers, _ = endpoint.ask("SELECT 1")
    assert len(headers["x-clickhouse-query-id"]) == 36
    _, headers, _ = endpoint.ask("SELECT 1", query_id="a\r\nset-cookie: x")
    assert "set-cookie" not in headers


def test_database_is_where_names_are_looked_for(endpoint: Endpoint) -> None:
    """By parameter, by header, by USE in a session."""
    assert endpoint.text("SELECT count() FROM runs") != ""
    asked = "SELECT currentDatabase()"
    assert endpoint.text(asked, database="system") == "system\n"
    _, _, body = endpoint.ask(asked, headers={"X-ClickHouse-Database": "system"})
    assert body == b"system\n"
    endpoint.text("USE system", session_id="used")
    assert endpoint.text(asked, session_id="used") == "system\n"
    assert endpoint.text(asked) == "otel\n"
    assert "UNKNOWN_DATABASE" in endpoint.refusal(asked, database="nope")


def test_a_get_only_reads(endpoint: Endpoint) -> None:
    """What a link can do is look."""
    key = endpoint.keys["all"]
    path = "/?" + urlencode(
        {"query": "CREATE TABLE otel.x (n UInt8) ENGINE = Memory", "password": key}
    )
    status, headers, _ = endpoint.collector.ask("clickhouse", "GET", path)
    assert (status, headers["x-clickhouse-exception-code"]) == (403, "164")
    path = "/?" + urlencode({"query": "SELECT 7", "password": key})
    assert endpoint.collector.ask("clickhouse", "GET", path)[2] == b"7\n"


def test_keys_are_shown_in_each_way_of_clickhouse(endpoint: Endpoint) -> None:
    """As a password of Basic, in headers, in the address, as a bearer."""
    key = endpoint.keys["a"]
    for headers in (
        {"X-ClickHouse-User": "default", "X-ClickHouse-Key": key},
        {"Authorization": f"Bearer {key}"},
    ):
        assert endpoint.ask("SELECT 1", key=None, headers=headers)[0] == 200
    assert endpoint.ask("SELECT 1", key=None, user="default", password=key)[0] == 200
    status, headers, _ = endpoint.ask("SELECT 1", key=None)
    assert status == 401
    assert headers["www-authenticate"].startswith("Basic")
    bad = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"}
    status, headers, _ = endpoint.ask("SELECT 1", key=None, headers=bad)
    assert (status, headers["x-clickhouse-exception-code"]) == (403, "516")


def test_limits_hold_whatever_is_asked(endpoint: Endpoint) -> None:
    """Rows, memory and time have bounds that a client can lower and not raise."""
    many = "SELECT number FROM numbers(3000000) FORMAT Null"
    assert "TOO_MANY_ROWS" in endpoint.refusal(
        "SELECT number FROM numbers(3000000) FORMAT JSON", max_result_rows="0"
    )
    large = "SELECT length(groupArray(number)) FROM numbers(400000000)"
    assert "MEMORY_LIMIT_EXCEEDED" in endpoint.refusal(large, max_memory_usage="0")
    assert "TIMEOUT_EXCEEDED" in endpoint.refusal(
        "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))",
        max_execution_time="1",
    )
    assert "READONLY" in endpoint.refusal("SELECT 1", allow_ddl="0")
    assert "UNKNOWN_SETTING" in endpoint.refusal("SELECT 1", no_such_setting="1")
    assert "CANNOT_PARSE_NUMBER" in endpoint.refusal("SELECT 1", max_threads="many")
    assert endpoint.ask(many)[0] in {200, 500}


def test_a_client_that_leaves_ends_its_statement(endpoint: Endpoint) -> None:
    """Nothing runs on for somebody who has hung up."""
    mark = f"leaves{time.time_ns()}"
    query = f"SELECT count() FROM numbers(1000000000000) WHERE NOT ignore('{mark}', sipHash64(number))"
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=60)
    connection.request(
        "POST", "/", query.encode(), {"X-ClickHouse-Key": endpoint.keys["all"]}
    )

    def running() -> bool:
        asked = f"SELECT count() FROM system.processes WHERE query LIKE '%{mark}%' AND query NOT LIKE '%processes%'"
        return endpoint.text(asked).strip() != "0"

    poll(running, "it runs")
    connection.close()
    began_s = time.monotonic()
    poll(lambda: not running(), "it ends", patience_s=15)
    assert time.monotonic() - began_s < 15


def test_all_places_taken_by_clients_that_leave(endpoint: Endpoint) -> None:
    """Their statements end although each place has a statement in it; others go on."""
    mark = f"all leave{time.time_ns()}"
    query = f"SELECT count() FROM numbers(1000000000000) WHERE NOT ignore('{mark}', sipHash64(number))"
    headers = {"X-ClickHouse-Key": endpoint.keys["all"]}
    leaving = []
    for _ in range(8):
        connection = http.client.HTTPConnection(
            endpoint.host, endpoint.port, timeout=60
        )
        connection.request("POST", "/?max_threads=1", query.encode(), headers)
        leaving.append(connection)
    time.sleep(3)
    for connection in leaving:
        connection.close()
    began_s = time.monotonic()
    assert endpoint.text("SELECT 1") == "1\n"
    assert time.monotonic() - began_s < 8


def test_many_at_once(endpoint: Endpoint) -> None:
    """More statements than there are places wait for one; nobody gets another's rows."""
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = endpoint.text(f"SELECT {number}, sleep(0.05)", key="reads all")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"{number}\t0\n" for number in range(40)}
