"""The collector of the demo: the one that runs already, or one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from fleetspan_collector._errors import CollectorError, UnreachableError
from fleetspan_collector.cli._source import find_owner
from fleetspan_collector.config import Endpoints, Settings

_ANY_PORT: Final = "127.0.0.1:0"
_START_S: Final = 60.0
_STOP_S: Final = 60.0
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """A collector at work.

    Attributes:
        endpoints: What it listens on; OTLP over HTTP and the web port are on.
        process: Its process when it is ours; ``None`` for one that ran before.
    """

    endpoints: Endpoints
    process: subprocess.Popen[bytes] | None

    def wait(self) -> None:
        """Wait while it runs.

        Raises:
            UnreachableError: When it has ended by itself.
        """
        if self.process is not None:
            code = self.process.wait()
            raise UnreachableError(
                "the collector has ended",
                because=f"its exit code is {code}",
                suggestion="fleetspan up, to see why",
            )


@contextmanager
def collecting(settings: Settings, options: Sequence[str]) -> Iterator[Collecting]:
    """Have a collector of the data directory within the block.

    Args:
        settings: Says which directory.
        options: The options from which the settings came, for a collector of our own.

    Raises:
        CollectorError: When there is none to be had.
    """
    owner = find_owner(settings)
    if owner is None:
        with _own_collector(options) as collector:
            yield collector
        return
    endpoints, pid = owner
    for name, address in (("http", endpoints.otlp_http), ("web", endpoints.web)):
        if address is None:
            raise UnreachableError(
                "the running collector cannot take the demo",
                because=f"process {pid} owns {settings.data} and its {name} port is off",
                suggestion=f"start it without --{name} off, or fleetspan demo --data DIR",
            )
    yield Collecting(endpoints=endpoints, process=None)


@contextmanager
def _own_collector(options: Sequence[str]) -> Iterator[Collecting]:
    process, endpoints = start(options)
    try:
        yield Collecting(endpoints=endpoints, process=process)
    finally:
        stop(process)


def start(options: Sequence[str]) -> tuple[subprocess.Popen[bytes], Endpoints]:
    """Start ``fleetspan up`` on free ports, and return once it listens.

    Args:
        options: The options that say which data directory, and more.

    Raises:
        CollectorError: When it does not start; it is not left behind.
    """
    command = [sys.executable, "-m", "fleetspan_collector", *options, "--json", "up"]
    for receiver in ("--grpc", "--http", "--web", "--clickhouse", "--jaeger"):
        command += [receiver, _ANY_PORT]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        running = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            # Ctrl-C is for this process, which then stops the collector in order.
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + _START_S
            while (endpoints := _announced(out)) is None:
                if running.poll() is not None or time.monotonic() >= deadline:
                    err.seek(0)
                    raise _failure(err.read())
                time.sleep(_POLL_S)
        except BaseException:
            stop(running)
            raise
        return running, endpoints


def stop(running: subprocess.Popen[bytes]) -> None:
    """Stop a collector in order; it stores what it has acknowledged."""
    running.terminate()
    try:
        running.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        # Its journal keeps what is not stored.
        running.kill()
        running.wait()


def _announced(out: IO[str]) -> Endpoints | None:
    out.seek(0)
    try:
        document = json.loads(out.read())
    except ValueError:
        return None
    names = Endpoints.__dataclass_fields__
    return Endpoints(**{name: document[name] for name in names})


def _failure(said: str) -> CollectorError:
    """Pass the collector's own three lines on."""
    lines = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line[:10])
    return UnreachableError(
        lines.get("error", "the collector did not start"),
        because=lines.get("because", said.strip()[-400:] or "it said nothing"),
        suggestion=lines.get("try", "fleetspan doctor"),
    )
