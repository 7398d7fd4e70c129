"""Context across processes: environments, headers and MCP."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import attach, get_current

from fleetspan._guard import guard
from fleetspan._scope import carrier_of, context_from

_VARIABLES = ("TRACEPARENT", "TRACESTATE", "BAGGAGE")


def subprocess_env(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which a subprocess goes on with this run.

    It has ``TRACEPARENT``, ``TRACESTATE`` and ``BAGGAGE``; the baggage names the run, the
    session and the agent at work. A process that uses Fleetspan, and anything else that
    follows OpenTelemetry's convention for environments, takes them from there.

    Args:
        base: The environment to start from; None: this process's.
    """
    environment = dict(os.environ if base is None else base)
    with guard("write TRACEPARENT"):
        carrier = carrier_of(get_current())
        for variable in _VARIABLES:
            # What we inherited is not what the child's parent is.
            environment.pop(variable, None)
        environment.update({name.upper(): value for name, value in carrier.items()})
    return environment


def inject(carrier: MutableMapping[str, str] | None = None) -> dict[str, str]:
    """Return ``traceparent``, ``tracestate`` and ``baggage`` of what is at work.

    Args:
        carrier: Headers to write them into as well.
    """
    found: dict[str, str] = {}
    with guard("write traceparent"):
        found = carrier_of(get_current())
        if carrier is not None:
            carrier.update(found)
    return found


def mcp_meta(meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an MCP request's ``_meta`` with the trace context in it.

    Args:
        meta: What else ``_meta`` holds.
    """
    return {**(meta or {}), **inject()}


@contextmanager
def continue_from(carrier: object) -> Generator[None]:
    """Go on, within the block, with what another process handed over.

    Args:
        carrier: Headers, an environment, or an MCP ``_meta`` (a mapping or pydantic
            model); None or without a trace context, nothing changes.
    """
    before = get_current()
    attached = None
    with guard("read traceparent"):
        if carrier is not None and not isinstance(carrier, Mapping):
            carrier = carrier.model_dump()  # type: ignore[attr-defined]
        if isinstance(carrier, Mapping):
            context = context_from(carrier, _without_scope(before))
            if context != before:
                attached = context
                attach(context)
    try:
        yield
    finally:
        # Not by token: the block may be left in another task than it was entered in.
        if attached is not None and get_current() is attached:
            attach(before)


def _without_scope(context: Any) -> Any:
    from opentelemetry.context import Context

    from fleetspan._scope import SCOPE_KEY

    return Context({name: each for name, each in context.items() if name != SCOPE_KEY})
