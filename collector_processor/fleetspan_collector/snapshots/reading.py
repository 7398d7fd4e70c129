"""Snapshots read again, through a running collector or from the store itself."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.snapshots.statements import exact_rows
from fleetspan_collector.store import _sql

Ask = Callable[[str, str], Iterator[bytes]]
"""Runs a read-only statement and yields its result in a ClickHouse format."""

Row = dict[str, Any]

_FORMAT: Final = "ArrowStream"
_SHOWN: Final = 5
_HELD_AT_ONCE: Final = 5000
_BODIES_AT_ONCE: Final = 16
_COUNTERS: Final = {
    "agents": "Agents",
    "agents_running": "AgentsRunning",
    "agents_failed": "AgentsFailed",
    "llm_calls": "LlmCalls",
    "tool_calls": "ToolCalls",
    "tools_running": "ToolsRunning",
    "errors": "Errors",
    "input_tokens": "InputTokens",
    "cache_read_tokens": "CacheReadTokens",
    "cache_write_tokens": "CacheWriteTokens",
    "output_tokens": "OutputTokens",
    "cost_usd": "CostUsd",
}
_SUFFIX: Final = "_ns"


class IncompleteStateError(CollectorError):
    """Pieces of a state are not in the store, or not what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot as it is shown and exported.

    Attributes:
        tenant: Whose it is.
        document: All of it, as JSON holds it; times are RFC 3339.
        chunks: SHA-256 of the pieces of its state, in order.
    """

    tenant: str
    document: Mapping[str, Any]
    chunks: Sequence[str]

    @property
    def snapshot_id(self) -> str:
        """Its id."""
        return str(self.document["snapshot_id"])

    @property
    def state(self) -> Mapping[str, Any] | None:
        """What is known of its state; None when it has none."""
        found: Mapping[str, Any] | None = self.document["state"]
        return found


class Snapshots:
    """The snapshots of a store.

    Args:
        ask: Runs a statement.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def listing(self, run_id: str | None, limit: int) -> list[Row]:
        """Return snapshots, latest first, as JSON holds them.

        Args:
            run_id: Only of this run.
            limit: At most so many.
        """
        runs = "1" if run_id is None else f"RunId = '{_sql.quote(run_id)}'"
        return [
            {
                "snapshot_id": row["SnapshotId"],
                "run_id": row["RunId"],
                "run_name": row["RunName"] or None,
                "session_id": row["SessionId"] or None,
                "trigger": row["Trigger"],
                "at": rfc3339(row["At"]),
                "name": row["Name"] or None,
                "reason": row["Reason"],
                "agents": row["Agents"],
                "agents_running": row["AgentsRunning"],
                "tools_running": row["ToolsRunning"],
                "errors": row["Errors"],
                "tokens": row["Tokens"],
                "cost_usd": row["CostUsd"],
                "state_bytes": row["StateBytes"] if row["StateHash"] else None,
                "run_open": bool(row["RunOpen"]),
            }
            for row in self._rows("snapshot_list", runs=runs, limit=str(limit))
        ]

    def find(self, prefix: str) -> Snapshot:
        """Return the snapshot of an id, or of the only id that begins so.

        Raises:
            UsageError: When there is none, or several.
        """
        if not prefix:
            raise self._not_found(prefix)
        found = [
            row["SnapshotId"]
            for row in self._rows("snapshot_find", prefix=_sql.quote(prefix))
        ]
        if prefix in found:
            found = [prefix]
        if len(found) > 1:
            shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
            raise UsageError(
                f"snapshot {prefix!r} is ambiguous",
                because=f"{len(found)} snapshots begin so: {shown}",
                suggestion=f"fleetspan snapshot show {found[0]}",
            )
        if not found:
            raise self._not_found(prefix)
        (row,) = self._rows("snapshot_show", snapshot=_sql.quote(found[0]))
        return self._snapshot(row)

    def _not_found(self, prefix: str) -> UsageError:
        known = [row["snapshot_id"] for row in self.listing(None, 200)]
        close = difflib.get_close_matches(prefix, known, n=1, cutoff=0.5)
        return UsageError(
            f"there is no snapshot {prefix!r}",
            because="no snapshot has an id that begins so",
            suggestion=f"did you mean fleetspan snapshot show {close[0]}?"
            if close
            else "fleetspan snapshot ls",
        )

    def _snapshot(self, row: Row) -> Snapshot:
        chunks = row["StateChunks"]
        findings = self._rows(
            "snapshot_findings",
            tenant=_sql.quote(row["Tenant"]),
            run=_sql.quote(row["RunId"]),
            at=str(row["At"]),
        )
        document = {
            "snapshot_id": row["SnapshotId"],
            "run_id": row["RunId"],
            "run_name": row["RunName"] or None,
            "session_id": row["SessionId"] or None,
            "trace_id": row["TraceId"] or None,
            "environment": row["Environment"] or None,
            "project": row["Project"] or None,
            "user": row["User"] or None,
            "service": row["Service"] or None,
            "trigger": row["Trigger"],
            "at": rfc3339(row["At"]),
            "name": row["Name"] or None,
            "reason": row["Reason"],
            "agent_id": row["AgentId"] or None,
            "counters": {name: row[column] for name, column in _COUNTERS.items()},
            **_with_times(json.loads(row["Content"])),
            "findings": [_finding(each) for each in findings],
            "state": self._state_of(row),
            "run_open": bool(row["RunOpen"]),
            "taken_at": rfc3339(row["TakenAt"]),
        }
        return Snapshot(tenant=row["Tenant"], document=document, chunks=chunks)

    def _state_of(self, row: Row) -> Row | None:
        if not row["StateHash"]:
            return None
        missing = self._missing(row["Tenant"], row["StateChunks"])
        return {
            "kind": row["StateKind"],
            "sha256": row["StateHash"],
            "bytes": row["StateBytes"],
            "chunks": len(row["StateChunks"]),
            "missing_chunks": len(missing),
            "complete": not missing,
        }

    def _missing(self, tenant: str, chunks: Sequence[str]) -> set[str]:
        wanted = sorted(set(chunks))
        held: set[str] = set()
        for first in range(0, len(wanted), _HELD_AT_ONCE):
            rows = self._rows(
                "snapshot_chunks_held",
                tenant=_sql.quote(tenant),
                hashes=_quoted(wanted[first : first + _HELD_AT_ONCE]),
            )
            held.update(row["Hash"] for row in rows)
        return set(wanted) - held

    def state(self, snapshot: Snapshot) -> Iterator[bytes]:
        """Yield the state of a snapshot, piece by piece, each checked.

        Raises:
            IncompleteStateError: When a piece is missing or is not what it was, or the
                whole is not.
        """
        state = snapshot.state
        if state is None:
            return
        whole = hashlib.sha256()
        for first in range(0, len(snapshot.chunks), _BODIES_AT_ONCE):
            some = snapshot.chunks[first : first + _BODIES_AT_ONCE]
            bodies = self._bodies(snapshot.tenant, some)
            for name in some:
                body = bodies.get(name)
                if body is None:
                    raise _incomplete(
                        snapshot, f"piece {name[:12]}… is not in the store"
                    )
                if hashlib.sha256(body).hexdigest() != name:
                    raise _incomplete(snapshot, f"piece {name[:12]}… has another hash")
                whole.update(body)
                yield body
        if whole.hexdigest() != state["sha256"]:
            raise _incomplete(snapshot, "its pieces are there, but make another whole")

    def _bodies(self, tenant: str, chunks: Sequence[str]) -> dict[str, bytes]:
        table = self._table(
            "snapshot_chunk_bodies",
            tenant=_sql.quote(tenant),
            hashes=_quoted(sorted(set(chunks))),
        )
        # The engine calls it text; it is whatever the application sent.
        bodies = table["Body"].cast(pa.binary()).to_pylist()
        return dict(zip(table["Hash"].to_pylist(), bodies, strict=True))

    def _rows(self, name: str, **tokens: str) -> list[Row]:
        return exact_rows(self._table(name, **tokens))

    def _table(self, name: str, **tokens: str) -> pa.Table:
        answer = b"".join(self._ask(_sql.render(name, **tokens), _FORMAT))
        return pa.ipc.open_stream(answer).read_all()


def rfc3339(nanoseconds: int) -> str:
    """Write Unix nanoseconds as RFC 3339 with microseconds, UTC."""
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    micros = nanoseconds // 1000 % 1_000_000
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def _with_times(value: Any) -> Any:
    """Write every ``…_ns`` as RFC 3339 under its name without that."""
    if isinstance(value, list):
        return [_with_times(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, each in value.items():
        if name.endswith(_SUFFIX):
            made[name.removesuffix(_SUFFIX)] = None if each is None else rfc3339(each)
        else:
            made[name] = _with_times(each)
    return made


def _finding(row: Row) -> Row:
    return {
        "finding_id": row["FindingId"],
        "detector": row["Detector"],
        "severity": row["Severity"],
        "at": rfc3339(row["At"]),
        "what": row["What"],
        "advice": row["Advice"],
        "seconds": row["Seconds"],
        "usd": row["Usd"],
    }


def _quoted(hashes: Sequence[str]) -> str:
    return ", ".join(f"'{_sql.quote(each)}'" for each in hashes) or "''"


def _incomplete(snapshot: Snapshot, because: str) -> IncompleteStateError:
    return IncompleteStateError(
        f"the state of snapshot {snapshot.snapshot_id} cannot be read",
        because=because,
        suggestion=f"fleetspan snapshot show {snapshot.snapshot_id}",
    )
