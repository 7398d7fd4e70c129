"""A request to the ClickHouse interface, read and understood."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Final

from starlette.requests import Request

from fleetspan_collector.clickhouse_http.bodies import read
from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.clickhouse_http.statement import (
    Kind,
    Statement,
    StatementError,
    read_statement,
)

_IN_MEMORY_BYTES: Final = 8 << 20
_HEAD_BYTES: Final = 1 << 20
_STEP_BYTES: Final = 1 << 20
# Parameters of the interface itself; all others are settings.
_OWN: Final = frozenset(
    (
        "query",
        "database",
        "default_format",
        "query_id",
        "user",
        "password",
        "session_id",
    )
    + ("session_timeout", "session_check", "compress", "decompress", "quota_key")
    + ("stacktrace", "wait_end_of_query", "buffer_size", "role", "close_session")
    + ("client_protocol_version",)
)
_SESSION: Final = re.compile(r"[\x20-\x7e]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks.

    Attributes:
        statement: The statement.
        data: The rest of the body, at its beginning: rows of an insert.
        query_id: The client's name for it, or one of ours.
        database: Where names without one are looked for; ``""`` for the default.
        output_format: What the client would have it in.
        settings: What it wants set, in order.
        parameters: Values of ``{name:Type}``, by name.
        session: Its session; ``""`` for none.
        revision: The revision of the protocol in which it reads Native blocks.
        framed: Whether it wants the answer in ClickHouse's own blocks.
        compressed: Whether it wants the answer compressed by HTTP.
    """

    statement: Statement
    data: IO[bytes]
    query_id: str
    database: str
    output_format: str
    settings: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    session: str
    revision: int
    framed: bool
    compressed: bool

    def rows(self) -> Iterator[bytes]:
        """Yield the rows of an insert, piece by piece."""
        if self.statement.data:
            yield self.statement.data
        while piece := self.data.read(_STEP_BYTES):
            yield piece


async def read_request(request: Request) -> Asked:
    """Read a request with its body.

    Raises:
        ClickHouseFault: When it cannot be understood, or is too large.
    """
    query = request.query_params
    headers = request.headers
    if headers.get("content-type", "").startswith("multipart/"):
        raise ClickHouseFault.of("NOT_IMPLEMENTED", "External tables are not supported")
    data = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by who is given it
        max_size=_IN_MEMORY_BYTES
    )
    try:
        framed = query.get("decompress") == "1"
        encoding = headers.get("content-encoding", "")
        async for piece in read(request.stream(), encoding, framed=framed):
            data.write(piece)
        data.seek(0)
        statement = _statement(query.get("query", "").encode(), data)
    except StatementError as error:
        data.close()
        raise ClickHouseFault.of("SYNTAX_ERROR", f"Syntax error: {error}") from None
    except BaseException:
        data.close()
        raise
    session = query.get("session_id", "")
    if session and not _SESSION.fullmatch(session):
        session = uuid.uuid5(uuid.NAMESPACE_URL, session).hex
    return Asked(
        statement=statement,
        data=data,
        query_id=_query_id(
            query.get("query_id") or headers.get("x-clickhouse-query-id")
        ),
        database=query.get("database") or headers.get("x-clickhouse-database", ""),
        output_format=query.get("default_format")
        or headers.get("x-clickhouse-format", ""),
        settings=tuple(
            (name, value)
            for name, value in query.multi_items()
            if name not in _OWN and not name.startswith("param_")
        ),
        parameters={
            name.removeprefix("param_"): value
            for name, value in query.multi_items()
            if name.startswith("param_")
        },
        session=session,
        revision=_revision(query.get("client_protocol_version", "")),
        framed=query.get("compress") == "1",
        compressed=query.get("enable_http_compression", "0") == "1",
    )


def _statement(given: bytes, data: IO[bytes]) -> Statement:
    """Read the statement, and leave the data at where rows go on.

    With ``?query=`` the body goes on where the parameter ends, as in ClickHouse.
    """
    if given.strip():
        statement = read_statement(given)
        if statement.kind is Kind.INSERT and statement.input_format:
            return statement
        rest = data.read()
        return read_statement(given + b"\n" + rest) if rest.strip() else statement
    head = data.read(_HEAD_BYTES)
    statement = read_statement(head)
    if statement.kind is not Kind.INSERT or not statement.input_format:
        rest = data.read()
        return read_statement(head + rest) if rest else statement
    return statement


def _revision(given: str) -> int:
    if not given:
        return 0
    if not given.isdecimal() or len(given) > 9:
        raise ClickHouseFault.of(
            "CANNOT_PARSE_NUMBER",
            f"Cannot parse client_protocol_version '{given[:40]}'",
        )
    return int(given)


def _query_id(given: str | None) -> str:
    if given and len(given) <= 200 and given.isprintable() and given.isascii():
        return given
    return str(uuid.uuid4())
