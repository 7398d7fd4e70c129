"""A server that keeps the store of a collector under test.

It is a second collector whose ClickHouse interface the first one uses as its server. With
``FLEETSPAN_TEST_STORE=server`` every collector of the tests has one, beside its data
directory.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetspan_collector.access import Scope
from fleetspan_collector.access.keys import KeyFile

_KINDS = ("embedded", "server")
STORE = os.environ.get("FLEETSPAN_TEST_STORE", "embedded")
"""What keeps the store of collectors under test."""
embedded_only = pytest.mark.skipif(
    STORE != "embedded", reason="it opens the embedded store by itself"
)


class ServerStore:
    """A running server with an empty store.

    Args:
        folder: Where it keeps what it holds.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._data.mkdir(parents=True, exist_ok=True)
        self._log = folder / "server.log"
        keys = KeyFile(self._data / "keys.json")
        _, self._key = keys.add(tenant=None, scopes=tuple(Scope))
        self._address = "127.0.0.1:0"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        """Host and port of its ClickHouse interface, the same after each start."""
        return self._address

    @property
    def url(self) -> str:
        """What a collector is given as its store."""
        return self.url_at(self._address)

    def url_at(self, address: str, password: str | None = None) -> str:
        """Return the same by another address, or with another password."""
        return f"clickhouse://default:{password or self._key}@{address}/otel"

    def start(self) -> None:
        """Start it, with what it held before."""
        # The database of its own tables is another one than that of its client.
        store = f"chdb://{self._data}/store?database=own"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fleetspan_collector", "up", "--json"),
                    *(f"--data={self._data}", f"--store={store}"),
                    *("--grpc=off", "--http=off", "--web=off", "--jaeger=off"),
                    f"--clickhouse={self._address}",
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                env={
                    name: value
                    for name, value in os.environ.items()
                    if not name.startswith(("FLEETSPAN_", "OTEL_"))
                },
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == b"}\n":
                break
        else:
            raise AssertionError(f"the server ended: {self._log.read_text()}")
        endpoints = json.loads((self._data / "endpoints.json").read_text())
        self._address = endpoints["clickhouse"]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; what it has acknowledged is there at its next start."""
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None


_servers: dict[Path, ServerStore] = {}


def variables_of(data: Path) -> dict[str, str]:
    """Return the environment of a collector on a data directory, for the store it is to use."""
    if STORE not in _KINDS:
        raise ValueError(f"FLEETSPAN_TEST_STORE={STORE!r}: expected one of {_KINDS}")
    if STORE == "embedded":
        return {}
    server = _servers.get(data)
    if server is None:
        server = _servers[data] = ServerStore(data.with_name(f"{data.name}.server"))
    return {"FLEETSPAN_STORE": server.url}


def close_below(folder: Path | None = None) -> None:
    """End the servers of data directories in a folder; of all without one."""
    for data in list(_servers):
        if folder is None or data.is_relative_to(folder):
            _servers.pop(data).stop(signal.SIGKILL)


atexit.register(close_below)
