"""Reading a request body: bounded in bytes, in time and in what it decompresses to."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    MutableMapping,
)
from typing import Any, Final

from ._admission import Reservation
from ._faults import TooLarge, Undecodable

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

ENCODINGS: Final = ("", "identity", "gzip")

# Output is taken in steps of this size, so that other requests get their turn.
_STEP_BYTES: Final = 1 << 20
# Members (RFC 1952, 2.2) of one body; each costs time however small it is.
_MAX_MEMBERS: Final = 1_000


class Disconnected(Exception):  # noqa: N818 - nobody is left to be answered
    """The client hung up before its body was complete."""


class _Gunzip:
    """Decompresses a gzip stream of one or more members, a step at a time."""

    def __init__(self) -> None:
        self._member: Any = None
        self._members = 0

    def pieces(self, data: bytes) -> Generator[bytes]:
        """Yield what the next bytes of the stream hold, in bounded pieces.

        Raises:
            Undecodable: When they are not gzip.
        """
        while data:
            if self._member is None:
                if self._members:
                    data = data.lstrip(b"\0")  # padding after the last member
                    if not data:
                        return
                if self._members == _MAX_MEMBERS:
                    raise Undecodable(f"the gzip body has over {_MAX_MEMBERS} members")
                self._members += 1
                self._member = zlib.decompressobj(wbits=31)
            try:
                piece = self._member.decompress(data, _STEP_BYTES)
            except zlib.error as error:
                raise Undecodable(f"the body is not gzip: {error}") from None
            yield piece
            if self._member.eof:
                data = self._member.unused_data
                self._member = None
            else:
                data = self._member.unconsumed_tail

    def finish(self) -> None:
        """Say that the stream is at its end.

        Raises:
            Undecodable: When it ends inside of a member.
        """
        if self._member is not None:
            raise Undecodable("the gzip body ends early")


class Body:
    """The pieces of a request body, as they arrive.

    Args:
        receive: Where they come from (ASGI).
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield what has not been read yet.

        Raises:
            Disconnected: When the client hung up.
        """
        while not self._complete:
            event = await self._receive()
            if event["type"] != "http.request":
                raise Disconnected
            self._complete = not event.get("more_body", False)
            if data := event.get("body", b""):
                yield data


async def read_body(
    body: Body, encoding: str, limit_bytes: int, reservation: Reservation
) -> bytes:
    """Read and decompress a body.

    Args:
        body: Where its pieces come from.
        encoding: One of `ENCODINGS`.
        limit_bytes: The most bytes that it may have, compressed and decompressed.
        reservation: Grows with what is held.

    Raises:
        TooLarge: When it is over the limit.
        Undecodable: When it is not what its encoding says.
        Refused: When there is no room for it now.
        Disconnected: When the client hung up.
    """
    gunzip = _Gunzip() if encoding == "gzip" else None
    held: list[bytes] = []
    received_bytes = held_bytes = 0

    def keep(piece: bytes) -> None:
        nonlocal held_bytes
        held_bytes += len(piece)
        _check(held_bytes, limit_bytes)
        reservation.resize(held_bytes)
        held.append(piece)

    async for data in body.pieces():
        received_bytes += len(data)
        _check(received_bytes, limit_bytes)
        if gunzip is None:
            keep(data)
            continue
        for piece in gunzip.pieces(data):
            keep(piece)
            if len(piece) == _STEP_BYTES:
                await asyncio.sleep(0)
    if gunzip is not None:
        gunzip.finish()
    return held[0] if len(held) == 1 else b"".join(held)


async def discard(body: Body, limit_bytes: int, timeout_s: float) -> None:
    """Read what is left of a body that was refused, within bounds.

    A client that is still sending when its connection closes loses the answer.
    """
    left = limit_bytes
    try:
        async with asyncio.timeout(timeout_s):
            async for data in body.pieces():
                left -= len(data)
                if left < 0:
                    return
    except (TimeoutError, Disconnected):
        return


def _check(size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise TooLarge(
            "request_bytes",
            f"the request has more than {limit_bytes} bytes, the most that are allowed",
        )
