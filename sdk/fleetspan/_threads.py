"""Context across threads, executors and tasks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from fleetspan import _runtime
from fleetspan._decorate import isolate, isolated_async
from fleetspan._decorate import run_in as _run_in
from fleetspan._propagation import continue_from, inject

P = ParamSpec("P")
R = TypeVar("R")

# A child of a process pool may be killed after its last result.
_CHILD_FLUSH_S = 5.0


def wrap(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, to be called elsewhere with the context of here and now.

    For threads, callbacks and other event loops: what it starts belongs to what is at
    work where `wrap` was called. Each call has a copy, so it may be called many times at
    once. Coroutine functions, generators and async generators can be wrapped too; a
    wrapped generator's context never reaches its consumer.

    Args:
        function: What will be called.
    """
    captured = copy_context()
    if inspect.isasyncgenfunction(function):
        return cast("Callable[P, R]", isolated_async(function, captured.copy))
    if inspect.isgeneratorfunction(function):
        return cast("Callable[P, R]", _wrap_generator(function, captured))
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _wrap_coroutine(function, captured))

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return captured.copy().run(function, *args, **kwargs)

    return call


def _wrap_generator(
    function: Callable[..., Generator[Any, Any, Any]], captured: Context
) -> Callable[..., Generator[Any, Any, Any]]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        return (yield from isolate(function(*args, **kwargs), captured.copy()))

    return call


def _wrap_coroutine(
    function: Callable[..., Any], captured: Context
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await _run_in(function(*args, **kwargs), captured.copy())

    return call


class ContextExecutor(Executor):
    """An executor whose work belongs to whatever was at work when it was submitted.

    Args:
        executor: A pool of threads, or of processes; it is shut down with this one.
    """

    def __init__(self, executor: Executor) -> None:
        # Here, since it brings all of multiprocessing.
        from concurrent.futures import ProcessPoolExecutor

        self._executor = executor
        self._in_processes = isinstance(executor, ProcessPoolExecutor)

    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]:
        """Schedule a call; it starts in the context of this one."""
        if self._in_processes:
            remote = _InAnotherProcess(fn, inject())
            return self._executor.submit(remote, *args, **kwargs)
        return self._executor.submit(wrap(fn), *args, **kwargs)

    def map(
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **options: Any,
    ) -> Any:
        """Call a function for each item, as `concurrent.futures.Executor.map` does.

        Args:
            fn: What to call.
            iterables: Its arguments, one iterable for each.
            timeout: Longest wait for a result, in seconds.
            chunksize: Items handed to a process at once.
            options: Whatever else this Python's executors know.
        """
        carried = _InAnotherProcess(fn, inject()) if self._in_processes else wrap(fn)
        return self._executor.map(
            carried, *iterables, timeout=timeout, chunksize=chunksize, **options
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut the executor inside down."""
        self._executor.shutdown(wait=wait, cancel_futures=cancel_futures)


@dataclass(frozen=True, slots=True)
class _InAnotherProcess:
    """A call that carries the context as text, since a context cannot be pickled."""

    function: Callable[..., Any]
    carrier: dict[str, str]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            with continue_from(self.carrier):
                return self.function(*args, **kwargs)
        finally:
            runtime = _runtime.in_force()
            if runtime is not None:
                runtime.flush(_CHILD_FLUSH_S)
