"""A stand-in for a ClickHouse server, for peers that insert over HTTP.

``python -m tests.benchmarks._stand_in DATA THREADS`` keeps a chDB in DATA with the
standard ``otel_traces`` table, takes ``INSERT … FORMAT RowBinary`` on a free port, and
answers each when its rows are in the table. Inserts that arrive while another runs go
into the engine together, as a server does with ``async_insert=1``, which rotel asks
for. ``GET /count`` answers with the number of rows. It prints its port.

It favours the peer: bodies are not compressed, the table has no column of ours, and
nothing is fsynced.
"""

from __future__ import annotations

import http.server
import queue
import re
import sys
import threading
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect

_MOST_BYTES: Final = 10 << 20
"""A server's own default of `async_insert_max_data_size`."""
_STOP: Final = ("FORMAT RowBinary",)

TABLE: Final = """
CREATE TABLE otel.otel_traces
(
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes)
        TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes)
        TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes)
        TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes)
        TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
"""


class Insert:
    """A body that waits for its rows to be in the table.

    Args:
        statement: The client's own INSERT.
        body: Rows in RowBinary.
    """

    def __init__(self, statement: str, body: bytes) -> None:
        self.statement = statement
        self.body = body
        self.done = threading.Event()
        self.error = ""


class Store:
    """The engine, and the thread that feeds it.

    Args:
        folder: Where the engine keeps its data.
        threads: Threads of one statement.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        settings = {"max_threads": threads, "async_insert": 0}
        self._path = str(folder / "store")
        self._client = clickhouse_connect.get_client(
            interface="chdb", path=self._path, settings=settings
        )
        self._reader = clickhouse_connect.get_client(interface="chdb", path=self._path)
        self._client.command("CREATE DATABASE IF NOT EXISTS otel")
        self._client.command(TABLE)
        self._spool = folder / "insert.bin"
        self._waiting: queue.SimpleQueue[Insert] = queue.SimpleQueue()
        self._lock = threading.Lock()
        threading.Thread(target=self._run, daemon=True).start()

    def insert(self, statement: str, body: bytes) -> str:
        """Put rows into the table; return why it did not work, or an empty text."""
        waiting = Insert(statement, body)
        self._waiting.put(waiting)
        waiting.done.wait()
        return waiting.error

    def count(self) -> int:
        """Return the number of rows in the table."""
        with self._lock:
            answer = self._reader.command("SELECT count() FROM otel.otel_traces")
        return int(str(answer))

    def _run(self) -> None:
        while True:
            group = [self._waiting.get()]
            size = len(group[0].body)
            while size < _MOST_BYTES and not self._waiting.empty():
                group.append(self._waiting.get())
                size += len(group[-1].body)
            error = ""
            try:
                self._insert(group)
            except Exception as problem:  # noqa: BLE001 - it is the client's answer
                error = str(problem)
            for each in group:
                each.error = error
                each.done.set()

    def _insert(self, group: list[Insert]) -> None:
        with self._spool.open("wb") as file:
            for each in group:
                file.write(each.body)
        (statement,) = {each.statement for each in group}
        columns = statement[statement.index("(") : statement.rindex(")") + 1]
        self._client.command(
            f"INSERT INTO otel.otel_traces {columns}"
            f" SELECT * FROM file('{self._spool}', RowBinary, '{_structure(columns)}')"
        )


def _structure(columns: str) -> str:
    """The types of the columns of an INSERT, as a client writes them."""
    types = dict(
        re.findall(r"^    (\w+) (\S+(?:\(.+?\))?) CODEC", TABLE, re.MULTILINE),
        **{
            "Events.Timestamp": "Array(DateTime64(9))",
            "Events.Name": "Array(LowCardinality(String))",
            "Events.Attributes": "Array(Map(LowCardinality(String), String))",
            "Links.TraceId": "Array(String)",
            "Links.SpanId": "Array(String)",
            "Links.TraceState": "Array(String)",
            "Links.Attributes": "Array(Map(LowCardinality(String), String))",
        },
    )
    names = [name.strip().strip("`") for name in columns.strip("()").split(",")]
    # A block that is written as it is read: no conversion to LowCardinality after it.
    return ", ".join(f"`{name}` {types[name]}" for name in names)


class Handler(http.server.BaseHTTPRequestHandler):
    """ClickHouse's HTTP interface, as much as an inserting client needs."""

    protocol_version = "HTTP/1.1"
    store: Store

    def do_POST(self) -> None:
        """Insert."""
        query = parse_qs(urlsplit(self.path).query).get("query", [""])[0]
        body = self._body()
        if not query.startswith("INSERT") or not query.endswith(_STOP):
            self._answer(400, f"not an INSERT in RowBinary: {query[:200]}")
            return
        error = self.store.insert(query, body)
        self._answer(500 if error else 200, error)

    def do_GET(self) -> None:
        """Count."""
        self._answer(200, str(self.store.count()))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(folder: Path, threads: int) -> None:
    """Serve until the process is ended."""
    Handler.store = Store(folder, threads)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
