"""The content policy, on OTLP requests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import re2
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from fleetspan_collector._signals import Signal

from ._finder import compile_bytes
from ._names import (
    CLAUDE_SCOPE,
    CONTENT,
    CONTENT_PREFIXES,
    is_content,
    is_message_event,
)

_HASH_BYTES: Final = 8
NOTIFICATION: Final = "<task-notification>"
"""How Claude Code begins a prompt that it wrote itself; the join has to know."""


class ContentPolicy(StrEnum):
    """What becomes of content."""

    NONE = "none"
    METADATA = "metadata"
    REDACTED = "redacted"
    FULL = "full"


class Content:
    """Takes content out, or puts its length and hash in its place.

    Args:
        policy: ``NONE`` or ``METADATA``.
        key: Keys the hash: short content could be guessed from a plain one.
        count: Called once per piece of content.
    """

    def __init__(
        self, policy: ContentPolicy, key: bytes, count: Callable[[], None]
    ) -> None:
        self.removes = policy is ContentPolicy.NONE
        self._key = key
        self._count = count
        names = [*CONTENT, *CONTENT_PREFIXES, CLAUDE_SCOPE, "gen_ai."]
        self._mentioned = compile_bytes("|".join(str(re2.escape(n)) for n in names))

    def marker(self, content: str | bytes) -> str:
        """Return what stands for a piece of content: its bytes counted and hashed."""
        data = (
            content.encode("utf-8", "replace") if isinstance(content, str) else content
        )
        self._count()
        digest = hashlib.blake2b(data, key=self._key, digest_size=_HASH_BYTES)
        return f"[content:{len(data)}:{digest.hexdigest()}]"

    def instead(self, content: str) -> str:
        """Return what stands for a text whose beginning may have to stay."""
        kept = NOTIFICATION if content.startswith(NOTIFICATION) else ""
        return kept + ("" if self.removes and self._counted() else self.marker(content))

    def _counted(self) -> bool:
        self._count()
        return True

    def otlp(self, signal: Signal, payload: bytes) -> bytes:
        """Return a request without content: the same object when it has none."""
        if signal is Signal.METRICS or self._mentioned.search(payload) is None:
            return payload
        request: Message
        if signal is Signal.TRACES:
            request = ExportTraceServiceRequest.FromString(payload)
            changed = self._traces(request)
        else:
            request = ExportLogsServiceRequest.FromString(payload)
            changed = self._logs(request)
        return request.SerializeToString() if changed else payload

    def _traces(self, request: Any) -> bool:
        changed = False
        for resource in request.resource_spans:
            changed |= self._attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                claude = scope.scope.name.startswith(CLAUDE_SCOPE)
                changed |= self._attributes(scope.scope.attributes)
                for span in scope.spans:
                    changed |= self._attributes(span.attributes, claude=claude)
                    for event in span.events:
                        message = is_message_event(event.name)
                        changed |= self._attributes(
                            event.attributes, message=message, claude=claude
                        )
                    for link in span.links:
                        changed |= self._attributes(link.attributes)
        return changed

    def _logs(self, request: Any) -> bool:
        changed = False
        for resource in request.resource_logs:
            changed |= self._attributes(resource.resource.attributes)
            for scope in resource.scope_logs:
                claude = scope.scope.name.startswith(CLAUDE_SCOPE)
                changed |= self._attributes(scope.scope.attributes)
                for record in scope.log_records:
                    message = is_message_event(_event_name(record))
                    changed |= self._attributes(
                        record.attributes, message=message, claude=claude
                    )
                    if message and record.HasField("body"):
                        self._body(record)
                        changed = True
        return changed

    def _body(self, record: Any) -> None:
        if self.removes:
            self._count()
            record.ClearField("body")
        else:
            record.body.string_value = self.marker(_bytes(record.body))

    def _attributes(
        self, attributes: Any, *, message: bool = False, claude: bool = False
    ) -> bool:
        hit = [
            (place, each)
            for place, each in enumerate(attributes)
            if is_content(each.key, in_message=message, in_claude_code=claude)
        ]
        # From behind: removing one moves what follows.
        for place, each in reversed(hit):
            value = each.value
            notified = value.string_value.startswith(NOTIFICATION)
            if self.removes and not notified:
                self._count()
                del attributes[place]
            elif notified:
                value.string_value = self.instead(value.string_value)
            else:
                value.string_value = self.marker(_bytes(value))
        return bool(hit)


def _event_name(record: Any) -> str:
    if record.event_name:
        return str(record.event_name)
    for attribute in record.attributes:
        if attribute.key == "event.name":
            return str(attribute.value.string_value)
    return ""


def _bytes(value: Any) -> bytes:
    if value.WhichOneof("value") == "string_value":
        text: str = value.string_value
        return text.encode()
    data: bytes = value.SerializeToString(deterministic=True)
    return data
