"""The ASGI application: requests in, results out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import anyio
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from fleetspan_collector.access import Identity, UnauthenticatedError
from fleetspan_collector.access import Scope as Allowed
from fleetspan_collector.access.gate import key_of
from fleetspan_collector.clickhouse_http.bodies import Encoder
from fleetspan_collector.clickhouse_http.execution import NAME, Execution, Serving
from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.clickhouse_http.request import Asked, read_request
from fleetspan_collector.clickhouse_http.sessions import Sessions
from fleetspan_collector.clickhouse_http.statement import Kind
from fleetspan_collector.web._reads import reads_analysed, reads_derived, reads_store
from fleetspan_collector.web._waiting import CATCH_UP_S

logger = logging.getLogger("fleetspan.clickhouse")

_AT_ONCE: Final = 8
_MOST_WAITING: Final = 64
_REALM: Final = 'Basic realm="ClickHouse server HTTP API"'
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
        run = Execution(self._serving, asked, identity, session)
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
        self, run: Execution, request: Request, receive: Receive, send: Send
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
            leaving = asyncio.create_task(self._end_when_gone(run, receive))
            try:
                pieces = await self._in_thread(lambda: run.open(open_))
                first = await self._in_thread(lambda: next(pieces, b""))
                await send(_start(self._headers(run), encoder.name, run.output_format))
                await self._send_all(run, pieces, first, encoder, send)
            except (OSError, ClientDisconnect):
                await anyio.to_thread.run_sync(run.end)
            finally:
                leaving.cancel()
                await self._in_thread(open_.close)

    async def _send_all(
        self,
        run: Execution,
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

    async def _end_when_gone(self, run: Execution, receive: Receive) -> None:
        """End the statement of a client that has hung up."""
        while (await receive())["type"] != "http.disconnect":
            pass
        # Not in one of the threads of statements: all of them may be taken.
        await anyio.to_thread.run_sync(run.end)

    async def _done(
        self,
        run: Execution,
        request: Request,
        receive: Receive,
        send: Send,
        *,
        rows: int,
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
            "x-clickhouse-server-display-name": NAME,
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

    def _headers(self, run: Execution, rows: int = 0) -> dict[str, str]:
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
            "x-clickhouse-server-display-name": NAME,
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
