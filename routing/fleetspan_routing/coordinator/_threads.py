"""Plain functions in threads, and waiting for what cannot be ended.

A thread cannot be stopped from outside. When its time is up, or the workflow is
cancelled, it is asked to stop (`StepContext.stop`) and waited for: that is slower than to
walk away, and it is the only way in which nothing runs on unseen. What has to be ended
by force belongs into a subprocess.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from fleetspan_routing.coordinator._errors import StepError
from fleetspan_routing.coordinator.step import Handler, StepContext

_MOST_THREADS: Final = 4096
_logger: Final = logging.getLogger("fleetspan")


class Threads:
    """The threads of one workflow; there are none before the first plain handler."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    async def call(self, handler: Handler, context: StepContext) -> Any:
        """Call a handler in a thread that is in the context of here and now.

        Args:
            handler: A plain function.
            context: What it is told.

        Returns:
            What it returned, also when it was asked to stop and finished all the same.
        """
        if self._pool is None:
            # Slots say how many steps run; here a thread is always to be had.
            self._pool = ThreadPoolExecutor(_MOST_THREADS, "fleetspan-step")
        loop = asyncio.get_running_loop()
        here = contextvars.copy_context()
        future = loop.run_in_executor(self._pool, here.run, _plain, handler, context)
        if not await wait_out(future, lambda: _ask_to_stop(context)):
            return future.result()
        if future.cancelled() or future.exception() is not None:
            # It most likely ended so because it was asked to.
            raise asyncio.CancelledError from (
                None if future.cancelled() else future.exception()
            )
        return future.result()

    def close(self) -> None:
        """End the threads; all are idle, since every call is waited for."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)


async def wait_out(
    future: asyncio.Future[Any], on_cancel: Callable[[], None] | None = None
) -> bool:
    """Wait until something is done, however often whoever waits is cancelled.

    Args:
        future: What is waited for.
        on_cancel: Called at the first cancellation.

    Returns:
        Whether there was one; the caller has to see to it.
    """
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            if not cancelled and on_cancel is not None:
                on_cancel()
            cancelled = True
    return cancelled


def is_async(handler: Handler) -> bool:
    """Tell whether a handler is a coroutine function, or an object that is called as one."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - its kind is asked for
    )


def _plain(handler: Handler, context: StepContext) -> object:
    value = handler(context)
    if not inspect.isawaitable(value):
        return value
    if inspect.iscoroutine(value):
        value.close()
    raise StepError(
        f"step {context.name!r} returned something to be awaited",
        because="its handler is a plain function, so it was called in a thread",
        suggestion="make the handler an async function that awaits it",
    )


def _ask_to_stop(context: StepContext) -> None:
    context.stop.set()
    _logger.warning(
        "step %r is to stop, but runs in a thread, which cannot be stopped from outside;"
        " waiting for it (its handler can look at context.stop)",
        context.name,
    )
