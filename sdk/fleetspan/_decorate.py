"""Activities around functions, coroutines, generators and async generators.

A generator shares the context of whoever iterates it, so a span that is current inside
would be current in the consumer too, at every ``yield``. Decorated generators therefore
run each step in a context of their own.
"""

# ruff: noqa: BLE001 - every exception is handed on to the generator inside

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from fleetspan._activity import Activity

P = ParamSpec("P")
R = TypeVar("R")


def decorate(template: Activity, function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, each call of which is an activity like the template.

    Args:
        template: What each call is; a nameless one takes the function's name.
        function: Of any of the four kinds.
    """
    if not template.name:
        template = template._clone()
        template.name = getattr(function, "__name__", type(function).__name__)
    names = _parameters(function)
    if inspect.isasyncgenfunction(function):
        return cast(
            "Callable[P, R]", _around_async_generator(template, function, names)
        )
    if inspect.isgeneratorfunction(function):
        return cast("Callable[P, R]", _around_generator(template, function, names))
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _around_coroutine(template, function, names))

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        activity = template._clone()
        activity._called_with(names, args, kwargs)
        with activity:
            value = function(*args, **kwargs)
            activity._returned(value)
            return value

    return call


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    code = getattr(function, "__code__", None)
    return code.co_varnames[: code.co_argcount] if code is not None else ()


def _around_coroutine(
    template: Activity, function: Callable[..., Any], names: tuple[str, ...]
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        activity = template._clone()
        activity._called_with(names, args, kwargs)
        with activity:
            value = await function(*args, **kwargs)
            activity._returned(value)
            return value

    return call


def _around_generator(
    template: Activity, function: Callable[..., Any], names: tuple[str, ...]
) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        def inside() -> Generator[Any, Any, Any]:
            activity = template._clone()
            activity._called_with(names, args, kwargs)
            with activity:
                return (yield from function(*args, **kwargs))

        return (yield from isolate(inside(), copy_context()))

    return call


def _around_async_generator(
    template: Activity, function: Callable[..., Any], names: tuple[str, ...]
) -> Callable[..., Any]:
    def activity_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Activity:
        activity = template._clone()
        activity._called_with(names, args, kwargs)
        return activity

    return isolated_async(function, copy_context, activity_of)


def isolate(
    steps: Generator[Any, Any, Any], context: Context
) -> Generator[Any, Any, Any]:
    """Run every step of a generator in a context of its own.

    Args:
        steps: The generator.
        context: Where it runs; what it sets there stays there.

    Returns:
        A generator of the same values, that takes the same `send`, `throw` and `close`.
    """
    try:
        value = context.run(next, steps)
        while True:
            try:
                sent = yield value
            except GeneratorExit:
                raise
            except BaseException as error:
                value = context.run(steps.throw, error)
            else:
                value = context.run(steps.send, sent)
    except StopIteration as stop:
        return stop.value
    finally:
        context.run(steps.close)


def isolated_async(
    function: Callable[..., AsyncGenerator[Any, Any]],
    context_of: Callable[[], Context],
    activity_of: Callable[[tuple[Any, ...], dict[str, Any]], Activity] | None = None,
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Have every step of an async generator run in a context of its own.

    Args:
        function: The async generator function.
        context_of: Gives the context that one iteration runs in.
        activity_of: Gives, for the arguments, the activity around one iteration.

    Returns:
        An async generator function of the same values; closing what it returns closes the
        other, in whichever task that happens.
    """

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        context = context_of()
        activity = None if activity_of is None else activity_of(args, kwargs)
        if activity is not None:
            context.run(activity.__enter__)
        failure: BaseException | None = None
        steps = function(*args, **kwargs)
        try:
            step = steps.__anext__()
            while True:
                try:
                    value = await _In(step, context)
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                except GeneratorExit:
                    raise
                except BaseException as error:
                    step = steps.athrow(error)
                else:
                    step = steps.asend(sent)
        except BaseException as error:
            failure = error
            raise
        finally:
            try:
                await _In(steps.aclose(), context)
            finally:
                if activity is not None:
                    context.run(activity.__exit__, None, failure, None)

    return call


class _In:
    """An awaitable that runs another one in a context."""

    __slots__ = ("_awaitable", "_context")

    def __init__(self, awaitable: Any, context: Context) -> None:
        self._awaitable = awaitable
        self._context = context

    def __await__(self) -> Generator[Any, Any, Any]:
        run = self._context.run
        inner = self._awaitable.__await__()
        try:
            waits_for = run(next, inner)
            while True:
                try:
                    sent = yield waits_for
                except GeneratorExit:
                    run(inner.close)
                    raise
                except BaseException as error:
                    waits_for = run(inner.throw, error)
                else:
                    waits_for = run(inner.send, sent)
        except StopIteration as stop:
            return stop.value


async def run_in(awaitable: Any, context: Context) -> Any:
    """Await something in a context of its own."""
    return await _In(awaitable, context)
