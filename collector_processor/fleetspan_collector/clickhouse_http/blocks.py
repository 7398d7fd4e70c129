"""ClickHouse's own framing of compressed data (``compress=1``, ``decompress=1``).

A block is a CityHash128 (version 1.0.2) of what follows, a byte for the method, the size
of the block without its hash, the size of the data, and the data (ClickHouse,
``CompressedReadBuffer``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from fleetspan_collector.clickhouse_http.faults import ClickHouseFault

_LZ4: Final = 0x82
_ZSTD: Final = 0x90
_NONE: Final = 0x02
_HEAD: Final = struct.Struct("<BII")
_HASH_BYTES: Final = 16
_BLOCK_BYTES: Final = 1 << 20
_MOST_BLOCK_BYTES: Final = 1 << 30


def frame(data: bytes) -> bytes:
    """Return data in blocks, compressed with LZ4."""
    framed = []
    for start in range(0, len(data), _BLOCK_BYTES):
        piece = data[start : start + _BLOCK_BYTES]
        packed = lz4.block.compress(piece, store_size=False)
        body = _HEAD.pack(_LZ4, _HEAD.size + len(packed), len(piece)) + packed
        framed.append(_hash(body) + body)
    return b"".join(framed)


class Unframer:
    """Takes blocks apart as they come in.

    Args:
        most_bytes: How much they may hold together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what whole blocks hold.

        Raises:
            ClickHouseFault: When a block is damaged, or they hold too much.
        """
        self._rest += data
        while len(self._rest) >= _HASH_BYTES + _HEAD.size:
            method, packed, size = _HEAD.unpack_from(self._rest, _HASH_BYTES)
            end = _HASH_BYTES + packed
            if packed < _HEAD.size or max(packed, size) > _MOST_BLOCK_BYTES:
                raise ClickHouseFault.of("CANNOT_DECOMPRESS", "A block's size is wrong")
            if size > self._left:
                raise ClickHouseFault.of("TOO_MANY_BYTES", "The data is too large")
            if len(self._rest) < end:
                return
            body, self._rest = self._rest[_HASH_BYTES:end], self._rest
            if _hash(body) != self._rest[:_HASH_BYTES]:
                raise ClickHouseFault.of(
                    "CHECKSUM_DOESNT_MATCH", "Checksum doesn't match: corrupted data"
                )
            self._rest = self._rest[end:]
            self._left -= size
            yield _unpacked(method, body[_HEAD.size :], size)

    def end(self) -> None:
        """See that nothing is left over.

        Raises:
            ClickHouseFault: When the last block is cut off.
        """
        if self._rest:
            raise ClickHouseFault.of("CANNOT_DECOMPRESS", "The last block is cut off")


def _unpacked(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            return bytes(lz4.block.decompress(packed, uncompressed_size=size))
        if method == _ZSTD:
            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except (lz4.block.LZ4BlockError, zstandard.ZstdError, ValueError) as error:
        raise ClickHouseFault.of("CANNOT_DECOMPRESS", str(error)) from error
    if method == _NONE:
        return packed
    raise ClickHouseFault.of(
        "UNKNOWN_COMPRESSION_METHOD", f"Unknown codec family code: {method}"
    )


def _hash(body: bytes) -> bytes:
    number = CityHash128(body)
    return struct.pack("<QQ", number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF)
