"""What the commands and the web port read: runs, agents and plain SQL, read only."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.store import _sql
from fleetspan_collector.store._confined import confined_refusal
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store._only_reads import refusal
from fleetspan_collector.store.rows import AgentRow, RunDetail, RunRow

_USAGE = (
    "llm_calls",
    "tool_calls",
    "errors",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "reported_cost_usd",
    "unpriced_calls",
)


class StoreReader:
    """Reads a store through a connection that cannot write.

    Args:
        engine: Any connection to the store; the reader opens its own.
        tenant: Whose rows alone it sees; ``None`` for all.
    """

    def __init__(self, engine: Engine, tenant: str | None = None) -> None:
        self._engine = engine.reader(tenant=tenant)
        self._tenant = tenant
        self._database = engine.address.database
        # The connection is one statement at a time; a lock makes waiting explicit.
        self._lock = threading.Lock()

    def runs(self, *, since: datetime | None, limit: int | None) -> list[RunRow]:
        """Runs, newest first.

        Args:
            since: Only runs that were active at or after this time.
            limit: At most so many; ``None`` for all.
        """
        rows = self._rows(
            "runs",
            {"since": _nanoseconds(since), "limit": -1 if limit is None else limit},
        )
        return [run_row(row) for row in rows]

    def find_runs(self, prefix: str) -> list[str]:
        """Ids of the runs whose id starts with a prefix, at most 20, newest first."""
        return [row["run_id"] for row in self._rows("find_runs", {"prefix": prefix})]

    def run(self, run_id: str) -> RunDetail | None:
        """One run and its agents, or ``None`` when there is none of that id."""
        found = self._rows("run", {"run_id": run_id})
        if not found:
            return None
        bounds = {
            "run_id": run_id,
            "first": found[0]["bucket_s"],
            "last": found[0]["last_s"],
        }
        agents = [_agent_row(row) for row in self._rows("run_agents", bounds)]
        run: Any = run_row(found[0])
        run["agents"] = _parents_first(agents)
        known = [agent["cost_difference_usd"] for agent in agents]
        differences = [usd for usd in known if usd is not None]
        run["cost_difference_usd"] = sum(differences) if differences else None
        detail: RunDetail = run
        return detail

    def sql(self, query: str, output_format: str) -> bytes:
        """Run one statement that only reads.

        Raises:
            UsageError: When the statement is wrong or wants to write.
        """
        if not output_format.isidentifier():
            raise UsageError(
                f"output format {output_format!r} cannot be used",
                because="a format is one word such as JSON or TabSeparated",
                suggestion="fleetspan sql --format PrettyCompact 'SELECT 1'",
            )
        reason = refusal(query)
        if reason is not None:
            raise UsageError(
                "the query is not run",
                because=f"only reading the store is allowed: {reason}",
                suggestion="fleetspan sql 'SHOW TABLES'",
            )
        with self._lock:
            try:
                self._check_confined(query)
                return self._engine.raw(query.rstrip().rstrip(";"), output_format)
            except ClickHouseError as error:
                reason = _reason(error)
                hint = "--format JSON" if "FORMAT" in query.upper() else "'SHOW TABLES'"
                raise UsageError(
                    "the query failed",
                    because=reason,
                    suggestion=f"fleetspan sql {hint}",
                ) from error

    def _check_confined(self, query: str) -> None:
        """Refuse what tells of other tenants than the reader's own.

        Raises:
            UsageError: When it does.
        """
        if self._tenant is None:
            return
        reason = confined_refusal(
            query.rstrip().rstrip(";"),
            self._database,
            self._engine.tables_with_tenants(),
            lambda statement: self._engine.raw(statement, "TSVRaw").decode(),
        )
        if reason is not None:
            raise UsageError(
                "the query is not run",
                because=f"only rows of one tenant may be read: {reason}",
                suggestion="fleetspan sql 'SHOW TABLES'",
            )

    def close(self) -> None:
        """Give the connection back."""
        self._engine.close()

    def _rows(self, name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        statement = _sql.render(f"show_{name}", database=self._database)
        with self._lock:
            try:
                table = self._engine.arrow(statement, parameters)
            except ClickHouseError as error:
                raise CollectorError(
                    "the store could not be read",
                    because=_reason(error),
                    suggestion="fleetspan doctor",
                ) from error
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def run_row(row: Mapping[str, Any]) -> RunRow:
    """Make a run of a row of ``_run_columns.sql``."""
    run: Any = _spell(row)
    run["agents"] = row["agents"]
    made: RunRow = run
    return made


def _spell(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run_id": row["run_id"],
        "session_id": row["session_id"] or None,
        "name": row["name"] or None,
        "status": row["status"],
        "started_at": _rfc3339(row["start_ns"]),
        "duration_s": row["duration_s"],
        **{name: row[name] for name in _USAGE},
    }


def _agent_row(row: Mapping[str, Any]) -> AgentRow:
    agent: Any = _spell(row)
    agent |= {
        "agent_id": row["agent_id"],
        "type": row["type"] or None,
        "parent": row["parent"],
        "spawn_tool_call_id": row["spawn_tool_call_id"],
        "agents": 1,
        "failed_tools": row["failed_tools"],
        "cost_difference_usd": row["cost_difference_usd"],
    }
    agent_row: AgentRow = agent
    return agent_row


def _parents_first(agents: list[AgentRow]) -> list[AgentRow]:
    """Agents in the order of a walk through the tree; sub-tree sizes are filled in."""
    by_id = {agent["agent_id"]: agent for agent in agents}
    children: dict[str | None, list[AgentRow]] = {}
    for agent in agents:
        parent = agent["parent"] if agent["parent"] in by_id else None
        children.setdefault(parent, []).append(agent)
    ordered: list[AgentRow] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        agent = waiting.pop()
        ordered.append(agent)
        waiting.extend(children.get(agent["agent_id"], [])[::-1])
    if len(ordered) < len(agents):
        # Parents in a circle: nobody leads to them, and they are still agents.
        walked = {agent["agent_id"] for agent in ordered}
        return ordered + [a for a in agents if a["agent_id"] not in walked]
    for agent in reversed(ordered):
        above = by_id.get(agent["parent"] or "")
        if above is not None:
            above["agents"] += agent["agents"]
    return ordered


def _nanoseconds(moment: datetime | None) -> int:
    return 0 if moment is None else int(moment.timestamp() * 1_000_000) * 1000


def _rfc3339(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    micros = nanoseconds // 1000 % 1_000_000
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def _reason(error: Exception) -> str:
    """The engine's first sentence, without its version and stack."""
    text = str(error).strip().splitlines()[0]
    return text.split("(version ")[0].removeprefix("Code: ").strip()[:600]
