"""Reads whole lines of a file that somebody else may be writing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import orjson

CHUNK_BYTES: Final = 2 << 20
"""What is read and sent at once, unless one line is longer."""

LONGEST_LINE_BYTES: Final = 60 << 20
"""A longer line could not be sent: requests are at most 64 MiB unless set otherwise."""

_NEWLINE: Final = b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive whole lines of one file.

    Attributes:
        offset: Where the first of them begins in the file, in bytes.
        body: The lines as they stand there, each with its end; empty when the only
            line is too long to be sent.
        end: Where the next line begins.
    """

    offset: int
    body: bytes
    end: int


def read_chunks(
    path: Path,
    offset: int,
    *,
    chunk_bytes: int = CHUNK_BYTES,
    longest_line_bytes: int = LONGEST_LINE_BYTES,
) -> Iterator[Chunk]:
    """Yield what stands in a file from a place on, up to the end of its last whole line.

    A last line that has no end yet is whole when it is a JSON object; else it is still
    being written, and is left for the next look.

    Args:
        path: The file.
        offset: Where a line begins, in bytes.
        chunk_bytes: A chunk is at most about so long, unless it is a longer line.
        longest_line_bytes: A longer line comes as an empty chunk.

    Raises:
        OSError: When it cannot be read.
    """
    with path.open("rb") as file:
        offset = _at_line(file, offset)
        pending = b""
        while block := file.read(chunk_bytes):
            pending += block
            end = pending.rfind(_NEWLINE) + 1
            if end:
                yield Chunk(offset=offset, body=pending[:end], end=offset + end)
                offset, pending = offset + end, pending[end:]
            if len(pending) > longest_line_bytes:
                if not _pass_line(file, chunk_bytes):
                    return
                yield Chunk(offset=offset, body=b"", end=file.tell())
                offset, pending = file.tell(), b""
        if is_object(pending):
            end = offset + len(pending)
            yield Chunk(offset=offset, body=pending + _NEWLINE, end=end)


def line_at(path: Path, offset: int) -> tuple[bytes, int] | None:
    """Return the whole line that begins at a place, and where it ends.

    Returns:
        The line without its end; ``None`` when no whole line begins there.

    Raises:
        OSError: When the file cannot be read.
    """
    with path.open("rb") as file:
        if offset:
            file.seek(offset - 1)
            if file.read(1) != _NEWLINE:
                return None
        line = file.readline(LONGEST_LINE_BYTES + CHUNK_BYTES)
    if line.endswith(_NEWLINE):
        return line[:-1], offset + len(line)
    return (line, offset + len(line)) if is_object(line) else None


def is_object(line: bytes) -> bool:
    """Tell whether a line is one whole JSON object."""
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _at_line(file: BinaryIO, offset: int) -> int:
    """Go to where a line begins: the end of the one before may have come only now."""
    if offset:
        file.seek(offset - 1)
        before, here = file.read(1), file.read(1)
        if before != _NEWLINE and here == _NEWLINE:
            offset += 1
    file.seek(offset)
    return offset


def _pass_line(file: BinaryIO, step: int) -> bool:
    """Go to the beginning of the next line; tells whether there is one yet."""
    while block := file.read(step):
        end = block.find(_NEWLINE)
        if end >= 0:
            file.seek(end + 1 - len(block), 1)
            return True
    return False
