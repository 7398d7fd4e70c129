"""The functions that users call."""

# ruff: noqa: D417 - the options are those of the overloads

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast, overload

from opentelemetry import trace
from opentelemetry.context import get_current

from fleetspan import _events, _runtime, _subscribers
from fleetspan import _semconv as semconv
from fleetspan._calls import LLM, Tool
from fleetspan._config import Config, Settings, load
from fleetspan._guard import guard
from fleetspan._providers import make_providers
from fleetspan._scope import SCOPE_KEY, Scope
from fleetspan._spans import Agent, Run
from fleetspan._subscribers import Notice

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

P = ParamSpec("P")
R = TypeVar("R")


def configure(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    clock: Callable[[], int] = time.time_ns,
    **settings: Unpack[Settings],
) -> Config:
    """Set Fleetspan up. Optional: without it, the first activity does so.

    Providers that the program has set with OpenTelemetry are used and not replaced. Call
    it once, before the first activity; a second call ends the first set-up.

    Args:
        tracer_provider: Where spans go; None: the global one, else one of ours.
        meter_provider: Where metrics go; likewise.
        logger_provider: Where start events go; likewise.
        clock: Nanoseconds since the epoch, for tests and replays.
        settings: Fields of `Config`; None means unset.

    Returns:
        The settings in force.

    Raises:
        ConfigError: When a setting, given or in the environment, is unknown or bad.
    """
    config, problems = load(cast("Mapping[str, object]", settings), os.environ)
    if problems:
        raise problems[0]
    before = _runtime.replace(None)
    if before is not None:
        before.shut_down(before.config.exit_timeout_s)
    providers = make_providers(
        config,
        tracer_provider=tracer_provider,
        logger_provider=logger_provider,
        meter_provider=meter_provider,
    )
    _runtime.replace(_runtime.Runtime(config, providers, clock=clock))
    return config


def flush(timeout_s: float = 5.0) -> bool:
    """Send what has been recorded so far.

    Args:
        timeout_s: Longest wait, in seconds.

    Returns:
        False when it took longer; it then goes on in the background.
    """
    with guard("flush"):
        runtime = _runtime.in_force()
        return runtime is None or runtime.flush(timeout_s)
    return False


def shutdown(timeout_s: float = 5.0) -> bool:
    """Send what has been recorded and stop; what comes later is not recorded.

    Args:
        timeout_s: Longest wait, in seconds.

    Returns:
        False when it took longer.
    """
    with guard("shut down"):
        runtime = _runtime.in_force()
        return runtime is None or runtime.shut_down(timeout_s)
    return False


@overload
def run(name: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def run(
    name: str = "",
    *,
    session: str | None = None,
    id: str | None = None,
    user: str | None = None,
) -> Run: ...
def run(name: Any = "", **options: Any) -> Any:
    """Return a run: what one top-level agent, or several, were asked to do.

    Its span is ``invoke_workflow {name}``. Use it as ``with``, ``async with`` or decorator.

    Args:
        name: What kind of work it is, of low cardinality; decorating, the function's name.
        session: The conversation it belongs to.
        id: Its id; None: the id of its span. Use it to take up a run again.
        user: For whom.
    """
    return Run("")(name) if callable(name) else Run(name, **options)


@overload
def agent(name: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def agent(
    name: str = "",
    *,
    type: str | None = None,
    task: str | None = None,
    model: str | None = None,
    tools: Iterable[str] = (),
    session: str | None = None,
    id: str | None = None,
    user: str | None = None,
    background: bool = False,
    spawn_tool_call_id: str | None = None,
) -> Agent: ...
def agent(name: Any = "", **options: Any) -> Any:
    """Return an agent; inside another agent, it is a sub-agent.

    Its span is ``invoke_agent {name}``. With no run around it, it is the run. Use it as
    ``with``, ``async with`` or decorator.

    Args:
        name: Its name, of low cardinality; decorating, the function's name.
        type: Its role, such as ``code-review``.
        task: What it is asked to do; written only when content is captured.
        model: The model it is set to use.
        tools: Names of the tools it has.
        session: The conversation it belongs to.
        id: Its id; None: the id of its span.
        user: For whom.
        background: Whether whoever started it does not wait for it.
        spawn_tool_call_id: The tool call that started it; None: the one around it.
    """
    return Agent("")(name) if callable(name) else Agent(name, **options)


def llm(
    model: str,
    *,
    provider: str | None = None,
    operation: str = "chat",
    session: str | None = None,
) -> LLM:
    """Return a call of a model.

    Its span is ``{operation} {model}``. Use it as ``with``, ``async with`` or decorator.

    Args:
        model: The model that is asked.
        provider: Such as ``anthropic``, ``openai``, ``aws.bedrock``, ``gcp.gemini``.
        operation: ``chat``, ``text_completion``, ``generate_content`` or ``embeddings``.
        session: The conversation, when it is not that of the agent.
    """
    return LLM(model, provider=provider, operation=operation, session=session)


@overload
def tool(name: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def tool(
    name: str = "",
    *,
    call_id: str | None = None,
    arguments: object = None,
    type: str | None = None,
) -> Tool: ...
def tool(name: Any = "", **options: Any) -> Any:
    """Return a call of a tool.

    Its span is ``execute_tool {name}``. Use it as ``with``, ``async with`` or decorator; a
    decorated function's arguments and result are hashed.

    Args:
        name: The tool's name; decorating, the function's name.
        call_id: The model's id of the call.
        arguments: What it is called with, anything that JSON can hold; its hash is
            written, the arguments themselves only when content is captured.
        type: ``function``, ``extension`` or ``datastore``.
    """
    return Tool("")(name) if callable(name) else Tool(name, **options)


def current_agent() -> Agent | None:
    """Return the agent at work here, or None."""
    scope = get_current().get(SCOPE_KEY)
    return scope.owner if isinstance(scope, Scope) else None


class _AtWork(_events.Events):
    """Events of whatever is at work: the activity, else OpenTelemetry's current span."""

    def _record_event(self, kind: str, values: Mapping[str, object]) -> None:
        with guard("record an event"):
            scope = get_current().get(SCOPE_KEY)
            if isinstance(scope, _events.Events) and not getattr(scope, "ended", True):
                scope._record_event(kind, values)
                return
            runtime = _runtime.current()
            attributes = _events.event_attributes(
                kind, values, capture_content=runtime.capture_content
            )
            now = runtime.clock()
            span = trace.get_current_span()
            span.add_event(semconv.EVENT_PREFIX + kind, attributes, now)
            if callbacks := _subscribers.by_kind.get(kind):
                where = span.get_span_context()
                notice = Notice(
                    kind=kind,
                    name="",
                    time_unix_nano=now,
                    trace_id=format(where.trace_id, "032x"),
                    span_id=format(where.span_id, "016x"),
                    run_id=None,
                    session_id=None,
                    agent_id=None,
                    parent_agent_id=None,
                    attributes=attributes,
                )
                _subscribers.publish(callbacks, notice)


_at_work = _AtWork()
file_operation = _at_work.file_operation
decision = _at_work.decision
error = _at_work.error
context_snapshot = _at_work.context_snapshot
validation = _at_work.validation
outcome = _at_work.outcome
