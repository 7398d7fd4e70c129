"""One POST over HTTP(S) within a deadline, whatever the other side does."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_MOST_BODY_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side has said.

    Attributes:
        status: HTTP status.
        retry_after: The header, as sent; ``""`` when there is none.
        body: Its beginning; empty when it did not come in time.
    """

    status: int
    retry_after: str
    body: bytes


class Poster:
    """Posts to one address: no redirects, TLS verified, no proxy.

    Args:
        url: The address.
        timeout_s: Seconds from the connection to the answer, all together.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout_s = timeout_s
        self._context = ssl.create_default_context() if self._secure else None
        self._connection: http.client.HTTPConnection | None = None
        self._interrupted = False

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post, once.

        Raises:
            OSError: When no answer came, or none in time.
            http.client.HTTPException: When the answer is not HTTP.
        """
        connection = self._connection = self._connect()
        until_s = time.monotonic() + self._timeout_s
        # A read waits for each piece, so only a cut ends one that comes byte by byte.
        watchdog = threading.Timer(self._timeout_s, _cut, [connection])
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.connect()
            if self._interrupted or time.monotonic() > until_s:
                raise TimeoutError("no connection in time")
            response = _exchange(connection, self._path, dict(headers), body)
            if time.monotonic() > until_s:
                # The cut looks like the end of the headers.
                raise TimeoutError("no whole answer in time")
            return _answer(response)
        except (OSError, http.client.HTTPException) as error:
            if not self._interrupted and time.monotonic() >= until_s:
                raise TimeoutError(f"no answer in {self._timeout_s:g} s") from error
            raise
        finally:
            watchdog.cancel()
            self._connection = None
            connection.close()

    def interrupt(self) -> None:
        """End what is under way, and everything after it."""
        self._interrupted = True
        connection = self._connection
        if connection is not None:
            _cut(connection)

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(
                self._host, self._port, timeout=self._timeout_s
            )
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout_s, context=self._context
        )


def _exchange(
    connection: http.client.HTTPConnection,
    path: str,
    headers: dict[str, str],
    body: bytes,
) -> http.client.HTTPResponse:
    # A receiver may answer, and close, before it has read everything.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", path, body, headers)
    return connection.getresponse()


def _answer(response: http.client.HTTPResponse) -> Answer:
    try:
        beginning = response.read1(_MOST_BODY_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        # The status is what counts.
        beginning = b""
    return Answer(
        status=response.status,
        retry_after=response.headers.get("retry-after", ""),
        body=beginning,
    )


def _cut(connection: http.client.HTTPConnection) -> None:
    """Make every read and write of a connection end, from another thread."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which is not made for other threads.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
