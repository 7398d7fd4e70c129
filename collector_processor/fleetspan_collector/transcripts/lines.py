"""Reads whole lines of a file that somebody else may be writing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

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

    A last line without its end is still being written and is left for the next look.

    Args:
        path: The file.
        offset: Where a line begins, in bytes.
        chunk_bytes: A chunk is at most so long, unless it is a single longer line.
        longest_line_bytes: A longer line comes as an empty chunk.

    Raises:
        OSError: When it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        pending = b""
        while block := file.read(chunk_bytes):
            pending += block
            end = pending.rfind(_NEWLINE) + 1
            if end:
                yield Chunk(offset=offset, body=pending[:end], end=offset + end)
                offset, pending = offset + end, pending[end:]
            elif len(pending) > longest_line_bytes:
                skipped = _rest_of_line(file, chunk_bytes)
                if skipped is None:
                    return
                end = file.tell()
                yield Chunk(offset=offset, body=b"", end=end)
                offset, pending = end, b""


def _rest_of_line(file: BinaryIO, step: int) -> bool | None:
    """Go to the beginning of the next line; ``None`` when there is none yet."""
    while block := file.read(step):
        end = block.find(_NEWLINE)
        if end >= 0:
            file.seek(end + 1 - len(block), 1)
            return True
    return None


def line_at(path: Path, offset: int) -> tuple[bytes, int] | None:
    """Return the whole line that begins at a place, and where the next one begins.

    Returns:
        ``None`` when no line begins there, or it has no end yet.

    Raises:
        OSError: When the file cannot be read.
    """
    with path.open("rb") as file:
        if offset:
            file.seek(offset - 1)
            if file.read(1) != _NEWLINE:
                return None
        line = file.readline(LONGEST_LINE_BYTES + CHUNK_BYTES)
        if not line.endswith(_NEWLINE):
            return None
        return line, offset + len(line)
