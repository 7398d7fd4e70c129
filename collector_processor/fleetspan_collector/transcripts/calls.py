"""Reads model calls straight from transcripts, with no collector, journal or store."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa

from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.address import StoreAddress
from fleetspan_collector.transcripts.finding import Found, Transcript, find_transcripts

_MEMORY_BYTES: Final = 2 << 30
_SPILL_FROM_BYTES: Final = 256 << 20
_MOST_THREADS: Final = 8

_KEPT: Final = "ENGINE = MergeTree ORDER BY tuple()"
_TABLES: Final = (
    "files (File UInt32, SessionId String, AgentId String)",
    "agents (AgentId String, AgentType Nullable(String))",
)
_FILES: Final = pa.schema(
    [("File", pa.uint32()), ("SessionId", pa.string()), ("AgentId", pa.string())]
)
_AGENTS: Final = pa.schema([("AgentId", pa.string()), ("AgentType", pa.string())])

# Blocks are counted in rows, and a line of a transcript may be of megabytes.
_READING: Final = (
    "max_block_size = 1024, input_format_parallel_parsing = 0, "
    f"max_bytes_before_external_group_by = {_SPILL_FROM_BYTES}"
)


def read_calls(paths: Iterable[Path]) -> pa.Table:
    """Read every model call of transcripts, each once.

    The engine itself reads the files, in a directory of its own that is gone afterwards;
    in one process only one store can be open, so none may be while this runs.

    Args:
        paths: Transcripts and folders, as `find_transcripts` takes them.

    Returns:
        One row per call, by its start. Columns as in the view ``llm_calls``: SessionId,
        AgentId (the session's id for its main agent), AgentType (what
        ``agent-ID.meta.json`` says; NULL for a main agent or when it says nothing),
        Project (last part of Cwd), Cwd, CallId, RequestId, ResponseId, Provider, Model,
        StartTime (UTC), InputTokens (without cache), CacheReadTokens, CacheWriteTokens,
        CacheWrite5mTokens and CacheWrite1hTokens (NULL when the line has only their
        sum), OutputTokens, ReasoningTokens, WebSearches, ReportedCostUsd (older clients
        wrote it), ServiceTier (words with ``+`` between; empty for standard) and
        ClientVersion.

    Raises:
        ClickHouseError: When the engine fails.
    """
    return read_found(find_transcripts(paths))


def read_found(found: Found) -> pa.Table:
    """Do what `read_calls` does, with transcripts that are found already."""
    files = [each for each in found.files.values() if not each.is_meta]
    with _engine(files) as (engine, glob):
        engine.insert_arrow("files", _described(files))
        engine.insert_arrow("agents", _agent_types(found))
        lines = _sql.render("transcript_lines_used", files=_sql.quote(glob))
        engine.command(f"CREATE TABLE lines {_KEPT} AS {lines} SETTINGS {_READING}")
        return engine.arrow(_sql.load("transcript_calls"))


@contextlib.contextmanager
def _engine(files: Sequence[Transcript]) -> Generator[tuple[Engine, str]]:
    """An engine with nothing in it, and a glob by which it finds the files."""
    with tempfile.TemporaryDirectory(prefix="fleetspan-calls-") as directory:
        links = Path(directory) / "files"
        links.mkdir()
        # A glob that matches nothing is an error.
        (links / "none.jsonl").touch()
        for number, file in enumerate(files):
            # By a number: in a glob, paths may mean anything.
            if os.access(file.path, os.R_OK):
                (links / f"{number}.jsonl").symlink_to(file.path)
        engine = Engine(
            StoreAddress(path=Path(directory) / "store", database="default"),
            threads=min(os.cpu_count() or 1, _MOST_THREADS),
            memory_bytes=_MEMORY_BYTES,
        )
        with contextlib.closing(engine):
            for table in _TABLES:
                engine.command(f"CREATE TABLE {table} {_KEPT}")
            yield engine, f"{links}/*.jsonl"


def _described(files: Sequence[Transcript]) -> pa.Table:
    """Whose each file is, by its number."""
    return pa.table(
        {
            "File": pa.array(range(len(files)), pa.uint32()),
            "SessionId": [each.session_id for each in files],
            "AgentId": [each.agent_id for each in files],
        },
        schema=_FILES,
    )


def _agent_types(found: Found) -> pa.Table:
    """Type of each sub-agent whose description can be read."""
    types: dict[str, str] = {}
    for file in found.files.values():
        if not file.is_meta:
            continue
        try:
            said = orjson.loads(file.path.read_bytes())["agentType"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(said, str) and said:
            types[file.agent_id] = said
    return pa.table(
        {"AgentId": list(types), "AgentType": list(types.values())}, schema=_AGENTS
    )
