"""A collector for as long as somebody runs a program under it.

Several ``fleetspan run`` may share a data directory. Each holds a shared lock while it
needs the collector; the last one to go stops it, if it was one of them that started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import IO, Final

from fleetspan_collector._errors import CollectorError, UnreachableError
from fleetspan_collector.cli._source import find_owner
from fleetspan_collector.config import Endpoints, Settings
from fleetspan_collector.demo.server import start

_LOCK: Final = "run.lock"
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.02


@contextlib.contextmanager
def collecting(settings: Settings, options: Sequence[str]) -> Iterator[Endpoints]:
    """Have a collector of the data directory within the block.

    Args:
        settings: Says which directory.
        options: The options from which the settings came, for a collector of our own.

    Raises:
        CollectorError: When there is none to be had.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    with (settings.data / _LOCK).open("a+") as lock:
        # Waits while another one stops its collector.
        fcntl.flock(lock, fcntl.LOCK_SH)
        endpoints = _usable(settings) or _start(settings, options, lock)
        try:
            yield endpoints
        finally:
            _leave(settings, lock)


def _usable(settings: Settings) -> Endpoints | None:
    """Return what the running collector listens on; None when there is none.

    Raises:
        UnreachableError: When it cannot take a program's telemetry.
    """
    owner = find_owner(settings)
    if owner is None:
        return None
    endpoints, pid = owner
    for name, address in (("http", endpoints.otlp_http), ("web", endpoints.web)):
        if address is None:
            raise UnreachableError(
                "the running collector cannot take this program's telemetry",
                because=f"process {pid} owns {settings.data} and its {name} port is off",
                suggestion=f"start it without --{name} off, or fleetspan run --data DIR",
            )
    return endpoints


def _start(settings: Settings, options: Sequence[str], lock: IO[str]) -> Endpoints:
    """Start a collector, or use the one that another process has started meanwhile."""
    try:
        process, endpoints = start(options)
    except CollectorError:
        deadline = time.monotonic() + _PATIENCE_S
        while _is_shared(lock) and time.monotonic() < deadline:
            if (found := _usable(settings)) is not None:
                return found
            time.sleep(_POLL_S)
        raise
    lock.seek(0)
    lock.truncate()
    lock.write(str(process.pid))
    lock.flush()
    return endpoints


def _is_shared(lock: IO[str]) -> bool:
    """Whether another process holds the lock, too."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # A failed change may have dropped what was held.
        fcntl.flock(lock, fcntl.LOCK_SH)
        return True
    fcntl.flock(lock, fcntl.LOCK_SH)
    return False


def _leave(settings: Settings, lock: IO[str]) -> None:
    """Stop the collector, if it is one of ours and nobody else needs it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    lock.seek(0)
    started = lock.read().strip()
    owner = find_owner(settings)
    if owner is None or started != str(owner[1]):
        return
    _stop(owner[1])
    lock.truncate(0)


def _stop(pid: int) -> None:
    """Stop a collector in order; it stores what it has acknowledged."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            # Ours, or a child of a run that has ended before.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            os.kill(pid, 0)
            time.sleep(_POLL_S)
