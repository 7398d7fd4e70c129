"""Who holds a port, and the answer to a user whose port is taken."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.config._addresses import Endpoint

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"


def check_free(name: str, endpoint: Endpoint) -> None:
    """Try to listen on an endpoint, and let go of it at once.

    Args:
        name: The setting it comes from, such as ``grpc``.
        endpoint: Where to listen; port 0 is always free.

    Raises:
        UnreachableError: When the port is taken or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(
            endpoint.host,
            endpoint.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a port whose last connections linger in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise port_in_use(name, endpoint, error) from error


def port_in_use(name: str, endpoint: Endpoint, error: OSError) -> UnreachableError:
    """Translate a failed bind into an answer that names the port and who holds it."""
    elsewhere = f"fleetspan up --{name} {Endpoint(endpoint.host, 0)} (a free port)"
    if error.errno == errno.EADDRINUSE:
        holder = _holder(endpoint.port)
        return UnreachableError(
            f"port {endpoint.port} is in use",
            because=f"{holder or 'another process'} listens on it already, and --{name} is "
            f"{endpoint}",
            suggestion=elsewhere,
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        elsewhere = f"fleetspan up --{name} with a port from 1024 to 65535"
    return UnreachableError(
        f"cannot listen on {endpoint}",
        because=error.strerror or str(error),
        suggestion=elsewhere,
    )


def _holder(port: int) -> str | None:
    """Return who listens on a port, as ``process 12 (python -m …)``; Linux only."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in _PROC.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if not any(_target(each) in wanted for each in (process / "fd").iterdir()):
                continue
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            # Gone meanwhile, or somebody else's: only its owner and root may look.
            continue
        words = command.decode("utf-8", "replace").strip()
        return f"process {process.name} ({words[:80]})"
    return None


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        # Closed since the directory was read.
        return ""


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            local_port = int(columns[1].rpartition(":")[2], 16)
            if local_port == port and columns[3] == _LISTENING:
                yield columns[9]
