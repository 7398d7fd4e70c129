"""The first derived step: evidence from windows of raw rows, feed by feed, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.rules import RATE_LIMITED, RULES_VERSION
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

Group = tuple[str, str]
"""Tenant and group key: what resolving works on as a whole."""


_CLAUDE_CODE: Final = "claude_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OtlpTable:
    table: str
    attributes: str
    normalise: str
    normalise_claude: str


# A statement costs a tenth of a second before it does anything, so that of a feed runs
# only over windows that hold something of it.
_OTLP_TABLES: Final = {
    Signal.TRACES: _OtlpTable(
        table="otel_traces",
        attributes="SpanAttributes",
        normalise="normalise_spans",
        normalise_claude="normalise_claude_spans",
    ),
    Signal.LOGS: _OtlpTable(
        table="otel_logs",
        attributes="LogAttributes",
        normalise="normalise_starts",
        normalise_claude="normalise_claude_events",
    ),
}
_CLAUDE_TABLES: Final = {
    Signal.CLAUDE_HOOKS: (
        "claude_hooks",
        "normalise_claude_hooks",
        "[SessionId]",
    ),
    Signal.TRANSCRIPT_LINES: (
        "claude_transcript_lines",
        "normalise_transcripts",
        "[SessionId, FileSessionId]",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some raw rows of one signal.

    Attributes:
        signal: Traces, logs, Claude Code's hooks or transcript lines, or snapshots.
        condition: A condition on the raw table that picks them.
    """

    signal: Signal
    condition: str

    @classmethod
    def of_batches(cls, signal: Signal, batch_ids: Iterable[str]) -> Window:
        """The rows that some journal segments brought."""
        names = ", ".join(f"'{_sql.quote(batch)}'" for batch in batch_ids)
        return cls(signal=signal, condition=f"BatchId IN ({names})")


class Normaliser:
    """Writes evidence of windows of raw rows.

    Args:
        engine: A connection; its owner sees to it that one thread uses it at a time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._database = engine.address.database

    def everything(self, progress: Callable[[str], None]) -> set[Group]:
        """Normalise all raw rows that there are.

        Args:
            progress: Told what is done next.

        Returns:
            The groups that they tell of.
        """
        groups: set[Group] = set()
        for signal, raw, time_column in (
            (Signal.TRACES, "otel_traces", "Timestamp"),
            (Signal.LOGS, "otel_logs", "Timestamp"),
            (Signal.CLAUDE_HOOKS, "claude_hooks", "ReceivedAt"),
            (Signal.TRANSCRIPT_LINES, "claude_transcript_lines", "ReceivedAt"),
        ):
            days = self._engine.arrow(
                f"SELECT DISTINCT toString(toDate({time_column})) AS day"
                f" FROM {self._database}.{raw} ORDER BY day"
            )["day"].to_pylist()
            for day in days:
                progress(f"{signal.value} of {day}")
                condition = f"toDate({time_column}) = '{day}'"
                groups |= self.window(Window(signal=signal, condition=condition))
        return groups

    def window(self, window: Window) -> set[Group]:
        """Normalise a window.

        Returns:
            The groups that it tells of.

        Raises:
            ClickHouseError: When the store fails; it can be normalised again.
        """
        tokens = {"database": self._database, "window": window.condition}
        rules = {
            **tokens,
            "rules_version": str(RULES_VERSION),
            "rate_limited": _sql.quote(RATE_LIMITED),
        }
        if window.signal in _CLAUDE_TABLES:
            return self._window_of_claude(window, rules)
        if window.signal is Signal.SNAPSHOTS:
            touched = self._engine.arrow(_sql.render("touched_snapshots", **tokens))
            return groups_of(touched)
        if window.signal not in _OTLP_TABLES:
            return set()
        otlp = _OTLP_TABLES[window.signal]
        touched = self._engine.arrow(
            _sql.render(
                "touched_groups", table=otlp.table, attributes=otlp.attributes, **tokens
            )
        )
        feeds = set(touched["Feed"].to_pylist())
        if feeds - {_CLAUDE_CODE}:
            insert_select(self._engine, "evidence", otlp.normalise, rules)
        if _CLAUDE_CODE in feeds:
            insert_select(self._engine, "evidence", otlp.normalise_claude, rules)
        if window.signal is Signal.TRACES:
            insert_select(
                self._engine, "otel_traces_trace_id_ts", "trace_bounds", tokens
            )
        return groups_of(touched)

    def _window_of_claude(self, window: Window, rules: dict[str, str]) -> set[Group]:
        table, statement, sessions = _CLAUDE_TABLES[window.signal]
        lines = f"{self._database}.{table}"
        insert_select(self._engine, "evidence", statement, {**rules, "lines": lines})
        tokens = {"database": self._database, "window": window.condition}
        touched = _sql.render(
            "touched_sessions", table=table, sessions=sessions, **tokens
        )
        groups = groups_of(self._engine.arrow(touched))
        if window.signal is Signal.TRANSCRIPT_LINES:
            select = _sql.render("normalise_transcript_copies", **rules)
            copies = self._engine.arrow(select)
            # Rare, and a statement that inserts nothing still makes a part.
            if copies.num_rows:
                self._engine.insert_arrow("evidence", copies)
                groups |= groups_of(copies)
        return groups


def insert_select(
    engine: Engine, table: str, name: str, tokens: dict[str, str]
) -> None:
    """Insert what the statement ``sql/<name>.sql`` returns into a table."""
    select = _sql.render(name, **tokens)
    columns = ", ".join(f"`{column}`" for column in _sql.columns(name))
    database = engine.address.database
    engine.command(f"INSERT INTO {database}.{table} ({columns})\n{select}")


def groups_of(table: pa.Table) -> set[Group]:
    """The groups that a table names."""
    return set(
        zip(table["Tenant"].to_pylist(), table["GroupKey"].to_pylist(), strict=True)
    )
