"""The ASGI application: requests in, results out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import anyio
import orjson
import prometheus_client
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from fleetspan_collector.access import Gate, Identity, UnauthenticatedError
from fleetspan_collector.access import Scope as Allowed
from fleetspan_collector.access.gate import key_of
from fleetspan_collector.clickhouse_http.allowed_settings import Limits, settled
from fleetspan_collector.clickhouse_http.bodies import Encoder
from fleetspan_collector.clickhouse_http.connections import (
    Connections,
    ask,
    check_reading,
)
from fleetspan_collector.clickhouse_http.definitions import check_definition
from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.clickhouse_http.reading import result
from fleetspan_collector.clickhouse_http.request import Asked, read_request
from fleetspan_collector.clickhouse_http.sessions import Session, Sessions
from fleetspan_collector.clickhouse_http.statement import Kind
from fleetspan_collector.clickhouse_http.writing import insert
from fleetspan_collector.store._confined import confined_refusal
from fleetspan_collector.web._reads import reads_analysed, reads_derived, reads_store
from fleetspan_collector.web._waiting import CATCH_UP_S, CaughtUp

logger = logging.getLogger("fleetspan.clickhouse")

_AT_ONCE: Final = 8
_MOST_WAITING: Final = 64
_OF_SETTINGS: Final = re.compile(
    r"SELECT [\w\s,]+ FROM system\.settings(?: WHERE \w+ = '\w*')?(?: LIMIT \d+)?",
    re.IGNORECASE,
)
_REALM: Final = 'Basic realm="ClickHouse server HTTP API"'
_NAME: Final = "fleetspan"
_EXCEPTION: Final = "__exception__"
_TYPES: Final = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONStrings": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "XML": "application/xml; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "RowBinaryWithNamesAndTypes": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
}
_TEXT: Final = "text/tab-separated-values; charset=UTF-8"


class ClickHouseMetrics:
    """What is counted of the interface.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.statements = prometheus_client.Counter(
            "fleetspan_clickhouse_statements",
            "Statements by what they do and how they ended.",
            ["kind", "outcome"],
            registry=registry,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the interface needs.

    Attributes:
        connections: The engine.
        gate: Who asks.
        limits: What one statement may take.
        caught_up: Waits until what was acknowledged can be read.
        inserted: Told of a table that others have brought rows to.
        metrics: Where it counts.
    """

    connections: Connections
    gate: Gate
    limits: Limits
    caught_up: CaughtUp
    inserted: Callable[[str], None]
    metrics: ClickHouseMetrics


class ClickHouseApp:
    """Answers as a ClickHouse server does over HTTP.

    Args:
        serving: What it needs.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._connections = serving.connections
        self._sessions = Sessions()
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._running = anyio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = scope["path"]
        if path in {"/ping", "/replicas_status"}:
            await PlainTextResponse("Ok.\n")(scope, receive, send)
            return
        if path != "/":
            message = (
                f"There is no handle {path}\n\nUse / or /ping for health checks.\n"
            )
            await PlainTextResponse(message, 404)(scope, receive, send)
            return
        if request.method == "GET" and not request.query_params:
            await PlainTextResponse("Ok.\n")(scope, receive, send)
            return
        if request.method not in {"GET", "POST"}:
            answer = PlainTextResponse("GET and POST are answered\n", 405)
            answer.headers["allow"] = "GET, POST"
            await answer(scope, receive, send)
            return
        await self._answer(request, receive, send)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> None:
        kind = "unknown"
        try:
            identity = self._identify(request)
            asked = await read_request(request)
            kind = asked.statement.kind.value
            with contextlib.closing(asked.data):
                if request.method == "GET" and asked.statement.kind is not Kind.READ:
                    raise ClickHouseFault.of(
                        "READONLY", "Cannot execute query in readonly mode: it is a GET"
                    )
                async with self._place():
                    await self._run(asked, identity, request, receive, send)
            outcome = "done"
        except ClickHouseFault as fault:
            outcome = "refused"
            await self._fail(fault, request, receive, send)
        except ClientDisconnect:
            outcome = "left"
        self._serving.metrics.statements.labels(kind, outcome).inc()

    def _identify(self, request: Request) -> Identity:
        query = request.query_params
        key = query.get("password") or key_of(request.headers)
        try:
            identity = self._serving.gate.identify(key)
        except UnauthenticatedError as error:
            raise ClickHouseFault.of(
                "AUTHENTICATION_FAILED",
                f"Authentication failed: {error.because}; the password is an API key",
            ) from None
        if Allowed.READ not in identity.scopes and Allowed.WRITE not in identity.scopes:
            raise ClickHouseFault.of(
                "ACCESS_DENIED", "The key allows neither read nor write"
            )
        return identity

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait for one of the few places in which statements run."""
        if self._waiting >= _MOST_WAITING:
            raise ClickHouseFault.of(
                "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many simultaneous queries"
            )
        self._waiting += 1
        try:
            await self._running.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._running.release()

    async def _run(
        self,
        asked: Asked,
        identity: Identity,
        request: Request,
        receive: Receive,
        send: Send,
    ) -> None:
        session = self._sessions.of(identity.key_id, asked.session)
        run = _Run(self._serving, asked, identity, session)
        match asked.statement.kind:
            case Kind.READ:
                await self._read(run, request, receive, send)
            case Kind.SESSION:
                run.change_session()
                await self._done(run, request, receive, send, rows=0)
            case Kind.INSERT:
                rows = await self._in_thread(run.write)
                await self._done(run, request, receive, send, rows=rows)
            case Kind.DEFINE:
                await self._in_thread(run.define)
                await self._done(run, request, receive, send, rows=0)
            case _:
                raise ClickHouseFault.of(
                    "NOT_IMPLEMENTED", f"{asked.statement.first} is not supported here"
                )

    async def _read(
        self, run: _Run, request: Request, receive: Receive, send: Send
    ) -> None:
        if Allowed.READ not in run.identity.scopes:
            raise ClickHouseFault.of("ACCESS_DENIED", "The key lacks the scope 'read'")
        text = run.asked.statement.text
        if reads_store(text):
            await self._serving.caught_up(
                CATCH_UP_S, derived=reads_derived(text), analysed=reads_analysed(text)
            )
        encoder = Encoder(
            request.headers.get("accept-encoding", ""),
            wanted=run.asked.compressed,
            framed=run.asked.framed,
        )
        with contextlib.ExitStack() as open_:
            pieces = await self._in_thread(lambda: run.open(open_))
            first = await self._in_thread(lambda: next(pieces, b""))
            leaving = asyncio.create_task(self._end_when_gone(run, receive))
            try:
                await send(_start(self._headers(run), encoder.name, run.output_format))
                await self._send_all(run, pieces, first, encoder, send)
            except (OSError, ClientDisconnect):
                await self._in_thread(lambda: run.end())
            finally:
                leaving.cancel()
                await self._in_thread(open_.close)

    async def _send_all(
        self,
        run: _Run,
        pieces: Iterator[bytes],
        piece: bytes,
        encoder: Encoder,
        send: Send,
    ) -> None:
        try:
            while piece:
                data = encoder.encode(piece)
                if data:
                    await send(_body(data, more=True))
                piece = await self._in_thread(lambda: next(pieces, b""))
        except ClickHouseFault as fault:
            # Too late for a status: it stands at the end, marked, as ClickHouse has it.
            said = fault.body(self._connections.version).decode()
            tag = run.tag
            text = f"\r\n{_EXCEPTION}\r\n{tag}\r\n{said}{len(said.encode())} {tag}\r\n{_EXCEPTION}\r\n"
            await send(_body(encoder.encode(text.encode()), more=True))
        await send(_body(encoder.end(), more=False))

    async def _end_when_gone(self, run: _Run, receive: Receive) -> None:
        """End the statement of a client that has hung up."""
        while (await receive())["type"] != "http.disconnect":
            pass
        await self._in_thread(run.end)

    async def _done(
        self, run: _Run, request: Request, receive: Receive, send: Send, *, rows: int
    ) -> None:
        headers = self._headers(run, rows)
        answer = Response(b"", media_type=None, headers=headers)
        answer.headers["content-type"] = _TEXT
        await answer(request.scope, receive, send)

    async def _fail(
        self, fault: ClickHouseFault, request: Request, receive: Receive, send: Send
    ) -> None:
        status = fault.status
        headers = {
            "x-clickhouse-exception-code": str(fault.code),
            "x-clickhouse-server-display-name": _NAME,
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        nothing_shown = (
            not request.query_params.get("password") and key_of(request.headers) is None
        )
        if fault.code == 516 and nothing_shown:
            status = 401
            headers["www-authenticate"] = _REALM
        body = fault.body(self._connections.version)
        answer = PlainTextResponse(body, status, headers)
        await answer(request.scope, receive, send)

    def _headers(self, run: _Run, rows: int = 0) -> dict[str, str]:
        summary = {
            "read_rows": "0",
            "read_bytes": "0",
            "written_rows": str(rows),
            "written_bytes": "0",
            "total_rows_to_read": "0",
            "result_rows": str(rows),
            "result_bytes": "0",
            "elapsed_ns": "0",
        }
        return {
            "x-clickhouse-server-display-name": _NAME,
            "x-clickhouse-query-id": run.asked.query_id,
            "x-clickhouse-timezone": self._connections.timezone,
            "x-clickhouse-summary": orjson.dumps(summary).decode(),
            "x-clickhouse-format": run.output_format,
            "x-clickhouse-exception-tag": run.tag,
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


class _Run:
    """One statement of one client; its methods block."""

    def __init__(
        self, serving: Serving, asked: Asked, identity: Identity, session: Session
    ) -> None:
        self._serving = serving
        self._connections = serving.connections
        self._session = session
        self.asked = asked
        self.identity = identity
        wanted = asked.statement.output_format or asked.output_format
        if wanted and not wanted.isidentifier():
            raise ClickHouseFault.of("UNKNOWN_FORMAT", f"Unknown format {wanted[:40]}")
        self.output_format = wanted or "TabSeparated"
        # Not the client's own id: another client may use the same.
        self.tag = f"{id(self):016x}"[-16:]
        self._mark = f"{self.tag}-{asked.query_id}"
        self._database = (
            asked.database or session.database or self._connections.database
        )

    def open(self, stack: contextlib.ExitStack) -> Iterator[bytes]:
        """Return the pieces of a result; the stack closes what they need."""
        statement = self.asked.statement
        check_reading(statement.text)
        opened = self._connections.reading(
            self._settings(), self._mark, self._database, self.identity.sees
        )
        if _OF_SETTINGS.fullmatch(statement.text.strip()):
            # Where nothing can be set every setting says so, and clients believe it.
            opened = self._connections.writing(
                self._settings(), self._mark, self._database
            )
        connection = stack.enter_context(opened)
        if self.identity.sees is not None:
            reason = confined_refusal(
                statement.text,
                self._connections.database,
                self._connections.tables_with_tenants(),
                lambda text: ask(
                    connection, text, "TSVRaw", self.asked.parameters
                ).decode(),
            )
            if reason is not None:
                raise ClickHouseFault.of("ACCESS_DENIED", f"Not allowed here: {reason}")
        return result(
            connection,
            statement.text,
            self.output_format,
            self.asked.parameters,
            streams=statement.first in {"SELECT", "WITH"},
        )

    def write(self) -> int:
        """Run an insert, and return how many rows it brought."""
        self._require_key(Allowed.WRITE)
        statement = self.asked.statement
        if statement.query:
            check_reading(statement.query)
            self._check_source(statement.query)
        with self._connections.writing(
            self._settings(), self._mark, self._database
        ) as connection:
            written = insert(
                self._connections,
                connection,
                statement,
                self.asked.rows(),
                self.identity,
                self._database,
                self.asked.parameters,
            )
        if (statement.table[0] or self._database) == self._connections.database:
            self._serving.inserted(written.table)
        return written.rows

    def _check_source(self, query: str) -> None:
        """See what an insert reads from, as a reader would be seen to."""
        with self._connections.reading(
            self._settings(), self._mark, self._database, self.identity.sees
        ) as connection:
            text = f"EXPLAIN QUERY TREE run_passes = 1 {query}"
            ask(connection, text, "Null", self.asked.parameters)
            if self.identity.sees is not None:
                raise ClickHouseFault.of(
                    "ACCESS_DENIED", "A key of one tenant inserts data, not queries"
                )

    def define(self) -> None:
        """Make, change or drop a table."""
        self._require_key(Allowed.ADMIN)
        if self.identity.sees is not None:
            raise ClickHouseFault.of(
                "ACCESS_DENIED", "Tables are of all tenants: a key of one makes none"
            )
        text = self.asked.statement.text
        check_definition(text)
        with self._connections.writing(
            self._settings(), self._mark, self._database
        ) as connection:
            ask(connection, text, "Null", self.asked.parameters)

    def change_session(self) -> None:
        """Keep what ``SET`` or ``USE`` sets, for the session."""
        words = self.asked.statement.text.split(None, 1)
        rest = words[1] if len(words) > 1 else ""
        if words[0].upper() == "USE":
            self._session.database = rest.strip('`" ')
            return
        for assignment in rest.split(","):
            name, equals, value = assignment.partition("=")
            if not equals:
                raise ClickHouseFault.of(
                    "SYNTAX_ERROR", "Syntax error: SET name = value"
                )
            one = (name.strip(), value.strip().strip("'"))
            settled([one], self._serving.limits, self._connections.known_settings)
            self._session.settings[one[0]] = one[1]

    def end(self) -> None:
        """End it while it runs."""
        self._connections.end(self._mark)

    def _settings(self) -> dict[str, str]:
        asked = (
            *self._session.settings.items(),
            *self.asked.settings,
            *self.asked.statement.settings,
        )
        return settled(asked, self._serving.limits, self._connections.known_settings)

    def _require_key(self, scope: Allowed) -> None:
        # Where nobody has to show a key, who shows none may look and nothing else.
        if not self.identity.key_id or scope not in self.identity.scopes:
            raise ClickHouseFault.of(
                "ACCESS_DENIED",
                f"Not enough privileges: this needs a key with the scope '{scope}' "
                f"(fleetspan keys add --scope read --scope {scope})",
            )


def _start(headers: dict[str, str], encoding: str, output_format: str) -> Message:
    found = {**headers, "content-type": _TYPES.get(output_format, _TEXT)}
    if encoding:
        found["content-encoding"] = encoding
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.encode(), value.encode()) for name, value in found.items()],
    }


def _body(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
