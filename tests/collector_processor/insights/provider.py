"""A provider of models on loopback that answers as it is told, and notes what it is asked."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Provider:
    """A server that answers every request in one way.

    Attributes:
        port: Where it listens.
        status: What it answers.
        body: The same.
        asked: The requests that came: path, headers, document.
    """

    port: int = 0
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    def url(self, path: str) -> str:
        """Return an address of it."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def providing() -> Generator[Provider]:
    """Have a provider at work within the block."""
    answering = Provider()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            document = json.loads(self.rfile.read(length))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answering.asked.append((self.path, headers, document))
            self.send_response(answering.status)
            for name, value in answering.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answering.body)))
            self.end_headers()
            self.wfile.write(answering.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answering.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield answering
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def openai_answer(text: str) -> bytes:
    """Return an answer as OpenAI gives it."""
    message = {"role": "assistant", "content": text}
    return json.dumps({"choices": [{"index": 0, "message": message}]}).encode()


def anthropic_answer(text: str) -> bytes:
    """Return an answer as Anthropic gives it."""
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]
    return json.dumps({"type": "message", "content": blocks}).encode()
