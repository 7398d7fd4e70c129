"""A provider on loopback that always has the same conversation, and an OTLP sink.

It speaks OpenAI's chat completions and responses and Anthropic's messages, streamed or
whole. What it answers follows from the request alone:

1. the lead agent asks for the tool whose name has "weather";
2. given its result, for the other tool it has, which asks the researcher;
3. the researcher answers (its instructions have the word "researcher" and no tools);
4. the lead agent answers.

Usage of the four answers is in `USAGE`, with input tokens that exclude cached ones;
each interface reports it in its own way.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

USAGE: Final = {
    "lead-1": {
        "input": 200,
        "read": 1000,
        "write_5m": 300,
        "write_1h": 100,
        "output": 40,
    },
    "lead-2": {"input": 120, "read": 1400, "write_5m": 0, "write_1h": 0, "output": 35},
    "researcher": {"input": 150, "read": 0, "write_5m": 0, "write_1h": 0, "output": 25},
    "lead-3": {
        "input": 90,
        "read": 1500,
        "write_5m": 0,
        "write_1h": 0,
        "output": 55,
        "reasoning": 20,
    },
}
"""Reasoning tokens are part of the output; OpenAI alone reports them, and no writes."""

OPENAI_MODEL: Final = "gpt-5-mini-2025-08-07"
ANTHROPIC_MODEL: Final = "claude-sonnet-4-5-20250929"
_threads: Final[dict[str, dict[str, Any]]] = {}
"""What has been said up to each message, for clients that send only what is new."""

_TEXTS: Final = {
    "researcher": "Lisbon has 2806 hours of sunshine a year.",
    "lead-3": "It is 18 degrees in Lisbon, which has 2806 hours of sunshine a year.",
}


class Provider:
    """Listens on a free port of loopback; keeps what is exported to it.

    Attributes:
        port: Where it listens.
        exported: Bodies of ``POST …/v1/traces``, in order.
    """

    def __init__(self) -> None:
        self.exported: list[bytes] = []
        self._number = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> bytes:
        """Return everything exported so far as one request, and forget it."""
        with self._lock:
            # Requests in a row are one request: all their fields repeat.
            whole = b"".join(self.exported)
            self.exported.clear()
            self._number = 0
        return whole

    def number(self) -> int:
        """Count answers; ids are made of it."""
        with self._lock:
            self._number += 1
            return self._number

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self._body()
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                path = self.path.split("?")[0]
                if path.endswith("/v1/traces"):
                    with provider._lock:
                        provider.exported.append(body)
                    self._answer(b"", "application/x-protobuf", {})
                elif path.endswith("/chat/completions"):
                    self._model(_chat, _chat_stream, body, "x-request-id")
                elif path.endswith("/responses"):
                    self._model(_responses, _responses_stream, body, "x-request-id")
                elif path.endswith("/messages"):
                    self._model(_messages, _messages_stream, body, "request-id")
                else:
                    self._answer(b"{}", "application/json", {})

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def do_GET(self) -> None:
                self._answer(b"{}", "application/json", {})

            def _model(self, whole: Any, stream: Any, body: bytes, header: str) -> None:
                request = json.loads(body)
                number = provider.number()
                headers = {header: f"req_{number:04d}"}
                answer = whole(request, number)
                if not request.get("stream"):
                    self._answer(
                        json.dumps(answer).encode(), "application/json", headers
                    )
                    return
                events = "".join(stream(answer, request))
                self._answer(events.encode(), "text/event-stream", headers)

            def _answer(self, body: bytes, media: str, headers: dict[str, str]) -> None:
                self.send_response(200)
                self.send_header("content-type", media)
                self.send_header("content-length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def _step(text: str, tools: list[str], results: int) -> tuple[str, str | None]:
    """Which answer is due, and the tool that it asks for."""
    if not tools and "researcher" in text:
        return "researcher", None
    weather = next(name for name in tools if "weather" in name)
    others = [name for name in tools if "weather" not in name]
    if results == 0:
        return "lead-1", weather
    if results == 1:
        return "lead-2", next((n for n in others if "research" in n), others[0])
    return "lead-3", None


def _arguments(tool: str, schema: Any) -> dict[str, str]:
    if "weather" in tool:
        return {"city": "Lisbon"}
    names = list((schema or {}).get("properties", {})) or ["task"]
    return {names[0]: "How sunny is Lisbon?"}


def _openai_usage(step: str) -> tuple[int, int, int, int]:
    usage = USAGE[step]
    written = usage["write_5m"] + usage["write_1h"]
    # OpenAI names no writes: what was written to the cache is input like any other.
    total = usage["input"] + usage["read"] + written
    return total, usage["read"], usage["output"], usage.get("reasoning", 0)


def _chat(request: dict[str, Any], number: int) -> dict[str, Any]:
    schemas = {
        each["function"]["name"]: each["function"].get("parameters")
        for each in request.get("tools") or []
    }
    messages = request["messages"]
    results = sum(each["role"] == "tool" for each in messages)
    step, tool = _step(json.dumps(messages), list(schemas), results)
    total, read, output, reasoning = _openai_usage(step)
    message: dict[str, Any] = {"role": "assistant", "content": _TEXTS.get(step)}
    if tool:
        arguments = json.dumps(_arguments(tool, schemas[tool]))
        function = {"name": tool, "arguments": arguments}
        call = {"id": f"call_{step}", "type": "function", "function": function}
        message["tool_calls"] = [call]
    reason = "tool_calls" if tool else "stop"
    return {
        "id": f"chatcmpl-{number:04d}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": OPENAI_MODEL,
        "service_tier": "default",
        "choices": [
            {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        ],
        "usage": {
            "prompt_tokens": total,
            "completion_tokens": output,
            "total_tokens": total + output,
            "prompt_tokens_details": {"cached_tokens": read, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def _chat_stream(answer: dict[str, Any], request: dict[str, Any]) -> Iterator[str]:
    base = {key: answer[key] for key in ("id", "created", "model", "service_tier")}
    base["object"] = "chat.completion.chunk"
    choice = answer["choices"][0]
    delta = dict(choice["message"])
    for place, call in enumerate(delta.get("tool_calls", [])):
        call["index"] = place
    first = {"index": 0, "delta": delta, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    for chunk in (first, last):
        yield f"data: {json.dumps({**base, 'choices': [chunk], 'usage': None})}\n\n"
    if (request.get("stream_options") or {}).get("include_usage"):
        done = {**base, "choices": [], "usage": answer["usage"]}
        yield f"data: {json.dumps(done)}\n\n"
    yield "data: [DONE]\n\n"


def _responses(request: dict[str, Any], number: int) -> dict[str, Any]:
    items = request["input"] if isinstance(request["input"], list) else []
    before = _threads.get(request.get("previous_response_id") or "")
    if before:
        request = {**before, **request, "input": [*before["input"], *items]}
    answer = _response(request, number)
    _threads[answer["id"]] = {
        **request,
        "input": [*(before["input"] if before else []), *items, *answer["output"]],
    }
    return answer


def _response(request: dict[str, Any], number: int) -> dict[str, Any]:
    schemas = {
        each["name"]: each.get("parameters")
        for each in request.get("tools") or []
        if each["type"] == "function"
    }
    given = request["input"]
    items = given if isinstance(given, list) else []
    results = sum(each.get("type") == "function_call_output" for each in items)
    text = json.dumps(given) + str(request.get("instructions"))
    step, tool = _step(text, list(schemas), results)
    total, read, output, reasoning = _openai_usage(step)
    item: dict[str, Any]
    if tool:
        item = {
            "type": "function_call",
            "id": f"fc_{number:04d}",
            "call_id": f"call_{step}",
            "name": tool,
            "arguments": json.dumps(_arguments(tool, schemas[tool])),
            "status": "completed",
        }
    else:
        part = {"type": "output_text", "text": _TEXTS[step], "annotations": []}
        item = {
            "type": "message",
            "id": f"msg_{number:04d}",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
    return {
        "id": f"resp_{number:04d}",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "model": OPENAI_MODEL,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
        "instructions": request.get("instructions"),
        "service_tier": "default",
        "error": None,
        "incomplete_details": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": {
            "input_tokens": total,
            "input_tokens_details": {"cached_tokens": read},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": total + output,
        },
    }


def _responses_stream(answer: dict[str, Any], _: dict[str, Any]) -> Iterator[str]:
    item = answer["output"][0]
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    place = {"output_index": 0, "item_id": item["id"]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
    ]
    if item["type"] == "function_call":
        done = {**place, "arguments": item["arguments"], "name": item["name"]}
        delta = {**place, "delta": item["arguments"]}
        events += [
            {"type": "response.function_call_arguments.delta", **delta},
            {"type": "response.function_call_arguments.done", **done},
        ]
    else:
        part = item["content"][0]
        where = {**place, "content_index": 0}
        events += [
            {"type": "response.content_part.added", **where, "part": part},
            {
                "type": "response.output_text.delta",
                **where,
                "delta": part["text"],
                "logprobs": [],
            },
        ]
    events += [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": answer},
    ]
    for number, event in enumerate(events):
        text = json.dumps({**event, "sequence_number": number})
        yield f"event: {event['type']}\ndata: {text}\n\n"


def _messages(request: dict[str, Any], number: int) -> dict[str, Any]:
    thread = request.get("thread") or {}
    if thread.get("type") == "continue":
        before = _threads[thread["previous_message_id"]]
        said = before["messages"] + request["messages"]
        request = {**before, **request, "messages": said}
    answer = _message(request, number)
    spoken = {"role": "assistant", "content": answer["content"]}
    _threads[answer["id"]] = {**request, "messages": [*request["messages"], spoken]}
    return answer


def _message(request: dict[str, Any], number: int) -> dict[str, Any]:
    schemas = {
        each["name"]: each.get("input_schema") for each in request.get("tools") or []
    }
    results = sum(
        part.get("type") == "tool_result"
        for message in request["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    )
    text = json.dumps(request["messages"]) + json.dumps(request.get("system"))
    step, tool = _step(text, list(schemas), results)
    usage = USAGE[step]
    part: dict[str, Any] = {"type": "text", "text": _TEXTS.get(step)}
    if tool:
        part = {
            "type": "tool_use",
            "id": f"toolu_{step}",
            "name": tool,
            "input": _arguments(tool, schemas[tool]),
        }
    return {
        "id": f"msg_{number:04d}",
        "type": "message",
        "role": "assistant",
        "model": ANTHROPIC_MODEL,
        "content": [part],
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage["input"],
            "cache_read_input_tokens": usage["read"],
            "cache_creation_input_tokens": usage["write_5m"] + usage["write_1h"],
            "cache_creation": {
                "ephemeral_5m_input_tokens": usage["write_5m"],
                "ephemeral_1h_input_tokens": usage["write_1h"],
            },
            "output_tokens": usage["output"],
            "service_tier": "standard",
        },
    }


def _messages_stream(answer: dict[str, Any], _: dict[str, Any]) -> Iterator[str]:
    part = answer["content"][0]
    begun = {**answer, "content": [], "stop_reason": None}
    begun["usage"] = {**answer["usage"], "output_tokens": 1}
    if part["type"] == "tool_use":
        empty = {**part, "input": {}}
        text = json.dumps(part["input"])
        delta = {"type": "input_json_delta", "partial_json": text}
    else:
        empty = {**part, "text": ""}
        delta = {"type": "text_delta", "text": part["text"]}
    end = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": end,
            "usage": {"output_tokens": answer["usage"]["output_tokens"]},
        },
        {"type": "message_stop"},
    ]
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
