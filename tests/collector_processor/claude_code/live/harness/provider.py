"""A fake of the model provider, for driving a real client of Claude Code offline.

Every answer is chosen by the marker in the conversation and how many answers it has had.
Every number in an answer names its request, and every request is written down: that is
the truth that tests compare with.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from tests.collector_processor.claude_code.live.harness.plans import (
    LAST_AGENT,
    LAST_FILE,
    Block,
    Plan,
    plans,
    says,
    text,
)

KEPT_HEADERS: Final = (
    "user-agent",
    "traceparent",
    "x-claude-code-session-id",
    "x-claude-code-agent-id",
    "x-claude-code-parent-agent-id",
    "x-stainless-retry-count",
)
_MARKER: Final = re.compile(r"SCRIPT-[A-Z]+")
_AGENT: Final = re.compile(r"agentId: ([0-9a-z]+)")
_FILE: Final = re.compile(r"Read (/[^\]\"\\;]+\.txt)")
_ERRORS: Final = {400: "invalid_request_error", 529: "overloaded_error"}
_PAUSE_S: Final = 0.05
"""Between the parts of a streamed answer, so that agents interleave as they do."""

_EMPTY: Final[Mapping[str, Mapping[str, str]]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
}


class Provider:
    """The provider on a free port of the loopback, for as long as the context lasts.

    Args:
        project: Folder of the project that the client works in.
        truth: File that each request is written to, one JSON document a line.
    """

    def __init__(self, project: Path, truth: Path) -> None:
        self._plans = plans(str(project))
        self._truth = truth
        self._lock = threading.Lock()
        self._number = 0
        self._refused: set[tuple[str, int]] = set()
        handler = type("_Handler", (_Handler,), {"provider": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def answers(self) -> int:
        """How many requests have been answered with a message."""
        if not self._truth.exists():
            return 0
        return self._truth.read_text("utf-8").count('"usage"')

    def note(self, record: dict[str, Any]) -> None:
        """Write one request down."""
        with self._lock, self._truth.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record | {"t": time.time()}) + "\n")

    def choose(self, request: dict[str, Any]) -> tuple[int, dict[str, Any], Plan]:
        """Return the number of a request, what is known of it, and its one step."""
        marker, at = _marker(request)
        tools = request.get("tools") or []
        with self._lock:
            self._number += 1
            number = self._number
        kind, step = "scripted", says(text("Nothing more."))
        if _asks_for_summary(request):
            summary = "<summary>Compacted: main ran helpers.</summary>"
            kind, step = "compact", says(text(f"<analysis>a</analysis>\n{summary}"))
        elif not tools:
            kind, step = "aux", says(text("ok"))
        elif marker is None:
            kind, step = "unscripted", says(text("Nothing scripted."))
        elif at < len(self._plans[marker]):
            step = self._plans[marker][at]
        if step.refusal and (not step.once or self._is_first(marker or "", at)):
            kind = str(step.refusal)
        record = {
            "seq": number,
            "model": request.get("model"),
            "stream": bool(request.get("stream")),
            "marker": marker,
            "step": at,
            "n_messages": len(request.get("messages", [])),
            "n_tools": len(tools),
            "reply": kind,
        }
        return number, record, [step]

    def _is_first(self, marker: str, at: int) -> bool:
        with self._lock:
            before = (marker, at) in self._refused
            self._refused.add((marker, at))
        return not before

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(
        block.get("text", "")
        for block in content or []
        if isinstance(block, dict) and block.get("type") == "text"
    )


def _marker(request: dict[str, Any]) -> tuple[str | None, int]:
    """Return the last marker a user wrote, and how many answers came after it."""
    messages = request.get("messages", [])
    marker, place = None, -1
    for index, message in enumerate(messages):
        if message.get("role") == "user":
            found = _MARKER.findall(_text_of(message))
            if found:
                marker, place = found[-1], index
    if marker is None:
        return None, 0
    after = messages[place + 1 :]
    return marker, sum(message.get("role") == "assistant" for message in after)


def _asks_for_summary(request: dict[str, Any]) -> bool:
    messages = request.get("messages") or [{}]
    words = _text_of(messages[-1])
    return "summary of the conversation" in words or "detailed summary" in words


def usage_of(number: int) -> dict[str, Any]:
    """Return the usage of an answer: unique, and every number names its request."""
    return {
        "input_tokens": 10 + number,
        "cache_creation_input_tokens": 1000 + number,
        "cache_read_input_tokens": 20000 + number,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 600,
            "ephemeral_1h_input_tokens": 400 + number,
        },
        "output_tokens": 100 + number,
        "service_tier": "standard",
    }


def _filled(blocks: Sequence[Block], request: str) -> list[Block]:
    """Return blocks with the agent or file that the request names last, where meant."""
    named = {LAST_AGENT: _AGENT.findall(request), LAST_FILE: _FILE.findall(request)}
    return [
        block | {"input": _with_named(block["input"], named)}
        if "input" in block
        else block
        for block in map(dict, blocks)
    ]


def _with_named(
    arguments: Mapping[str, Any], named: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    return {key: (named.get(value) or [value])[-1] for key, value in arguments.items()}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: ClassVar[Provider]

    def log_message(self, *arguments: object) -> None:
        """Be silent."""

    def do_HEAD(self) -> None:
        """Say that the provider is there."""
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Know nothing else."""
        self.provider.note({"path": self.path, "method": "GET"})
        self._refuse(404, "not_found_error")

    def do_POST(self) -> None:
        """Answer a request for a message."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.split("?")[0]
        if path == "/v1/messages/count_tokens":
            self.provider.note({"path": path, "method": "POST"})
            self._send(200, {"input_tokens": 1234})
            return
        if path != "/v1/messages":
            self.provider.note({"path": path, "method": "POST"})
            self._refuse(404, "not_found_error")
            return
        request = json.loads(body)
        number, record, (step,) = self.provider.choose(request)
        record["path"] = path
        record["headers"] = {
            key.lower(): value
            for key, value in self.headers.items()
            if key.lower() in KEPT_HEADERS
        }
        request_id = f"req_fake_{number:04d}"
        if record["reply"].isdigit():
            self.provider.note(record)
            status = int(record["reply"])
            self._refuse(status, _ERRORS[status], request_id)
            return
        blocks = _filled(step.blocks, body.decode())
        for index, block in enumerate(blocks):
            if block["type"] == "tool_use":
                block["id"] = f"toolu_fake_{number:04d}_{index}"
        message = {
            "id": f"msg_fake_{number:04d}",
            "type": "message",
            "role": "assistant",
            "model": request.get("model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }
        record |= {
            "message_id": message["id"],
            "request_id": request_id,
            "usage": usage_of(number),
            "blocks": [
                {key: block[key] for key in ("type", "name", "id") if key in block}
                for block in blocks
            ],
        }
        # Before the answer: whoever knows of it can look it up.
        self.provider.note(record)
        self._answer(message, blocks, record, stream=bool(request.get("stream")))

    def _answer(
        self,
        message: dict[str, Any],
        blocks: list[Block],
        record: dict[str, Any],
        *,
        stream: bool,
    ) -> None:
        usage = record["usage"]
        has_call = any(block["type"] == "tool_use" for block in blocks)
        stop = "tool_use" if has_call else "end_turn"
        if not stream:
            whole = {"content": blocks, "stop_reason": stop, "usage": usage}
            self._send(200, message | whole, record["request_id"])
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.send_header("request-id", record["request_id"])
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        started = message | {"usage": usage | {"output_tokens": 1}}
        self._event("message_start", {"message": started})
        for index, block in enumerate(blocks):
            time.sleep(_PAUSE_S)
            self._block(index, block)
        time.sleep(_PAUSE_S)
        ended = {"stop_reason": stop, "stop_sequence": None}
        self._event("message_delta", {"delta": ended, "usage": usage})
        self._event("message_stop", {})
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _block(self, index: int, block: Block) -> None:
        kind = block["type"]
        if kind == "tool_use":
            empty = {"id": block["id"], "name": block["name"], "input": {}}
            arguments = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": arguments}]
        else:
            empty = dict(_EMPTY[kind])
            deltas = [{"type": f"{key}_delta", key: block[key]} for key in empty]
        start = {"index": index, "content_block": {"type": kind} | empty}
        self._event("content_block_start", start)
        for delta in deltas:
            self._event("content_block_delta", {"index": index, "delta": delta})
        self._event("content_block_stop", {"index": index})

    def _event(self, name: str, fields: dict[str, Any]) -> None:
        data = json.dumps({"type": name} | fields)
        event = f"event: {name}\ndata: {data}\n\n".encode()
        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        self.wfile.flush()

    def _refuse(self, status: int, kind: str, request_id: str = "") -> None:
        error = {"type": kind, "message": f"fake {status}"}
        self._send(status, {"type": "error", "error": error}, request_id)

    def _send(
        self, status: int, document: dict[str, Any], request_id: str = ""
    ) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if request_id:
            self.send_header("request-id", request_id)
        if status == 529:
            self.send_header("retry-after", "1")
            self.send_header("x-should-retry", "true")
        self.end_headers()
        self.wfile.write(body)
