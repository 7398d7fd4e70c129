"""Claude Code's hooks and transcripts over HTTP.

``POST /v1/claude-code/hooks``
    One hook, its JSON as the client sends it. The answer is ``{}``, once the hook is
    durable: it never tells the client what to do. What is wrong with a hook is counted
    and the hook kept; the client is not bothered with it.

``POST /v1/claude-code/transcripts``
    Consecutive whole lines of one file. The answer is ``{"lines": N}``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

import orjson

from .._claude_code import HOOK_EVENTS
from .._claude_inputs import ClaudeHook, TranscriptLines
from .._signals import Signal, Submission
from ._faults import Undecodable
from ._intake import Intake
from ._json_text import readable, shortened
from ._route import HttpAnswer, HttpRequest, Route

HOOKS_PATH: Final = "/v1/claude-code/hooks"
TRANSCRIPTS_PATH: Final = "/v1/claude-code/transcripts"

DELIVERY_ID_HEADERS: Final = (
    "x-fleetspan-delivery-id",
    "x-fleetspan-delivery",
    "x-delivery-id",
    "delivery-id",
    "idempotency-key",
    "x-request-id",
)
"""Where a sender may name a delivery, the first that is there counts."""

_JSON: Final = "application/json"
_LINES: Final = ("application/x-ndjson", "application/jsonl", _JSON)
_NOTHING: Final = b"{}"
_RECORD_ID_BYTES: Final = 16
_MAX_DELIVERY_ID: Final = 200
_BOM: Final = b"\xef\xbb\xbf"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = 946_684_800 * 10**9  # 2000, in Unix nanoseconds
_LATEST: Final = 7_258_118_400 * 10**9  # 2200; the store's times end in 2262


def routes(intake: Intake) -> dict[str, Route]:
    """Return what answers at Claude Code's paths."""
    receiver = _Receiver(intake)
    return {
        HOOKS_PATH: Route(
            handler=receiver.hook, content_types=(_JSON,), label=Signal.CLAUDE_HOOKS
        ),
        TRANSCRIPTS_PATH: Route(
            handler=receiver.lines,
            content_types=_LINES,
            label=Signal.TRANSCRIPT_LINES,
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hook:
    """A hook on its way into the journal.

    Attributes:
        payload: The journal's form of it.
        event: Its event when that is known, else ``unknown`` or ``unreadable``.
        problems: What is wrong with it, as labels of a counter.
        rewritten: Whether characters had to be replaced.
    """

    payload: bytes
    event: str
    problems: tuple[str, ...]
    rewritten: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """Lines on their way into the journal.

    Attributes:
        payload: The journal's form of them.
        count: How many there are, without blank ones.
        unreadable: How many of them are no JSON object, going by their ends.
        rewritten: Whether characters had to be replaced.
        record_id: The name of the same lines, should they come again.
    """

    payload: bytes
    count: int
    unreadable: int
    rewritten: bool
    record_id: bytes


class _Receiver:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def hook(self, request: HttpRequest) -> HttpAnswer:
        """Answer once one hook is durable, never with a decision."""
        began_s = time.perf_counter()
        headers, body = request.headers, request.body
        delivery_id = _delivery_id(headers)
        limit_bytes = self._intake.settings.value_limit_bytes
        hook = await self._intake.prepare(
            len(body), lambda: _read_hook(body, headers, delivery_id, limit_bytes)
        )
        await self._accept(
            request,
            Submission(
                signal=Signal.CLAUDE_HOOKS,
                tenant=request.tenant,
                payload=hook.payload,
                rows=1,
                # Without an id every arrival is a hook: genuine ones repeat.
                record_id=_name("delivery", delivery_id) if delivery_id else None,
            ),
            rewritten=hook.rewritten,
        )
        metrics = self._intake.metrics
        metrics.claude_hooks.labels(hook.event).inc()
        for problem in hook.problems:
            metrics.claude_problems.labels(Signal.CLAUDE_HOOKS, problem).inc()
        metrics.claude_hook_seconds.observe(time.perf_counter() - began_s)
        return HttpAnswer(status=200, content_type=_JSON, body=_NOTHING)

    async def lines(self, request: HttpRequest) -> HttpAnswer:
        """Answer once the lines are durable.

        Raises:
            Undecodable: When it is not said which lines of which file they are.
        """
        file = _File.of(request.headers)
        body, limit_bytes = request.body, self._intake.settings.value_limit_bytes
        lines = await self._intake.prepare(
            len(body), lambda: _read_lines(body, file, limit_bytes)
        )
        if lines.count:
            await self._accept(
                request,
                Submission(
                    signal=Signal.TRANSCRIPT_LINES,
                    tenant=request.tenant,
                    payload=lines.payload,
                    rows=lines.count,
                    record_id=lines.record_id,
                ),
                rewritten=lines.rewritten,
            )
        if lines.unreadable:
            problem = self._intake.metrics.claude_problems.labels(
                Signal.TRANSCRIPT_LINES, "no_object"
            )
            problem.inc(lines.unreadable)
        answer = orjson.dumps({"lines": lines.count})
        return HttpAnswer(status=200, content_type=_JSON, body=answer)

    async def _accept(
        self, request: HttpRequest, submission: Submission, *, rewritten: bool
    ) -> None:
        request.reservation.resize(len(submission.payload))
        await self._intake.accept(submission)
        metrics, signal = self._intake.metrics, submission.signal
        metrics.requests.labels(signal, "http/json").inc()
        metrics.items.labels(signal, "http/json").inc(submission.rows)
        metrics.bytes.labels(signal, "http/json").inc(len(submission.payload))
        if rewritten:
            metrics.rewritten_values.labels(signal).inc()


def _read_hook(
    body: bytes, headers: Mapping[str, str], delivery_id: str, limit_bytes: int
) -> _Hook:
    problems: list[str] = []
    given = body.removeprefix(_BOM).strip()
    text = readable(given)
    event_unix_nano = 0
    stamp = headers.get("x-fleetspan-event-time", "").strip()
    if stamp:
        event_unix_nano = _unix_nano(stamp)
        if not event_unix_nano:
            problems.append("event_time")
    traceparent = headers.get("traceparent", "").strip()
    if traceparent and not _TRACEPARENT.fullmatch(traceparent):
        problems.append("traceparent")
        traceparent = ""
    event = _event(text, problems)
    payload = ClaudeHook(
        traceparent=traceparent,
        delivery_id=delivery_id,
        event_unix_nano=event_unix_nano,
        body=text,
    )
    shown = shortened(text, limit_bytes)
    if shown is not text:
        payload.shown = shown
    return _Hook(
        payload=payload.SerializeToString(),
        event=event,
        problems=tuple(problems),
        rewritten=text != given,
    )


def _event(text: bytes, problems: list[str]) -> str:
    """Return the event as the metrics call it, and add what is wrong."""
    try:
        hook = orjson.loads(text)
    except orjson.JSONDecodeError:
        problems.append("no_json")
        return "unreadable"
    if not isinstance(hook, dict):
        problems.append("no_object")
        return "unreadable"
    event, session = hook.get("hook_event_name"), hook.get("session_id")
    if not (isinstance(session, str) and session):
        problems.append("no_session")
    if not (isinstance(event, str) and event):
        problems.append("no_event")
        return "unreadable"
    if event not in HOOK_EVENTS:
        problems.append("unknown_event")
        return "unknown"
    return event


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """Which lines of which transcript.

    Attributes:
        path: The file on the sender's machine.
        offset: Of the first line in the file, in bytes.
        session_id: The session whose file it is.
        agent_id: The sub-agent whose file it is, else ``""``.
    """

    path: str
    offset: int
    session_id: str
    agent_id: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> _File:
        """Read it from a request's headers; what they leave out, from the path.

        Raises:
            Undecodable: When path or offset are missing or wrong.
        """
        path = unquote(headers.get("x-fleetspan-transcript-path", ""))
        if not path:
            raise Undecodable("is missing", field="x-fleetspan-transcript-path")
        offset = headers.get("x-fleetspan-transcript-offset", "").strip()
        if not (offset.isascii() and offset.isdecimal() and int(offset) < 1 << 63):
            raise Undecodable(
                f"must be a number of bytes from 0 to 2^63 - 1, got {offset!r}",
                field="x-fleetspan-transcript-offset",
            )
        session_id, agent_id = _owner(path)
        return cls(
            path=path,
            offset=int(offset),
            session_id=headers.get("x-fleetspan-session-id", "").strip() or session_id,
            agent_id=headers.get("x-fleetspan-agent-id", "").strip() or agent_id,
        )


def _owner(path: str) -> tuple[str, str]:
    """Return session and agent as Claude Code names its files after them."""
    place = PurePosixPath(path.replace("\\", "/"))
    stem = place.name.removesuffix(".jsonl").removesuffix(".meta.json")
    folders = place.parts[:-1]
    if "subagents" in folders:
        above = folders[folders.index("subagents") - 1]
        return above, stem.removeprefix("agent-")
    return stem, ""


def _read_lines(body: bytes, file: _File, limit_bytes: int) -> _Lines:
    """Split a body into lines; nothing else is done line by line, but for a few."""
    if file.path.endswith(".meta.json"):
        # One document, however it is laid out.
        body = body.removeprefix(_BOM).strip().replace(b"\r", b" ").replace(b"\n", b" ")
    lines = body.split(b"\n")
    offsets = accumulate((len(line) + 1 for line in lines), initial=file.offset)
    kept = [pair for pair in zip(offsets, lines, strict=False) if pair[1].strip()]
    payload: Any = TranscriptLines(
        path=file.path,
        session_id=file.session_id,
        agent_id=file.agent_id,
        offsets=[offset for offset, _ in kept],
    )
    joined = b"\n".join([line for _, line in kept])
    text = readable(joined)
    payload.lines = text
    if limit_bytes and any(len(line) > limit_bytes for _, line in kept):
        payload.shown = b"\n".join(
            shortened(line, limit_bytes) if len(line) > limit_bytes else b""
            for line in text.split(b"\n")
        )
    return _Lines(
        payload=payload.SerializeToString(),
        count=len(kept),
        unreadable=sum(not _looks_like_object(line) for _, line in kept),
        rewritten=text != joined,
        record_id=_name(
            "lines", file.path, file.session_id, file.agent_id, str(file.offset), body
        ),
    )


def _looks_like_object(line: bytes) -> bool:
    return line[:1] == b"{" and line.rstrip()[-1:] == b"}"


def _delivery_id(headers: Mapping[str, str]) -> str:
    """Return the name that the sender gave this delivery, or ``""``."""
    for header in DELIVERY_ID_HEADERS:
        given = headers.get(header, "").strip()
        if given:
            if len(given) <= _MAX_DELIVERY_ID:
                return given
            return sha256(given.encode()).hexdigest()
    return ""


def _unix_nano(stamp: str) -> int:
    """Read Unix nanoseconds or RFC 3339; 0 when it is neither, or out of all range."""
    if stamp.isascii() and stamp.isdecimal() and len(stamp) < 20:
        found = int(stamp)
    else:
        try:
            moment = datetime.fromisoformat(stamp)
        except ValueError:
            return 0
        if moment.tzinfo is None:
            return 0
        found = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return found if _EARLIEST <= found < _LATEST else 0


def _name(*parts: str | bytes) -> bytes:
    """Return 16 bytes that name some parts, in this order."""
    digest = sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8) + raw)
    return digest.digest()[:_RECORD_ID_BYTES]
