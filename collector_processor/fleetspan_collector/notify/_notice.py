"""What is told: a finding, or the summary of a run that has ended."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import orjson

from fleetspan_collector.insights.documents import (
    finding_document,
    nanoseconds_of,
    rfc3339,
    severity_of,
)
from fleetspan_collector.notify.batch import Row
from fleetspan_collector.processors.finding import Severity

logger = logging.getLogger("fleetspan.notify")

Kind = Literal["finding", "run"]
Key = tuple[Kind, str, str]
"""Kind, tenant and id: the same whenever the same thing is told again."""

_OVERHEAD_BYTES: Final = 1000
_SUMMARY_NUMBERS: Final = (
    ("wall_s", "WallSeconds"),
    ("model_s", "ModelSeconds"),
    ("tool_s", "ToolSeconds"),
    ("permission_s", "PermissionSeconds"),
    ("queue_s", "QueueSeconds"),
    ("backoff_s", "BackoffSeconds"),
    ("subagent_s", "SubagentSeconds"),
    ("gap_s", "GapSeconds"),
    ("busy_s", "BusySeconds"),
    ("cost_usd", "CostUsd"),
    ("saved_s", "SavedSeconds"),
    ("saved_usd", "SavedUsd"),
    ("complexity", "Complexity"),
    ("effort", "Effort"),
    ("files_touched", "FilesTouched"),
)


@dataclass(frozen=True, eq=False)
class Notice:
    """Something to tell.

    Attributes:
        kind: A finding, or a run.
        tenant: Whose it is.
        subject: Id of the finding or the run.
        run_id: The run.
        detector: Of a finding; ``""`` for a run.
        level: Grows when it is worth telling again: the rank of a finding's severity, the
            version of a run's row.
        made_ns: When it was found, found to matter more, or summed up; Unix nanoseconds.
        document: What is told.
        about: Where it comes from, for those who link it: ``service``, ``environment``,
            ``project``, ``user``.
    """

    kind: Kind
    tenant: str
    subject: str
    run_id: str
    detector: str
    level: int
    made_ns: int
    document: Mapping[str, Any]
    about: Mapping[str, str]

    @property
    def key(self) -> Key:
        """What it is, however often it is told."""
        return (self.kind, self.tenant, self.subject)

    @property
    def severity(self) -> Severity:
        """Of a finding."""
        return Severity(self.document.get("severity", Severity.INFO))

    @cached_property
    def body(self) -> bytes:
        """The document as JSON, in UTF-8."""
        return orjson.dumps(self.document, option=orjson.OPT_NON_STR_KEYS)

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return len(self.body) + _OVERHEAD_BYTES

    def delivery_id(self, destination: str) -> str:
        """What the receiver may recognise it by: the same in every attempt."""
        parts = (destination, self.kind, self.tenant, self.subject, str(self.level))
        digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=12)
        return f"msg_{digest.hexdigest()}"


def findings_of(rows: Iterable[Row], now_ns: int = 0) -> Iterator[Notice]:
    """Notices of rows of ``findings``, times in nanoseconds.

    Args:
        rows: With ``WrittenAt`` as well, when that is known.
        now_ns: The present, for rows that have just been written: a finding whose
            severity rises keeps the time at which it was found first.
    """
    return _made(rows, lambda row: _finding(row, now_ns))


def summaries_of(rows: Iterable[Row]) -> Iterator[Notice]:
    """Notices of those runs of ``run_analyses`` that have ended."""
    return _made((row for row in rows if not row["RunOpen"]), _run)


def _made(rows: Iterable[Row], make: Callable[[Row], Notice]) -> Iterator[Notice]:
    for row in rows:
        try:
            yield make(row)
        except Exception:
            # One strange row must not keep all others from being told.
            logger.exception("%s cannot be told of", row.get("RunId", "a run"))


def _finding(row: Row, now_ns: int) -> Notice:
    found_ns = nanoseconds_of(row["FoundAt"])
    return Notice(
        kind="finding",
        tenant=row["Tenant"],
        subject=row["FindingId"],
        run_id=row["RunId"],
        detector=row["Detector"],
        level=severity_of(row["Severity"]).rank,
        made_ns=max(found_ns, row.get("WrittenAt", now_ns)),
        document=finding_document(row),
        about=_about(row),
    )


def _run(row: Row) -> Notice:
    return Notice(
        kind="run",
        tenant=row["Tenant"],
        subject=row["RunId"],
        run_id=row["RunId"],
        detector="",
        level=row["RunVersion"],
        made_ns=nanoseconds_of(row["AnalysedAt"]),
        document=_summary(row),
        about=_about(row),
    )


def _summary(row: Row) -> dict[str, Any]:
    return {
        "run_id": row["RunId"],
        "run_name": row["RunName"] or None,
        "trace_id": row["TraceId"] or None,
        "session_id": row["SessionId"] or None,
        "status": row["Status"] or None,
        "started_at": rfc3339(nanoseconds_of(row["StartTime"])),
        "task_kind": row["TaskKind"] or None,
        **{name: row[column] for name, column in _SUMMARY_NUMBERS},
        "set_aside": list(row["SetAside"]),
        "version": row["RunVersion"],
    }


def _about(row: Row) -> dict[str, str]:
    return {
        "service": row["Service"],
        "environment": row["Environment"],
        "project": row["Project"],
        "user": row["User"],
    }
