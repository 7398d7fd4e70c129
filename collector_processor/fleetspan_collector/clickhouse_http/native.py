"""Blocks of ClickHouse's Native format, as a client's revision of the protocol has them.

The engine writes blocks of revision 0. A client that names a revision
(``client_protocol_version``) waits for a few bytes more: before each block from revision
51903 on, and before each column from 54454 on (ClickHouse, ``NativeWriter``). The second
would need every column of every type taken apart; a client that asks the server for its
revision first is told one below.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

REVISION: Final = 54453
"""What a client that asks is told: the last one without bytes before columns."""
_ABOUT_COLUMNS: Final = 54454
_ABOUT_BLOCKS: Final = 51903
# Not overflowing, of no bucket, and the end.
_ABOUT_A_BLOCK: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_HELLO: Final = re.compile(
    r"\s*SELECT\s+displayName\(\),\s*version\(\),\s*revision\(\),\s*timezone\(\)\s*"
)
_WIDTHS: Final = {
    **dict.fromkeys(("UInt8", "Int8", "Bool"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Date"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "DateTime", "Date32", "IPv4"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64"), 8),
    **dict.fromkeys(("UUID", "IPv6", "UInt128", "Int128"), 16),
}


def asks_for_hello(query: str, revision: int) -> bool:
    """Tell whether a client asks what the server is, and wants bytes before columns."""
    return revision >= _ABOUT_COLUMNS and _HELLO.fullmatch(query) is not None


def hello(name: str, version: str, timezone: str) -> bytes:
    """Return the answer to that: one row, with bytes before its columns."""
    columns = (
        ("displayName()", "String", _text(name)),
        ("version()", "String", _text(version)),
        ("revision()", "UInt32", struct.pack("<I", REVISION)),
        ("timezone()", "String", _text(timezone)),
    )
    block = [_ABOUT_A_BLOCK, bytes((len(columns), 1))]
    for column, kind, data in columns:
        block += [_text(column), _text(kind), b"\0", data]
    return b"".join(block)


def of_revision(pieces: Iterator[bytes], revision: int) -> Iterator[bytes]:
    """Yield blocks with what a client of a revision waits for before each.

    Args:
        pieces: Whole blocks; in one piece there may be several.
        revision: What the client says.
    """
    if revision < _ABOUT_BLOCKS:
        yield from pieces
        return
    for piece in pieces:
        start = 0
        while start < len(piece):
            end = _end_of_block(piece, start)
            yield _ABOUT_A_BLOCK + piece[start:end]
            start = end


def _end_of_block(data: bytes, place: int) -> int:
    """Return where a block ends.

    A block of a result that streams is a piece of its own. What does not stream lists
    names and numbers: columns of other types are one block.
    """
    count, place = varint(data, place)
    rows, place = varint(data, place)
    for _ in range(count):
        _, place = _take_text(data, place)
        kind, place = _take_text(data, place)
        if kind == b"String":
            for _ in range(rows):
                length, place = varint(data, place)
                place += length
        elif width := _WIDTHS.get(kind.decode("utf-8", "replace")):
            place += width * rows
        else:
            return len(data)
    return place


def varint(data: bytes, place: int) -> tuple[int, int]:
    """Return the number at a place, and where it ends."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _take_text(data: bytes, place: int) -> tuple[bytes, int]:
    length, place = varint(data, place)
    return data[place : place + length], place + length


def _text(text: str) -> bytes:
    """Return a text of fewer than 128 bytes with its length."""
    data = text.encode()[:127]
    return bytes((len(data),)) + data
