"""Bodies of requests and answers: bounded, decompressed, compressed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Protocol

import lz4.frame
import zstandard

from fleetspan_collector.clickhouse_http.blocks import Unframer, frame
from fleetspan_collector.clickhouse_http.faults import ClickHouseFault

_STEP_BYTES: Final = 1 << 20
MOST_BYTES: Final = 1 << 30
"""Of one request's data, decompressed."""


class _Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def end(self) -> None: ...


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def end(self) -> None:
        pass


class _Zlib:
    """Gzip and deflate."""

    def __init__(self) -> None:
        self._member: Any = zlib.decompressobj(wbits=47)
        self._fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            self._fed = True
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=47)
            try:
                yield self._member.decompress(data, _STEP_BYTES)
            except zlib.error as error:
                raise ClickHouseFault.of("CANNOT_DECOMPRESS", str(error)) from None
            data = self._member.unconsumed_tail or self._member.unused_data

    def end(self) -> None:
        if self._fed and not self._member.eof:
            raise ClickHouseFault.of("CANNOT_DECOMPRESS", "The body is cut off")


class _Lz4:
    """LZ4 frames, of which there may be several."""

    def __init__(self) -> None:
        self._object: Any = lz4.frame.LZ4FrameDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not self._object.needs_input:
            if self._object.eof:
                data = self._object.unused_data or data
                self._object = lz4.frame.LZ4FrameDecompressor()
            try:
                yield self._object.decompress(data, _STEP_BYTES)
            except RuntimeError as error:
                raise ClickHouseFault.of("CANNOT_DECOMPRESS", str(error)) from None
            data = b""
            if self._object.eof and not self._object.unused_data:
                return

    def end(self) -> None:
        pass


class _Zstd:
    def __init__(self) -> None:
        self._object = zstandard.ZstdDecompressor().decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        # In small steps, since the object gives all that a step makes at once.
        for start in range(0, len(data), 1024):
            try:
                yield self._object.decompress(data[start : start + 1024])
            except zstandard.ZstdError as error:
                raise ClickHouseFault.of("CANNOT_DECOMPRESS", str(error)) from None

    def end(self) -> None:
        pass


async def read(
    chunks: AsyncIterator[bytes], encoding: str, *, framed: bool
) -> AsyncIterator[bytes]:
    """Yield the data of a request.

    Args:
        chunks: Its body as it arrives.
        encoding: Its ``Content-Encoding``.
        framed: Whether it is in ClickHouse's own blocks within that.

    Raises:
        ClickHouseFault: When it cannot be decompressed, or is too large.
    """
    outer = _decoder(encoding)
    inner: _Decoder = Unframer(MOST_BYTES) if framed else _Plain()
    left = MOST_BYTES
    async for chunk in chunks:
        for piece in outer.feed(chunk):
            for data in inner.feed(piece):
                left -= len(data)
                if left < 0:
                    raise ClickHouseFault.of("TOO_MANY_BYTES", "The data is too large")
                if data:
                    yield data
    outer.end()
    inner.end()


def _decoder(encoding: str) -> _Decoder:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "deflate" | "x-gzip":
            return _Zlib()
        case "zstd":
            return _Zstd()
        case "lz4":
            return _Lz4()
    raise ClickHouseFault.of(
        "UNKNOWN_COMPRESSION_METHOD",
        f"Unknown compression method '{encoding[:40]}'; gzip, deflate, lz4, zstd are known",
    )


class Encoder:
    """Compresses an answer.

    Args:
        accepted: The client's ``Accept-Encoding``; looked at when ``wanted``.
        wanted: Whether it asks for it (``enable_http_compression``).
        framed: Whether it wants ClickHouse's own blocks (``compress=1``).

    Attributes:
        name: The ``Content-Encoding``; ``""`` for none.
    """

    def __init__(self, accepted: str, *, wanted: bool, framed: bool) -> None:
        offered = {
            each.partition(";")[0].strip().lower() for each in accepted.split(",")
        }
        self.name = ""
        self._framed = framed
        self._object: Any = None
        self._begun = b""
        if framed or not wanted:
            return
        if "zstd" in offered:
            self.name = "zstd"
            self._object = zstandard.ZstdCompressor(level=1).compressobj()
        elif "lz4" in offered:
            self.name = "lz4"
            self._object = lz4.frame.LZ4FrameCompressor()
            self._begun = self._object.begin()
        elif "gzip" in offered:
            self.name = "gzip"
            self._object = zlib.compressobj(1, wbits=31)
        elif "deflate" in offered:
            self.name = "deflate"
            self._object = zlib.compressobj(1, wbits=15)

    def encode(self, data: bytes) -> bytes:
        """Return some of the answer, compressed; may be empty."""
        if self._framed:
            return frame(data)
        if self._object is None:
            return data
        begun, self._begun = self._begun, b""
        return begun + bytes(self._object.compress(data))

    def end(self) -> bytes:
        """Return the rest."""
        if self._object is None:
            return b""
        begun, self._begun = self._begun, b""
        return begun + bytes(self._object.flush())
