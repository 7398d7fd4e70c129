"""The hook as the client runs it, and a real HTTP server that it reports to."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import fleetspan_hook
from fleetspan_hook.spool import Spool, folder_name

SCRIPT: Final = Path(fleetspan_hook.__file__).with_name("run.py")
HOOK: Final = (sys.executable, "-I", "-S", str(SCRIPT))


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """An HTTP server that keeps what it is sent, and answers with a given status."""

    status: int = 200
    requests: list[Received] = field(default_factory=list)
    _server: http.server.ThreadingHTTPServer | None = None

    def __enter__(self, port: int = 0) -> Self:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {key.lower(): value for key, value in self.headers.items()}
                outer.requests.append(Received(self.path, headers, body))
                self.send_response(outer.status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *problem: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def listen_on(self, port: int) -> Self:
        """Start on a given port."""
        return self.__enter__(port)

    @property
    def endpoint(self) -> str:
        """Its address."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def ids(self) -> list[str]:
        """The delivery ids that came, in order."""
        return [each.headers["x-fleetspan-delivery-id"] for each in self.requests]


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_hook(
    spool: Path, endpoint: str, body: bytes, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the hook once, as the client does."""
    return subprocess.run(
        [*HOOK, "--endpoint", endpoint],
        input=body,
        capture_output=True,
        check=False,
        timeout=30,
        env={"PATH": os.environ["PATH"], "FLEETSPAN_SPOOL": str(spool)} | variables,
    )


def spool_at(root: Path, endpoint: str) -> Spool:
    """Return the spool of an endpoint below a root."""
    return Spool(str(root / folder_name(endpoint)), endpoint)


def assert_unnoticed(done: subprocess.CompletedProcess[bytes]) -> None:
    """The client saw nothing: exit code 0, no output."""
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
