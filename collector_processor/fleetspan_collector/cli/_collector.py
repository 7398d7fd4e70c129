"""What the commands that run a collector need of it."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from typing import Final, Protocol

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.config import (
    Endpoints,
    Settings,
    check_free,
    remove_endpoints,
    write_endpoints,
)
from fleetspan_collector.journal.lock import DataLock

_GIB: Final = 1 << 30


class Collector(Protocol):
    """A collector that owns a data directory from ``start`` to ``stop``."""

    async def start(self) -> Endpoints:
        """Take the directory, recover, listen, and say where.

        Raises:
            CollectorError: When it cannot; nothing is left open.
        """
        ...

    async def stop(self) -> None:
        """Refuse what is new, store what is journaled, let go of everything."""
        ...


def make_collector(settings: Settings) -> Collector:
    """Make the collector of this installation."""
    # Here, because it brings the engine with it, which most commands do not need.
    from fleetspan_collector.collector import Collector as RealCollector

    collector: Collector = RealCollector(settings)
    return collector


def check_start(settings: Settings) -> None:
    """Find out what would stop a collector, before anything is opened.

    Raises:
        UnreachableError: When the data directory is owned or a port is taken.
        CollectorError: When the disk has less free space than the floor.
    """
    DataLock(settings.data).close()
    for name, endpoint in settings.endpoints.items():
        if endpoint is not None:
            check_free(name, endpoint)
    _check_floor(settings)


def _check_floor(settings: Settings) -> None:
    """A collector that could only refuse is not started; one that runs, refuses."""
    free, floor = shutil.disk_usage(settings.data).free, settings.free_disk_floor_bytes
    if free < floor:
        raise CollectorError(
            "the disk is too full to accept anything",
            because=f"{settings.data} has {free / _GIB:.2f} GiB free, and"
            f" free_disk_floor_bytes is {floor / _GIB:.2f} GiB",
            suggestion="free some space, or"
            f" fleetspan up --set free_disk_floor_bytes={max(free // 2, 0)}",
        )


async def serve(
    settings: Settings,
    *,
    ready: Callable[[Endpoints], None],
    make: Callable[[Settings], Collector] = make_collector,
) -> signal.Signals:
    """Run a collector until SIGINT or SIGTERM, then stop it in order.

    A second signal ends the process at once; the journal has what was acknowledged.

    Args:
        settings: The collector's settings.
        ready: Called with what it listens on, once it does.
        make: Makes the collector.

    Returns:
        The signal that ended it.

    Raises:
        CollectorError: When it cannot start.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()

    def on_signal(received: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(received)
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
            # The kernel's own answer: it works however busy the loop is.
            signal.signal(each, signal.SIG_DFL)

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, on_signal, each)
    collector = make(settings)
    endpoints = await collector.start()
    try:
        write_endpoints(settings.data, endpoints)
        ready(endpoints)
        return await ended
    finally:
        # Before it stops listening, so that nobody is sent to a closed port.
        remove_endpoints(settings.data)
        await collector.stop()
