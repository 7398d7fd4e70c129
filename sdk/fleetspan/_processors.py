"""Span processors of ours and of others, none of which can hurt the program or another."""

# ruff: noqa: BLE001 - nothing of a processor's may reach the program; note() logs it

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SynchronousMultiSpanProcessor

from fleetspan._guard import note


class GuardedSpanProcessors(SynchronousMultiSpanProcessor):
    """Call the processors in order; one that raises does not stop the others.

    With OpenTelemetry's own class an exception of a processor reaches the user's ``with``
    block, and the processors after it never see the span.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Tell every processor that a span has started."""
        for processor in self._span_processors:
            try:
                processor.on_start(span, parent_context=parent_context)
            except Exception as error:
                note("call a span processor's on_start", error)

    def _on_ending(self, span: Span) -> None:
        for processor in self._span_processors:
            try:
                processor._on_ending(span)
            except Exception as error:
                note("call a span processor's on_ending", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Tell every processor that a span has ended."""
        for processor in self._span_processors:
            try:
                processor.on_end(span)
            except Exception as error:
                note("call a span processor's on_end", error)


def guarded_span_processors() -> GuardedSpanProcessors:
    """Return an empty list of processors for a provider."""
    return GuardedSpanProcessors()  # type: ignore[no-untyped-call]
