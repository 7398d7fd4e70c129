"""Delivers snapshots to a collector, in order, on a thread of its own.

A state goes in pieces, each acknowledged by itself, and the snapshot after them: what the
collector has acknowledged is durable there, and what comes twice it keeps once.
"""

from __future__ import annotations

import collections
import http.client
import json
import os
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from fleetspan._config import Config
from fleetspan._guard import complain, guard
from fleetspan._outbox import Snapshot

SNAPSHOTS_PATH: Final = "/v1/fleetspan/snapshots"
CHUNKS_PATH: Final = "/v1/fleetspan/snapshot-chunks"

_DEFAULT: Final = "http://localhost:4318"
_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318
_MOST_WAITING_BYTES: Final = 512 << 20
_TIMEOUT_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.2
_LAST_PAUSE_S: Final = 5.0
_KNOWN_CHUNKS: Final = 65_536
_KNOWN_FOR_S: Final = 3600.0
"""How long a piece that was acknowledged is not sent again: the collector keeps it for
days from when it came."""

_FOR_GOOD: Final = frozenset({400, 401, 403, 404, 405, 411, 413, 415})


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """The collector will never take it."""


class Delivery:
    """Where snapshots go: the collector's OTLP HTTP port.

    Args:
        config: Says where that is.
    """

    def __init__(self, config: Config) -> None:
        self._endpoint = endpoint_of(config, os.environ)
        self._headers = _headers(os.environ)
        self._waiting: collections.deque[tuple[Snapshot, threading.Event]] = (
            collections.deque()
        )
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._started = False
        self._acknowledged: collections.OrderedDict[str, float] = (
            collections.OrderedDict()
        )
        self._connection: http.client.HTTPConnection | None = None

    def put(self, snapshot: Snapshot, wait_s: float) -> None:
        """Take one, and wait at most so long until it has been tried to deliver it."""
        size = len(snapshot.state or b"")
        tried = threading.Event()
        with self._changed:
            # One alone may be of any size: it is in memory already.
            if self._waiting and self._waiting_bytes + size > _MOST_WAITING_BYTES:
                complain("snapshots", "wait for the collector in masses, dropping")
                return
            if self._closed:
                return
            self._waiting.append((snapshot, tried))
            self._waiting_bytes += size
            if not self._started:
                self._started = True
                threading.Thread(
                    target=self._work, name="fleetspan-snapshots", daemon=True
                ).start()
            self._changed.notify_all()
        if wait_s > 0:
            tried.wait(wait_s)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all are delivered; False when that takes longer."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting or self._closed, timeout_s
            )

    def close(self) -> None:
        """Stop; what is not delivered by now is lost."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                snapshot, tried = self._waiting[0]
            done = True
            with guard("deliver a snapshot"):
                done = self._attempt(snapshot)
            tried.set()
            with self._changed:
                if done:
                    self._waiting.popleft()
                    self._waiting_bytes -= len(snapshot.state or b"")
                    pause_s = _FIRST_PAUSE_S
                    self._changed.notify_all()
                    continue
                self._changed.wait_for(lambda: self._closed, pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    def _attempt(self, snapshot: Snapshot) -> bool:
        """Send one; False when it can be tried again."""
        try:
            for number, name in enumerate(snapshot.chunks):
                if not self._is_known(name):
                    self._post(
                        CHUNKS_PATH,
                        snapshot.chunk(number),
                        {
                            "content-type": "application/octet-stream",
                            "x-fleetspan-sha256": name,
                        },
                    )
                    self._know(name)
            body = json.dumps(snapshot.fields).encode()
            self._post(SNAPSHOTS_PATH, body, {"content-type": "application/json"})
        except _Refused as refused:
            complain(f"the collector at {self._endpoint}", str(refused))
            return True
        except (OSError, http.client.HTTPException) as error:
            # Another collector may listen there next time, with another store.
            self._acknowledged.clear()
            self._disconnect()
            complain(
                f"snapshots to {self._endpoint}",
                f"are not taken now, and are tried again: {error!r}",
            )
            return False
        return True

    def _post(
        self, path: str, body: bytes | memoryview, headers: Mapping[str, str]
    ) -> None:
        """Send a request, over the connection that is open if it still is.

        Raises:
            _Refused: When sending it again would not help.
            OSError: When nobody takes it now.
        """
        where = urlsplit(self._endpoint)
        headers = {**self._headers, **headers, "content-length": str(len(body))}
        status, said = self._exchange(where.path + path, body, headers)
        if status in _FOR_GOOD:
            text = said[:200].decode("utf-8", "replace")
            raise _Refused(f"does not take snapshots: {status} {text}")
        if status != 200:
            raise OSError(f"the collector answered {status}")

    def _exchange(
        self, path: str, body: bytes | memoryview, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        while True:
            kept = self._connection
            connection = self._connection = kept or _connect(self._endpoint)
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (ConnectionError, http.client.RemoteDisconnected):
                self._disconnect()
                # A connection that was idle for long has been closed at the other end.
                if kept is None:
                    raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _is_known(self, name: str) -> bool:
        known = self._acknowledged.get(name)
        return known is not None and time.monotonic() - known < _KNOWN_FOR_S

    def _know(self, name: str) -> None:
        self._acknowledged[name] = time.monotonic()
        self._acknowledged.move_to_end(name)
        if len(self._acknowledged) > _KNOWN_CHUNKS:
            self._acknowledged.popitem(last=False)


def endpoint_of(config: Config, environ: Mapping[str, str]) -> str:
    """Return the base address of the collector's OTLP HTTP port.

    Args:
        config: The settings.
        environ: Environment variables.
    """
    if config.snapshot_endpoint:
        return config.snapshot_endpoint
    said = config.endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    if not said:
        return _DEFAULT
    address = said if "://" in said else "http://" + said
    where = urlsplit(address.rstrip("/"))
    if where.port == _GRPC_PORT:
        host = (
            f"[{where.hostname}]" if ":" in (where.hostname or "") else where.hostname
        )
        return f"{where.scheme}://{host}:{_HTTP_PORT}"
    return address.rstrip("/")


def _headers(environ: Mapping[str, str]) -> dict[str, str]:
    """Read ``OTEL_EXPORTER_OTLP_HEADERS``, as exporters do."""
    found = {}
    for pair in environ.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(","):
        name, equals, value = pair.partition("=")
        if equals and name.strip():
            found[unquote(name.strip()).lower()] = unquote(value.strip())
    return found


def _connect(endpoint: str) -> http.client.HTTPConnection:
    where = urlsplit(endpoint)
    host = where.hostname or "localhost"
    if where.scheme != "https":
        return http.client.HTTPConnection(host, where.port, timeout=_TIMEOUT_S)
    trusted = os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or None
    return http.client.HTTPSConnection(
        host,
        where.port,
        timeout=_TIMEOUT_S,
        context=ssl.create_default_context(cafile=trusted),
    )
