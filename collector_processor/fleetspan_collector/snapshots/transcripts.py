"""Where the transcripts of Claude Code's sessions stood at moments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from fleetspan_collector._columns import Columns
from fleetspan_collector.processors.batch import RunKey
from fleetspan_collector.snapshots.standing import LONGEST_TEXT, MOST_AGENTS
from fleetspan_collector.snapshots.statements import rows_of, table_of
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.conditions import condition_on

_LINES_AT_ONCE: Final = 5000

_Line = tuple[str, int]
"""Path of a transcript and offset of a line in it."""


class Transcripts:
    """The latest lines of sessions' transcripts, by agent, up to any of some moments.

    Args:
        engine: A connection that its owner uses from one thread at a time.
        wanted: Moments, in Unix nanoseconds, by session.

    Raises:
        ClickHouseError: When the store fails.
    """

    def __init__(self, engine: Engine, wanted: Mapping[RunKey, Sequence[int]]) -> None:
        self._engine = engine
        self._lines = self._read_lines(list(wanted)) if wanted else {}
        self._bodies = {
            (key, (row["Path"], row["Offset"])): row
            for key, row in self._read_bodies(wanted)
        }

    def at(self, key: RunKey, at_ns: int) -> list[dict[str, Any]]:
        """Return for each agent where it stood, and what it said last."""
        found = []
        for agent, last, spoken in self._latest(key, at_ns):
            body = self._bodies.get((key, last), {})
            said = self._bodies.get((key, spoken), {}) if spoken else {}
            found.append(
                {
                    "agent_id": agent,
                    "path": last[0],
                    "offset": last[1],
                    "bytes": body.get("Bytes"),
                    "sha256": body.get("Hash"),
                    "last_message": said.get("Text") or None,
                }
            )
        return found

    def _read_lines(
        self, sessions: Sequence[RunKey]
    ) -> dict[RunKey, dict[str, Columns]]:
        """Lines by session and agent, in order of time."""
        files = condition_on(sessions, "FileSessionId")
        table = table_of(self._engine, "snapshot_lines", files=files)
        rows = Columns(table)
        names = zip(
            rows.strings("Tenant").tolist(),
            rows.strings("SessionId").tolist(),
            rows.strings("AgentId").tolist(),
            strict=True,
        )
        of_agent: dict[tuple[str, str, str], list[int]] = {}
        for row, name in enumerate(names):
            of_agent.setdefault(name, []).append(row)
        found: dict[RunKey, dict[str, Columns]] = {}
        for (tenant, session, agent), taken in of_agent.items():
            agents = found.setdefault((tenant, session), {})
            agents[agent] = Columns(table.take(taken))
        return found

    def _latest(
        self, key: RunKey, at_ns: int
    ) -> Iterator[tuple[str, _Line, _Line | None]]:
        """For each agent its latest line by a moment, and the latest one in words."""
        for agent, lines in list(self._lines.get(key, {}).items())[:MOST_AGENTS]:
            times = lines.nanoseconds("At")
            count = int(np.searchsorted(times, at_ns, side="right"))
            if count:
                words = np.flatnonzero(lines.integers("Speaks")[:count])
                spoken = _line(lines, int(words[-1])) if len(words) else None
                yield agent, _line(lines, count - 1), spoken

    def _read_bodies(
        self, wanted: Mapping[RunKey, Sequence[int]]
    ) -> Iterator[tuple[RunKey, dict[str, Any]]]:
        lines: set[_Line] = set()
        for key, moments in wanted.items():
            for at_ns in moments:
                for _, last, spoken in self._latest(key, at_ns):
                    lines.update((last, spoken) if spoken else (last,))
        ordered = sorted(lines)
        files = condition_on(self._lines, "FileSessionId")
        for first in range(0, len(ordered), _LINES_AT_ONCE):
            for row in rows_of(
                self._engine,
                "snapshot_line_bodies",
                files=files,
                lines=_pairs(ordered[first : first + _LINES_AT_ONCE]),
                longest=str(LONGEST_TEXT),
            ):
                yield (row["Tenant"], row["SessionId"]), row


def _line(lines: Columns, row: int) -> _Line:
    return lines.strings("Path")[row], int(lines.integers("Offset")[row])


def _pairs(lines: Iterable[_Line]) -> str:
    return ", ".join(f"('{_sql.quote(path)}', {offset})" for path, offset in lines)
