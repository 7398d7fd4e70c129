"""What happens to a request between its receiver and the journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from prometheus_client import CollectorRegistry

from fleetspan._redaction import Redactor
from fleetspan._secret_kind import Kind
from fleetspan_collector._claude_inputs import ClaudeHook, TranscriptLines
from fleetspan_collector._signals import Signal
from fleetspan_collector._snapshot_inputs import TEXTS as SNAPSHOT_TEXTS
from fleetspan_collector._snapshot_inputs import SnapshotRequest

from ._claude import ClaudeContent
from ._content import Content, ContentPolicy
from ._finder import SECRETS, Finder, Shape, compile_bytes
from ._pii import PII
from ._values import Values
from ._wire import Leaf, Unusual, layout_of, rewrite
from .metrics import RedactionMetrics

SECRET_SHAPES: Final = "secrets"  # noqa: S105 - a word of a setting
PERSONAL_DATA: Final = "pii"
WHAT: Final = (SECRET_SHAPES, PERSONAL_DATA)

_REQUESTS: Final[dict[Signal, Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
_LAYOUTS: Final = {
    signal: layout_of(request.DESCRIPTOR) for signal, request in _REQUESTS.items()
}
# Beyond this many places the request is gone through from end to end instead.
_PLACES: Final = 20_000

_FILE: Final = ("path", "session_id", "agent_id")

Shorten = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSettings:
    """What is taken out of what arrives.

    Attributes:
        policy: What becomes of content.
        what: Of `WHAT`, what is redacted.
        patterns: More patterns by the name of their kind; see `check_pattern`.
    """

    policy: ContentPolicy = ContentPolicy.REDACTED
    what: tuple[str, ...] = (SECRET_SHAPES,)
    patterns: Mapping[str, str] = field(default_factory=dict)


def check_pattern(name: str, pattern: str) -> None:
    """Refuse a pattern that cannot be used.

    Args:
        name: Its kind: letters, digits and hyphens.
        pattern: An RE2 expression with at most one group, which is what is replaced.

    Raises:
        ValueError: When it is not such a pattern, or matches nothing at all.
    """
    if not name.replace("-", "").isalnum() or not name.isascii():
        raise ValueError(f"{name!r} must be letters, digits and hyphens")
    try:
        compiled = compile_bytes(pattern)
    except ValueError as error:
        raise ValueError(f"{name!r} is no RE2 expression: {error}") from None
    if compiled.groups > 1:
        raise ValueError(
            f"{name!r} has more than one group; write (?:…) for the others"
        )
    if compiled.search(b"") is not None:
        raise ValueError(f"{name!r} matches an empty text")


class Protection:
    """Applies the content policy, then redacts.

    Args:
        settings: What is taken out.
        key: Keys the hashes in markers.
        metrics: What is counted.
    """

    def __init__(
        self, settings: RedactionSettings, key: bytes, metrics: RedactionMetrics
    ) -> None:
        self._metrics = metrics
        policy = settings.policy
        self._content: Content | None = None
        if policy in (ContentPolicy.NONE, ContentPolicy.METADATA):
            self._content = Content(policy, key, metrics.content.inc)
        shapes = _shapes(settings) if policy is not ContentPolicy.FULL else ()
        self._finder = Finder(shapes) if shapes else None
        if self._finder is not None:
            self._redactor = Redactor(key, self._finder, self._count)
            self._values = Values(
                self._redactor, self._finder, secrets=SECRET_SHAPES in settings.what
            )
            self._leaves = {
                Leaf.TEXT: self._values.text,
                Leaf.KEY_VALUE: self._values.key_value,
                Leaf.ANY_VALUE: self._values.any_value,
            }

    @classmethod
    def by_default(cls) -> Protection:
        """Return one with the default settings and a key of its own, counting for itself."""
        registry = CollectorRegistry()
        return cls(RedactionSettings(), os.urandom(32), RedactionMetrics(registry))

    def _count(self, kind: str) -> None:
        self._metrics.redacted.labels(kind).inc()

    def wants(self, payload: bytes) -> bool:
        """Tell, fast, whether a request has to be looked at closely."""
        if self._content is not None:
            return True
        return self._finder is not None and self._finder.suspects(payload)

    def apply(self, signal: Signal, payload: bytes, shorten: Shorten) -> bytes:
        """Return what of a request may be kept: the same object when that is all.

        Args:
            signal: Which request it is.
            payload: Its sound bytes, in the journal's form.
            shorten: Makes what a row shows of a body too large for it.
        """
        self._metrics.looked_at.labels(signal).inc()
        if signal is Signal.CLAUDE_HOOKS:
            clean = self._hook(payload, shorten)
        elif signal is Signal.TRANSCRIPT_LINES:
            clean = self._lines(payload, shorten)
        elif signal is Signal.SNAPSHOTS:
            clean = self._snapshot(payload)
        else:
            clean = self._otlp(signal, payload)
        if clean is not payload:
            self._metrics.rewritten.labels(signal).inc()
        return clean

    def message(self, text: str) -> str:
        """Return a text for an answer or a log, without what is to be redacted."""
        if self._finder is None or not self._finder.suspects(text.encode()):
            return text
        return self._redactor.text(text)

    def _otlp(self, signal: Signal, payload: bytes) -> bytes:
        if self._content is not None:
            payload = self._content.otlp(signal, payload)
        if self._finder is None:
            return payload
        places = self._finder.places(payload, _PLACES)
        if places == []:
            return payload
        try:
            return self._rewrite(signal, payload, places)
        except Unusual:
            # Protobuf's own decoder reads it, and writes it in the usual way.
            request = _REQUESTS[signal].FromString(payload)
            try:
                return self._rewrite(signal, request.SerializeToString(), None)
            except Unusual:
                request.DiscardUnknownFields()
                return self._rewrite(signal, request.SerializeToString(), None)

    def _rewrite(
        self, signal: Signal, payload: bytes, places: list[int] | None
    ) -> bytes:
        return rewrite(payload, _LAYOUTS[signal], places, self._leaves, self._holds_any)

    def _holds_any(self, data: bytes) -> bool:
        return self._values.text(data) is not data

    def _hook(self, payload: bytes, shorten: Shorten) -> bytes:
        hook = ClaudeHook.FromString(payload)
        body: bytes = hook.body
        clean = ClaudeContent(self._content).hook(body) if self._content else body
        clean = self._json(clean)
        delivery = self._text(hook.delivery_id)
        if clean is body and delivery == hook.delivery_id:
            return payload
        hook.delivery_id = delivery
        hook.body = clean
        shown = shorten(clean)
        hook.shown = b"" if shown is clean else shown
        made: bytes = hook.SerializeToString()
        return made

    def _lines(self, payload: bytes, shorten: Shorten) -> bytes:
        record = TranscriptLines.FromString(payload)
        file = [self._text(getattr(record, name)) for name in _FILE]
        lines = record.lines.split(b"\n")
        clean = lines
        if self._content is not None:
            content = ClaudeContent(self._content)
            clean = [content.line(line) for line in lines]
        if self._finder is not None:
            clean = [self._json(line) for line in clean]
        known = [getattr(record, name) for name in _FILE]
        if file == known and all(map(_same, lines, clean)):
            return payload
        for name, text in zip(_FILE, file, strict=True):
            setattr(record, name, text)
        record.lines = b"\n".join(clean)
        shown = [shorten(line) for line in clean]
        cut = [
            b"" if each is line else each
            for each, line in zip(shown, clean, strict=True)
        ]
        record.shown = b"\n".join(cut) if any(cut) else b""
        made: bytes = record.SerializeToString()
        return made

    def _snapshot(self, payload: bytes) -> bytes:
        """Redact what an application says of its snapshot; no content is among it."""
        request = SnapshotRequest.FromString(payload)
        clean = {name: self._text(getattr(request, name)) for name in SNAPSHOT_TEXTS}
        if all(getattr(request, name) == text for name, text in clean.items()):
            return payload
        for name, text in clean.items():
            setattr(request, name, text)
        made: bytes = request.SerializeToString()
        return made

    def _text(self, text: str) -> str:
        if self._finder is None:
            return text
        return self._values.text(text.encode()).decode()

    def _json(self, text: bytes) -> bytes:
        r"""Redact JSON text; what was JSON stays JSON, and no ``\n`` comes or goes."""
        if self._finder is None or not self._finder.suspects(text):
            return text
        clean = self._redactor.clean(text)
        if clean is text:
            return text
        if _is_json(clean) or not _is_json(text):
            return clean if clean.count(b"\n") == text.count(b"\n") else b"{}"
        try:
            return orjson.dumps(self._inside(orjson.loads(text)))
        except RecursionError:
            return b"{}"  # nested beyond all measure: nothing of it is kept

    def _inside(self, value: Any) -> Any:
        """Redact the texts of a JSON value one by one."""
        if isinstance(value, str):
            return self._redactor.text(value)
        if isinstance(value, dict):
            return {self._redactor.text(k): self._inside(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._inside(each) for each in value]
        return value


def _same(old: bytes, new: bytes) -> bool:
    return old is new


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _shapes(settings: RedactionSettings) -> tuple[Shape, ...]:
    shapes: list[Shape] = []
    for name, pattern in settings.patterns.items():
        check_pattern(name, pattern)
        kind = Kind(name=name, pattern=pattern, literals=(), hint=pattern)
        shapes.append(Shape(kind, _never_empty, partial(compile_bytes, pattern)))
    if SECRET_SHAPES in settings.what:
        shapes += SECRETS
    if PERSONAL_DATA in settings.what:
        shapes += PII
    return tuple(shapes)


def _never_empty(text: bytes, start: int, end: int) -> bool:
    return start < end
