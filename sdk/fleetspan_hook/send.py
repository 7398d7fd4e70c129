"""Sending: one HTTP request per delivery, and the older ones when the collector lives."""

from __future__ import annotations

import _socket
import os
import time

from fleetspan_hook.spool import Delivery, Spool, split_endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Final

KEY_VARIABLE: Final = "FLEETSPAN_KEY"
HOOKS_PATH: Final = "/v1/claude-code/hooks"
SENT: Final = "sent"
REFUSED: Final = "refused"
LATER: Final = "later"
BUSY: Final = "busy"
"""As `LATER`, where somebody listens and may have time in a moment."""

_CONNECT_S: Final = 1.0
_ANSWER_S: Final = 5.0
_HEAD_AT_MOST: Final = 16 * 1024
_BUSY_ANSWERS: Final = (429, 503)
_PAUSES_S: Final = (0.5, 2.0)
"""Before the second and the third attempt; nobody waits for this process."""

_NEVER_ACCEPTED: Final = (400, 413, 415, 422)
"""Answers to the content itself; anything else may be otherwise next time."""
_AT_ONCE_FILES: Final = 64
_AT_ONCE_S: Final = 2.0
_SETTLED_NS: Final = 5 * 10**9
"""Younger files are still with the process that wrote them."""


def send_and_catch_up(spool: Spool, delivery: Delivery, name: str | None) -> None:
    """Send one delivery; if that works, a bounded number of older ones too.

    Args:
        spool: Where it, and the older ones, are kept.
        delivery: What to send.
        name: Its name in the spool; ``None`` when it could not be kept.
    """
    outcome = send(spool.endpoint, delivery)
    for pause_s in _PAUSES_S:
        if outcome != BUSY:
            break
        time.sleep(pause_s)
        outcome = send(spool.endpoint, delivery)
    _settle(spool, name, outcome)
    if outcome in (LATER, BUSY):
        if name is None:
            spool.count_dropped()
        spool.bound(time.time_ns())
        return
    flush(
        spool,
        files_at_most=_AT_ONCE_FILES,
        within_s=_AT_ONCE_S,
        older_than_ns=_SETTLED_NS,
    )


def flush(
    spool: Spool,
    *,
    files_at_most: int | None = None,
    within_s: float | None = None,
    older_than_ns: int = 0,
) -> tuple[int, int]:
    """Send what waits, oldest first, until the collector does not take more.

    One process does this at a time; others leave it to that one.

    Args:
        spool: What waits, and for which endpoint.
        files_at_most: How many to try; ``None``: all.
        within_s: Seconds after which no further one is begun; ``None``: no limit.
        older_than_ns: Leave younger ones alone.

    Returns:
        How many were sent, and how many the collector refused for good.
    """
    import fcntl

    try:
        flags = os.O_RDWR | os.O_CREAT
        lock = os.open(f"{spool.folder}/.lock", flags, 0o600)
    except OSError:
        return 0, 0
    sent = refused = 0
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        deadline = None if within_s is None else time.monotonic() + within_s
        youngest = time.time_ns() - older_than_ns
        for name in spool.names()[:files_at_most]:
            if deadline is not None and time.monotonic() > deadline:
                break
            if older_than_ns and int(name.partition("-")[0]) > youngest:
                break
            delivery = spool.take(name)
            if delivery is None:
                continue
            outcome = send(spool.endpoint, delivery)
            if outcome in (LATER, BUSY):
                break
            _settle(spool, name, outcome)
            sent += outcome == SENT
            refused += outcome == REFUSED
    except BlockingIOError:
        return 0, 0
    finally:
        os.close(lock)
    return sent, refused


def send(endpoint: str, delivery: Delivery) -> str:
    """Send one delivery and wait for the answer.

    Returns:
        ``SENT``, ``REFUSED`` (no collector would take it), ``LATER`` or ``BUSY``.
    """
    scheme, host, port, _ = split_endpoint(endpoint)
    head = request_head(endpoint, HOOKS_PATH, delivery)
    try:
        connection = connect(scheme, host, port)
        try:
            connection.settimeout(_ANSWER_S)
            connection.sendall(head + delivery.body)
            status = read_status(connection)
        finally:
            connection.close()
    except ConnectionRefusedError:
        return LATER
    except (OSError, ValueError):
        return BUSY
    if 200 <= status < 300:
        return SENT
    if status in _NEVER_ACCEPTED:
        return REFUSED
    return BUSY if status in _BUSY_ANSWERS else LATER


def request_head(endpoint: str, path: str, delivery: Delivery) -> bytes:
    """Return all of a request but its body.

    Args:
        endpoint: Base address of the collector's OTLP/HTTP port.
        path: Where to below it.
        delivery: What is sent.
    """
    _, host, port, below = split_endpoint(endpoint)
    named = f"[{host}]" if ":" in host else host
    lines = [
        f"POST {below}{path} HTTP/1.1",
        f"Host: {named}:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(delivery.body)}",
        "Connection: close",
        f"x-fleetspan-delivery-id: {delivery.id}",
        f"x-fleetspan-event-time: {delivery.time_ns}",
    ]
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key.isascii() and key.isprintable() and key:
        lines.append(f"Authorization: Bearer {key}")
    if delivery.traceparent:
        lines.append(f"traceparent: {delivery.traceparent}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def connect(
    scheme: str, host: str, port: int, timeout_s: float = _CONNECT_S
) -> _socket.socket:
    """Connect straight to a port; proxies of the environment are not for telemetry."""
    if scheme == "https":
        return _connect_secure(host, port)
    # `socket` takes four times as long to import as everything else here, and so does the
    # codec that a host name needs unless it comes as bytes.
    named = host.encode("ascii") if host.isascii() else host
    problem: OSError | None = None
    for family, kind, protocol, _, address in _socket.getaddrinfo(
        named, port, 0, _socket.SOCK_STREAM
    ):
        connection = _socket.socket(family, kind, protocol)
        connection.settimeout(timeout_s)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            problem = error
        else:
            return connection
    raise problem or OSError(f"{host} has no address")


def _connect_secure(host: str, port: int) -> socket.socket:
    import socket
    import ssl

    plain = socket.create_connection((host, port), timeout=_ANSWER_S)
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def read_status(connection: _socket.socket) -> int:
    """Return the status of the answer.

    Raises:
        ValueError: When it is no HTTP.
    """
    answer = b""
    while b"\r\n" not in answer and len(answer) < _HEAD_AT_MOST:
        chunk = connection.recv(4096)
        if not chunk:
            break
        answer += chunk
    version, _, rest = answer.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("not HTTP")
    return int(rest[:3])


def _settle(spool: Spool, name: str | None, outcome: str) -> None:
    if name is None or outcome in (LATER, BUSY):
        return
    if outcome == SENT:
        spool.done(name)
    else:
        spool.refuse(name)
