"""One statement of one client, from its checks to its rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import prometheus_client

from fleetspan_collector.access import Gate, Identity
from fleetspan_collector.access import Scope as Allowed
from fleetspan_collector.clickhouse_http.allowed_settings import Limits, settled
from fleetspan_collector.clickhouse_http.connections import (
    Connections,
    ask,
    check_reading,
)
from fleetspan_collector.clickhouse_http.definitions import check_definition, check_kept
from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.clickhouse_http.native import (
    asks_for_hello,
    hello,
    of_revision,
)
from fleetspan_collector.clickhouse_http.reading import result
from fleetspan_collector.clickhouse_http.request import Asked
from fleetspan_collector.clickhouse_http.sessions import Session
from fleetspan_collector.clickhouse_http.statement import unquoted
from fleetspan_collector.clickhouse_http.writing import insert
from fleetspan_collector.store._confined import confined_refusal
from fleetspan_collector.web._waiting import CaughtUp

NAME: Final = "fleetspan"
"""What it calls itself."""
_OF_SETTINGS: Final = re.compile(
    r"SELECT [\w\s,]+ FROM system\.settings(?: WHERE \w+ = '\w*')?(?: LIMIT \d+)?",
    re.IGNORECASE,
)


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


class Execution:
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
        found = result(
            connection,
            statement.text,
            self.output_format,
            self.asked.parameters,
            streams=statement.first in {"SELECT", "WITH"},
        )
        if self.output_format != "Native":
            return found
        if asks_for_hello(statement.text, self.asked.revision):
            own = self._connections
            return iter([hello(NAME, own.version, own.timezone)])
        return of_revision(found, self.asked.revision)

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
        own = self._connections
        check_kept(text, self._database, own.database, own.own_tables)
        with self._connections.writing(
            self._settings(), self._mark, self._database
        ) as connection:
            ask(connection, text, "Null", self.asked.parameters)

    def change_session(self) -> None:
        """Keep what ``SET`` or ``USE`` sets, for the session."""
        words = self.asked.statement.text.split(None, 1)
        rest = words[1] if len(words) > 1 else ""
        if words[0].upper() == "USE":
            name = unquoted(rest.strip())
            if not self._connections.has_database(name):
                raise ClickHouseFault.of(
                    "UNKNOWN_DATABASE", f"Database {name[:80]} does not exist"
                )
            self._session.database = name
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
        return settled(
            asked,
            self._serving.limits,
            self._connections.known_settings,
            sees_all=self.identity.sees is None,
        )

    def _require_key(self, scope: Allowed) -> None:
        # Where nobody has to show a key, who shows none may look and nothing else.
        if not self.identity.key_id or scope not in self.identity.scopes:
            raise ClickHouseFault.of(
                "ACCESS_DENIED",
                f"Not enough privileges: this needs a key with the scope '{scope}' "
                f"(fleetspan keys add --scope read --scope {scope})",
            )
