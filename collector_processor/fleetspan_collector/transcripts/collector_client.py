"""Talks to a collector: sends lines to it, and asks what it has."""

from __future__ import annotations

import gzip
import http.client
import ipaddress
import json
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.config import Endpoint
from fleetspan_collector.transcripts.finding import Transcript

PATH: Final = "/v1/claude-code/transcripts"
_COMPLETE: Final = "x-fleetspan-complete"
_TIMEOUT_S: Final = 300.0
_LATER: Final = frozenset({429, 502, 503, 504})
_NONCE_BYTES: Final = 40
_GZIP_LEVEL: Final = 1
"""Transcripts shrink to a fifth even so."""


class AwayError(Exception):
    """The collector cannot be reached now; it may come back."""


class TooLargeError(Exception):
    """The collector takes no request of this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a collector is.

    Attributes:
        url: Its OTLP HTTP port, as a URL without a path of OTLP's own.
        web: Its web port, ``host:port``; ``None`` when it is not known, and then it
            cannot be asked what it has.
        pid: Its process, where that is known: another one may have another store.
        shown: What lets this command in.
    """

    url: str
    web: str | None = None
    pid: int | None = None
    shown: OwnerPass = field(default_factory=OwnerPass)


def check_url(url: str) -> str:
    """Return a URL of a collector without its last slash.

    Raises:
        UsageError: When it is none.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            f"the endpoint {url!r} cannot be used",
            because="it is not the URL of a collector's OTLP HTTP port",
            suggestion="--endpoint http://127.0.0.1:4318",
        )
    return url.rstrip("/")


class Client:
    """One collector, for any number of threads; connections are kept for the next.

    Args:
        address: Where it is.
        stopping: Set to end waiting for a collector that is overloaded.
    """

    def __init__(self, address: Address, stopping: threading.Event) -> None:
        self.address = address
        self._stopping = stopping
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        # A blank line of its own: the collector knows what this importer sends twice,
        # and does not take it for what an earlier one sent to a store since wiped.
        self._nonce = bytes(secrets.choice(b" \t") for _ in range(_NONCE_BYTES)) + b"\n"
        parts = urlsplit(address.url)
        self._base = parts.path
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 4318)
        self._compresses = not _is_loopback(self._host)

    def send(self, file: Transcript, offset: int, body: bytes) -> None:
        """Send whole lines of a file; return once they are durable.

        Raises:
            AwayError: When the collector cannot be reached, or waiting was ended.
            TooLargeError: When it takes less at once.
            CollectorError: When it refuses them for good.
        """
        headers = {
            **self.address.shown.headers,
            "content-type": "application/x-ndjson",
            "x-fleetspan-transcript-path": quote(os.fsencode(file.path)),
            "x-fleetspan-transcript-offset": str(offset),
        }
        for name, value in (("session", file.session_id), ("agent", file.agent_id)):
            # Without them the path says it, too; a header has no other characters.
            if value and value.isascii() and value.isprintable():
                headers[f"x-fleetspan-{name}-id"] = value
        body += self._nonce
        if self._compresses:
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, _GZIP_LEVEL)
        while True:
            answer, said = self._post(body, headers)
            if answer.status == 200:
                return
            if answer.status == 413:
                raise TooLargeError
            if answer.status not in _LATER:
                raise _refusal(self.address.url, answer.status, said)
            wait_s = _seconds(answer.headers.get("retry-after"))
            if self._stopping.wait(wait_s):
                raise AwayError("interrupted")

    def query(self, statement: str) -> tuple[list[dict[str, Any]], bool]:
        """Ask the web port.

        Returns:
            The rows, and whether they hold everything that was accepted before.

        Raises:
            AwayError: When it cannot be reached.
            CollectorError: When it refuses the statement.
        """
        where = Endpoint.parse(self.address.web or "")
        shown = self.address.shown
        connection = shown.connect(where, _TIMEOUT_S)
        try:
            path = "/api/v1/sql?format=JSONEachRow"
            connection.request("POST", path, statement.encode(), shown.headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise AwayError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if answer.status in _LATER:
            raise AwayError(f"it answered {answer.status}")
        if answer.status != 200:
            raise _refusal(self.address.web or "", answer.status, said)
        rows = [json.loads(line) for line in said.splitlines()]
        return rows, answer.headers.get(_COMPLETE) != "false"

    def close(self) -> None:
        """Close what is kept; safe to call twice."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _post(
        self, body: bytes, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection()
        try:
            connection.request("POST", self._base + PATH, body, dict(headers))
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise AwayError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return answer, said

    def _connection(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        # Straight there: proxies of the environment are not for collectors.
        if self._secure and self.address.shown.certificate:
            where = Endpoint(self._host, self._port)
            return self.address.shown.connect(where, _TIMEOUT_S)
        kind = (
            http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        )
        return kind(self._host, self._port, timeout=_TIMEOUT_S)


def _refusal(where: str, status: int, said: bytes) -> CollectorError:
    try:
        reason = json.loads(said)
        reason = reason.get("message") or reason.get("because") or reason
    except (ValueError, AttributeError):
        reason = said[:200].decode("utf-8", "replace")
    if status == 404:
        return CollectorError(
            f"the collector on {where} takes no transcripts",
            because=f"it answered 404: {reason}",
            suggestion="run a collector of this version: fleetspan up",
        )
    return CollectorError(
        f"the collector on {where} refused a request",
        because=f"it answered {status}: {reason}",
        suggestion="fleetspan doctor",
    )


def _seconds(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or "1"), 0.05), 30.0)
    except ValueError:
        return 1.0


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
