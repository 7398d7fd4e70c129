"""Where a gRPC server of ours listens, and why it cannot."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Final

from ._errors import UnreachableError
from .access.tls import Tls

OPTIONS: Final[Sequence[tuple[str, int]]] = (
    # Two collectors must never share a port and split what arrives.
    ("grpc.so_reuseport", 0),
    # Keep-alive pings of quiet clients are no reason to hang up on them.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)
"""What every gRPC server of ours is made with."""


def listen(
    server: Any, host: str, port: int, tls: Tls | None, *, purpose: str, flag: str
) -> int:
    """Let a server listen.

    Args:
        server: One of `grpc.aio`, not started yet.
        host: The address or name to listen on.
        port: The port; 0 takes a free one.
        tls: Encrypts it; ``None`` for plain text.
        purpose: What it is for, as an error calls it.
        flag: The option of ``fleetspan up`` that moves it.

    Returns:
        The port in use.

    Raises:
        UnreachableError: When the address cannot be listened on.
    """
    # gRPC would print its own complaint to stderr, and keep the reason to itself.
    because = _why_not(host, port) if port else ""
    if not because:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            used: int = (
                server.add_insecure_port(where)
                if tls is None
                else server.add_secure_port(where, tls.grpc_credentials())
            )
        except RuntimeError as error:
            because = str(error)
        else:
            return used
    raise UnreachableError(
        f"cannot listen on {host}:{port} for {purpose}",
        because=because,
        suggestion=f"fleetspan up {flag} {host}:0",
    )


def _why_not(host: str, port: int) -> str:
    """Say why an address cannot be listened on; ``""`` when it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""
