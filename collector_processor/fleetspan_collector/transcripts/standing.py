"""How far a file has been read, and whether it is still the same file.

The store is what remembers: several importers may feed it, and it may be wiped. What is
kept here lasts as long as the process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from fleetspan_collector.store import _sql
from fleetspan_collector.transcripts.collector_client import Client
from fleetspan_collector.transcripts.finding import Transcript
from fleetspan_collector.transcripts.lines import Chunk, line_at

_AT_ONCE: Final = 1000
"""Sessions of one statement; the web port takes statements of up to 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store has of a file.

    Attributes:
        last: Offset of the line that came last.
        known: Offset of the last line with a uuid.
        uuid: That uuid; empty when no line has one.
        described: MD5 of what describes a sub-agent; empty for files of lines.
    """

    last: int
    known: int
    uuid: str
    described: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a file has been read.

    Attributes:
        offset: Where the next line begins.
        mark: Offset and MD5 of the last line that was read, to know it again.
        seen: Device, inode, size and time of change of the file when it was looked at
            last; ``None`` when it was not read to its end.
    """

    offset: int = 0
    mark: tuple[int, bytes] | None = None
    seen: tuple[int, ...] | None = None

    def after(self, chunk: Chunk) -> Standing:
        """Return where reading stands after whole lines."""
        last = chunk.body.rstrip(b"\n").rfind(b"\n") + 1
        line = chunk.body[last:].rstrip(b"\n")
        return replace(self, offset=chunk.end, mark=(chunk.offset + last, _md5(line)))


def look_of(path: Path) -> tuple[int, ...]:
    """Return what changes about a file when it is written to or replaced.

    Raises:
        OSError: When it cannot be looked at.
    """
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def still_stands(path: Path, standing: Standing) -> bool:
    """Tell whether a file has only grown since it was read.

    Raises:
        OSError: When it cannot be read.
    """
    if standing.mark is None:
        return standing.offset <= path.stat().st_size
    offset, digest = standing.mark
    found = line_at(path, offset)
    return found is not None and _md5(found[0]) == digest


def resume(path: Path, stored: Stored) -> Standing:
    """Return where to read on, after what the store has of a file.

    Returns:
        The beginning, when the file is not the one that the store knows.

    Raises:
        OSError: When the file cannot be read.
    """
    last = line_at(path, stored.last)
    if last is None:
        return Standing()
    if stored.uuid:
        known = line_at(path, stored.known)
        if known is None or _uuid(known[0]) != stored.uuid:
            return Standing()
    line, end = last
    return Standing(offset=end, mark=(stored.last, _md5(line)))


def ask(
    client: Client, files: Iterable[Transcript], *, database: str, tenant: str
) -> dict[str, Stored]:
    """Ask a collector what it has of files; by `name_of` their paths.

    Raises:
        AwayError: When it cannot be reached.
        CollectorError: When it cannot say.
    """
    found: dict[str, Stored] = {}
    for sessions in in_batches({each.session_id for each in files}):
        rows, _ = client.query(
            statement(
                "transcript_positions", sessions, database=database, tenant=tenant
            )
        )
        found |= {row["Path"]: _stored(row) for row in rows}
    return found


def in_batches(sessions: Iterable[str]) -> Iterator[list[str]]:
    """Yield session ids, as many at a time as one statement may name."""
    ordered = sorted(sessions)
    for first in range(0, len(ordered), _AT_ONCE):
        yield ordered[first : first + _AT_ONCE]


def statement(name: str, sessions: Iterable[str], *, database: str, tenant: str) -> str:
    """Return a statement about sessions, ready to run."""
    quoted = ", ".join(f"'{_sql.quote(each)}'" for each in sessions)
    return _sql.render(
        name, database=database, tenant=_sql.quote(tenant), sessions=quoted
    )


def name_of(path: Path) -> str:
    """Return a path as the store has it: names that are no UTF-8 are made so."""
    return os.fsencode(path).decode("utf-8", "replace")


def described(line: bytes) -> str:
    """Return what the store says of a line that describes a sub-agent."""
    return _md5(line).hex()


def _stored(row: Mapping[str, Any]) -> Stored:
    return Stored(
        last=int(row["Last"]),
        known=int(row["Known"]),
        uuid=row["KnownUuid"],
        described=row["Described"],
    )


def _uuid(line: bytes) -> str | None:
    try:
        uuid = orjson.loads(line).get("uuid")
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return uuid if isinstance(uuid, str) else None


def _md5(line: bytes) -> bytes:
    return hashlib.md5(line, usedforsecurity=False).digest()
