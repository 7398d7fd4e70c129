"""A proxy between a collector and its server that cuts, changes and refuses."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
from dataclasses import dataclass, field
from typing import Self

_INSERT = re.compile(rb"INSERT(?:\+|%20| )INTO")


@dataclass
class Fault:
    """What goes wrong.

    Attributes:
        before: So many inserts are cut before the server has seen them.
        after: So many inserts are cut once the server has done them, instead of its answer.
        replaced: Bytes of answers, and what stands there instead, of the same length.
    """

    before: int = 0
    after: int = 0
    replaced: tuple[bytes, bytes] = (b"", b"")
    done: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, kind: str) -> bool:
        """Tell whether it is this one's turn."""
        with self.lock:
            left: int = getattr(self, kind)
            if left:
                setattr(self, kind, left - 1)
                self.done.append(kind)
            return left > 0


class FaultyProxy:
    """Listens on a port of its own and passes everything on, but for a fault.

    Args:
        server: Host and port of the server.
        fault: What goes wrong.
    """

    def __init__(self, server: str, fault: Fault) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self.fault = fault
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    proxy.serve(self.request)

        self._listener = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._listener.daemon_threads = True
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,)
        )

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._listener.server_address[1]}"

    def serve(self, client: socket.socket) -> None:
        """Pass one connection on."""
        with socket.create_connection(self._server, 60) as server:
            doomed = threading.Event()
            back = threading.Thread(
                target=self._back, args=(server, client, doomed), daemon=True
            )
            back.start()
            while data := client.recv(1 << 16):
                if _INSERT.search(data):
                    if self.fault.takes("before"):
                        _cut(client, server)
                        return
                    if self.fault.takes("after"):
                        doomed.set()
                server.sendall(data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join(60)

    def _back(
        self, server: socket.socket, client: socket.socket, doomed: threading.Event
    ) -> None:
        old, new = self.fault.replaced
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if doomed.is_set():
                    _cut(client, server)
                    return
                client.sendall(data.replace(old, new) if old else data)
            client.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def _cut(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
