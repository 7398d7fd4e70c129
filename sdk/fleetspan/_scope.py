"""Who is at work: what an activity passes on to whatever starts inside it.

It lives in OpenTelemetry's own context beside the current span, so that whatever carries
that context (tasks, instrumented threads, `fleetspan.wrap`) carries it too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, create_key, get_current
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from fleetspan import _semconv as semconv
from fleetspan._guard import guard

if TYPE_CHECKING:
    from fleetspan._spans import Agent

SCOPE_KEY: Final = create_key("fleetspan-scope")
# The key is OpenTelemetry's own secret; asking it to write one reveals it, and both
# entries can then be written with one copy of the context.
(SPAN_KEY,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())

_traceparent: Final = TraceContextTextMapPropagator()
_baggage: Final = W3CBaggagePropagator()


class Scope:
    """What is inherited. Also the base of every activity.

    Attributes:
        run_id: The run, or None.
        session_id: The conversation, or None.
        agent_id: The agent at work, or None.
        agent_name: Its name.
        shared: Attributes that each span inside carries.
        call_id: The model's id of the tool call at work, or None.
        owner: The agent at work when it is of this process.
        previous: The context that was current before, None for another process's scope.
        ended: True when it is over and must not become current again.
    """

    run_id: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    shared: Mapping[str, Any] = {}
    call_id: str | None = None
    owner: Agent | None = None
    previous: Context | None = None
    ended: bool = False


class RemoteScope(Scope):
    """The scope that another process handed over in its baggage."""

    def __init__(self, context: Context) -> None:
        def said(name: str) -> str | None:
            value = baggage.get_baggage(name, context)
            return value if isinstance(value, str) and value else None

        self.run_id = said(semconv.BAGGAGE_RUN_ID)
        self.session_id = said(semconv.BAGGAGE_SESSION_ID)
        self.agent_id = said(semconv.BAGGAGE_AGENT_ID)
        self.agent_name = said(semconv.BAGGAGE_AGENT_NAME)
        pairs = {
            semconv.RUN_ID: self.run_id,
            semconv.CONVERSATION_ID: self.session_id,
            semconv.AGENT_ID: self.agent_id,
            semconv.AGENT_NAME: self.agent_name,
        }
        self.shared = {
            name: value for name, value in pairs.items() if value is not None
        }


_NOBODY: Final = Scope()
_inbound: Context | None = None


def enclosing(context: Context) -> tuple[Scope, Context]:
    """Return the scope in which something starts, and the context of its parent.

    Args:
        context: The current context.

    Returns:
        The scope of the context; where it has none, that of its baggage; where there is
        not even a span, that of the process that started this one.
    """
    scope = context.get(SCOPE_KEY)
    if scope is not None:
        return scope, context  # type: ignore[return-value]
    if SPAN_KEY not in context:
        inbound = inbound_context()
        if inbound:
            context = Context({**inbound, **context})
    if baggage.get_all(context):
        return RemoteScope(context), context
    return _NOBODY, context


def inbound_context() -> Context:
    """Return what the process that started this one handed over in the environment."""
    global _inbound
    if _inbound is None:
        found = Context()
        with guard("read TRACEPARENT"):
            found = context_from(os.environ)
        _inbound = found
    return _inbound


def replace_inbound(context: Context | None) -> Context | None:
    """Put another inbound context in force and return the one that was.

    Args:
        context: None: to be read from the environment when it is next needed.
    """
    global _inbound
    before, _inbound = _inbound, context
    return before


def context_from(carrier: Mapping[str, object], base: Context | None = None) -> Context:
    """Read ``traceparent``, ``tracestate`` and ``baggage``, in capitals or not.

    Args:
        carrier: Environment variables, headers or an MCP ``_meta``.
        base: The context to start from; None: an empty one.
    """
    found = {
        name: str(carrier[key])
        for name in ("traceparent", "tracestate", "baggage")
        for key in (name, name.upper(), name.capitalize())
        if carrier.get(key)
    }
    context = _traceparent.extract(found, Context() if base is None else base)
    return _baggage.extract(found, context)


def carrier_of(context: Context) -> dict[str, str]:
    """Write ``traceparent``, ``tracestate`` and ``baggage``, the scope among it."""
    scope, context = enclosing(context)
    for name, value in (
        (semconv.BAGGAGE_RUN_ID, scope.run_id),
        (semconv.BAGGAGE_SESSION_ID, scope.session_id),
        (semconv.BAGGAGE_AGENT_ID, scope.agent_id),
        (semconv.BAGGAGE_AGENT_NAME, scope.agent_name),
    ):
        if value:
            context = baggage.set_baggage(name, value, context)
    carrier: dict[str, str] = {}
    _traceparent.inject(carrier, context)
    _baggage.inject(carrier, context)
    return carrier


def leave(scope: Scope) -> None:
    """Make current what was before a scope, unless something else has become current.

    Nothing is reset by token: that fails when a generator is closed in another task. What
    ended meanwhile, out of order, is skipped, or it would stay current for ever.
    """
    context = get_current()
    if context.get(SCOPE_KEY) is not scope:
        return
    target = scope.previous
    while target is not None:
        outer = target.get(SCOPE_KEY)
        if not isinstance(outer, Scope) or not outer.ended or outer.previous is None:
            break
        target = outer.previous
    attach(Context() if target is None else target)
