"""What model calls have used, as soon as one of Claude Code's feeds tells of it."""

from __future__ import annotations

import os
import re
import stat
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from fleetspan_collector._claude_inputs import ClaudeHook, TranscriptLines
from fleetspan_collector._signals import Signal, Submission
from fleetspan_routing.control.meter import SessionKey, Usage

_EVENTS_SCOPE: Final = "com.anthropic.claude_code.events"
_TOKENS: Final = (
    *("input_tokens", "cache_read_tokens", "cache_creation_tokens", "output_tokens"),
)
_MOST_FILES: Final = 5_000
_MOST_BYTES_AT_ONCE: Final = 1 << 20
"""An answer waits for it; what is left of a long transcript is read with the next one."""

_MOST_CALLS: Final = 64
_ID: Final = re.compile(rb'"id":\s*"([\w-]{1,200})"')
_MOST_MISSED: Final = 3


Price = Callable[[str, Mapping[str, int]], float | None]
"""US dollars of a call: its model, and its tokens as the provider counts them."""


def usages(submission: Submission, price: Price) -> Iterator[tuple[SessionKey, Usage]]:
    """Yield the model calls that a request tells of."""
    match submission.signal:
        case Signal.LOGS if _EVENTS_SCOPE.encode() in submission.payload:
            yield from _of_logs(submission)
        case Signal.TRANSCRIPT_LINES if b'"usage"' in submission.payload:
            kept = TranscriptLines.FromString(submission.payload)
            for line in kept.lines.splitlines():
                found = usage_of_line(line, kept.session_id, kept.agent_id, price)
                if found is not None:
                    session_id, usage = found
                    yield (submission.tenant, session_id), usage


def hook_of(submission: Submission) -> Mapping[str, Any] | None:
    """Return the hook of a request; ``None`` when it is none, or no JSON object."""
    if submission.signal is not Signal.CLAUDE_HOOKS:
        return None
    try:
        document = orjson.loads(ClaudeHook.FromString(submission.payload).body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _of_logs(submission: Submission) -> Iterator[tuple[SessionKey, Usage]]:
    request = ExportLogsServiceRequest.FromString(submission.payload)
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            if scope.scope.name != _EVENTS_SCOPE:
                continue
            for record in scope.log_records:
                said = {pair.key: _text(pair.value) for pair in record.attributes}
                if said.get("event.name") != "api_request":
                    continue
                session, call = said.get("session.id"), said.get("request_id")
                if session and call:
                    yield (
                        (submission.tenant, session),
                        Usage(
                            call_id=call,
                            agent_id=said.get("agent_id", ""),
                            tokens=sum(_whole(said.get(name)) for name in _TOKENS),
                            usd=_number(said.get("cost_usd")),
                        ),
                    )


def usage_of_line(
    line: bytes, session_id: str, agent_id: str, price: Price
) -> tuple[str, Usage] | None:
    """Return the model call that a line of a transcript tells of, and its session."""
    if b'"usage"' not in line:
        return None
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    message = body.get("message") if isinstance(body, dict) else None
    used = message.get("usage") if isinstance(message, dict) else None
    call_id = body.get("requestId") if isinstance(body, dict) else None
    if not isinstance(message, dict) or not isinstance(used, dict):
        return None
    call_id = call_id or message.get("id")
    if not isinstance(call_id, str) or not call_id:
        return None
    tokens = {
        key: value
        for key, value in used.items()
        if key.endswith("_tokens") and isinstance(value, int)
    }
    lifetimes = used.get("cache_creation")
    if isinstance(lifetimes, dict):
        hour = lifetimes.get("ephemeral_1h_input_tokens")
        if isinstance(hour, int):
            tokens["ephemeral_1h_input_tokens"] = hour
    model = message.get("model")
    whole = sum(v for k, v in tokens.items() if not k.startswith("ephemeral"))
    usage = Usage(
        call_id=call_id,
        agent_id=str(body.get("agentId") or agent_id),
        tokens=whole,
        usd=price(model, tokens) if isinstance(model, str) else None,
    )
    return str(body.get("sessionId") or session_id), usage


@dataclass(slots=True)
class _Reading:
    offset: int = 0
    inode: int = 0
    rest: bytes = b""
    missed: int = 0
    calls: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_CALLS))
    """Ids of the calls of tools that were read of last."""


class LocalTranscripts:
    """Reads the transcripts that hooks name, where they lie on this machine.

    They know of a call before telemetry does, which is sent every few seconds. Only
    numbers are taken from them. Only what is new is read, and never much at once.

    Args:
        price: What calls cost.
    """

    def __init__(self, price: Price) -> None:
        self._price = price
        self._readings: OrderedDict[str, _Reading] = OrderedDict()

    def news(self, hook: Mapping[str, Any]) -> Iterator[tuple[str, Usage]]:
        """Yield what has been written since, of the session and its agents."""
        path, session = hook.get("transcript_path"), hook.get("session_id")
        if not isinstance(path, str) or not isinstance(session, str) or not session:
            return
        folder, name = os.path.split(path)
        if name != f"{session}.jsonl" or not os.path.isabs(path):
            return
        yield from self._read(path, session, "")
        agents = os.path.join(folder, session, "subagents")
        try:
            names = os.listdir(agents)
        except OSError:
            return
        for each in names:
            if each.startswith("agent-") and each.endswith(".jsonl"):
                agent = each.removeprefix("agent-").removesuffix(".jsonl")
                yield from self._read(os.path.join(agents, each), session, agent)

    def may_tell_soon(self, hook: Mapping[str, Any]) -> bool:
        """Return whether the model call that wants a tool is still to be read of.

        The client writes its transcripts a moment late. Whoever has waited in vain says
        so by `waited_in_vain`; after some times nobody is made to wait any more.

        Args:
            hook: Any; only one of a tool that is about to be called has such a call.
        """
        path, call = self._own(hook), hook.get("tool_use_id")
        if hook.get("hook_event_name") != "PreToolUse" or not path or not call:
            return False
        at = self._readings.get(path)
        if at is not None and (at.missed >= _MOST_MISSED or call in at.calls):
            return False
        # A folder that is not there is not this machine's.
        return os.path.isdir(os.path.dirname(str(hook["transcript_path"])))

    def waited_in_vain(self, hook: Mapping[str, Any]) -> None:
        """Take note that `may_tell_soon` did not come true."""
        self._reading(self._own(hook)).missed += 1

    @staticmethod
    def _own(hook: Mapping[str, Any]) -> str:
        """The transcript of the agent that a hook is of; ``""`` when it names none."""
        path, agent = hook.get("transcript_path"), hook.get("agent_id")
        if not isinstance(path, str) or not os.path.isabs(path):
            return ""
        if not isinstance(agent, str) or not agent:
            return path
        session = path.removesuffix(".jsonl")
        return os.path.join(session, "subagents", f"agent-{agent}.jsonl")

    def _reading(self, path: str) -> _Reading:
        at = self._readings.setdefault(path, _Reading())
        self._readings.move_to_end(path)
        if len(self._readings) > _MOST_FILES:
            self._readings.popitem(last=False)
        return at

    def _read(self, path: str, session: str, agent: str) -> Iterator[tuple[str, Usage]]:
        at = self._reading(path)
        try:
            facts = os.stat(path)
            if not stat.S_ISREG(facts.st_mode):
                return
            if facts.st_ino != at.inode or facts.st_size < at.offset:
                at.offset, at.inode, at.rest = 0, facts.st_ino, b""
            if facts.st_size == at.offset:
                return
            with open(path, "rb", opener=_no_waiting) as file:
                file.seek(at.offset)
                chunk = file.read(_MOST_BYTES_AT_ONCE)
        except OSError:
            return
        at.offset += len(chunk)
        *lines, at.rest = (at.rest + chunk).split(b"\n")
        for line in lines:
            if b'"tool_use"' in line:
                at.calls.extend(each.decode() for each in _ID.findall(line))
            found = usage_of_line(line, session, agent, self._price)
            if found is not None and found[0] == session:
                yield found


def _no_waiting(path: str, flags: int) -> int:
    # Not through links, and nothing that blocks.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _text(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return str(value.double_value)
    return ""


def _whole(text: str | None) -> int:
    return int(_number(text) or 0)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
